// Files that are dropped or pasted: onto the field for it a picture to start from, anywhere else one
// whose settings come back.

import {complain, toast} from './notices.js';
import {settingsIn} from './picture_file.js';

const $ = (id) => document.getElementById(id);

async function restore(file, form) {
  let settings = null;
  try {
    settings = await settingsIn(file);
  } catch {
    // Not readable at all.
  }
  if (!settings) {
    toast('This file does not say how it was drawn. Drop it on “Start from a picture” to use it.');
    return;
  }
  const left = form.write({seed: '', count: 1, ...settings});
  complain(null);
  $('prompt').focus();
  toast(left.length > 0 ? `Settings restored, except ${left.join(', ')}.` : 'Settings restored.');
  if (settings.fromPicture) toast('It was drawn from another picture, which is not in the file.');
}

/** Calls `event` only for events that carry files. */
function onFiles(name, listener) {
  window.addEventListener(name, (event) => {
    if (![...event.dataTransfer?.types ?? []].includes('Files')) return;
    event.preventDefault();
    listener(event);
  });
}

export function listenToFiles(form, start) {
  const over = (event) => $('start').contains(event.target);
  let depth = 0;  // of elements that the pointer has entered
  const veil = (change) => {
    depth = Math.max(0, depth + change);
    $('veil').hidden = depth === 0;
  };
  onFiles('dragenter', () => veil(1));
  onFiles('dragleave', () => veil(-1));
  onFiles('dragover', (event) => $('start').classList.toggle('over', over(event)));
  onFiles('drop', (event) => {
    veil(-depth);
    $('start').classList.remove('over');
    const [file] = event.dataTransfer.files;
    if (!file || !form.card) return;
    if (over(event)) start.take(file);
    else restore(file, form);
  });
  window.addEventListener('paste', (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file?.type.startsWith('image/') && form.card) start.take(file);
  });
}
