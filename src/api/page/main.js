// Ties the page together: what the buttons do, and what the stage shows.

import {askJson, onKeyNeeded, pause, Refused, Unreachable} from './api.js';
import {listenToFiles} from './files.js';
import {Form} from './form.js';
import {Gallery} from './gallery.js';
import {describe} from './news.js';
import {complain, say, toast} from './notices.js';
import {draw} from './run.js';
import {entriesOf, fetchPicture, note, recall} from './session.js';
import {enlarge, fileName, show} from './stage.js';
import {Start} from './start.js';

const $ = (id) => document.getElementById(id);

const EXAMPLES = {
  emoji: ['a red apple on a blue background', 'three green frogs',
          'a cat on the left and a dog on the right', 'a sunflower'],
  other: ['a lighthouse in a storm, oil painting', 'a fox asleep in autumn leaves, soft light',
          'a glass teapot on a wooden table, morning sun', 'a paper-cut map of an island'],
};

const form = new Form();
const start = new Start(form);
const gallery = new Gallery((entry) => show(entry, form.models.length), remove, enlarge);
const narrow = matchMedia('(max-width: 59.99rem)');

// ---- drawing

async function generate(settings) {
  const entry = {settings, state: 'going', text: 'Sending.', fraction: 0,
                 stop: new AbortController()};
  gallery.add(entry);
  gallery.select(entry);
  if (narrow.matches) $('stage').scrollIntoView({block: 'start'});
  say('Generating.');
  try {
    const job = await draw(settings, (news) => {
      describe(entry, news);
      gallery.update(entry);
    }, entry.stop.signal);
    await finish(entry, job);
  } catch (error) {
    if (error.name === 'AbortError') {
      gallery.drop(entry);
      say('Cancelled.');
      toast('Cancelled.');
      return;
    }
    fail(entry, error);
  }
}

async function finish(entry, job) {
  const entries = entriesOf(job, entry.settings);
  await Promise.all(entries.map(fetchPicture));
  const [first, ...rest] = entries;
  Object.assign(entry, first, {preview: undefined, fraction: undefined});
  const place = gallery.entries.indexOf(entry) + 1;
  for (const other of rest.reverse()) gallery.add(other, place);
  gallery.update(entry);
  note(gallery.entries);
  say(entries.length === 1 ? 'The picture is done.' : `${entries.length} pictures are done.`);
}

function fail(entry, error) {
  const refused = error instanceof Refused && error.status < 500;
  say(`That did not work. ${error.message}`);
  if (refused) {
    gallery.drop(entry);
    complain(error);
    return;
  }
  entry.state = 'failed';
  entry.text = error.message;
  gallery.update(entry);
  if (error instanceof Unreachable) reconnect();
}

async function submit() {
  complain(null);
  if (!form.card) {
    complain(new Error('The model is still being loaded.'));
    return;
  }
  const settings = form.read();
  if (settings.prompt === '') {
    complain(Object.assign(new Error('Say what to draw first.'), {param: 'prompt'}));
    return;
  }
  settings.start = await start.request(settings.strength);
  await generate(settings);
}

function remove(entry) {
  if (entry?.state === 'going') entry.stop.abort();
  else if (entry) gallery.drop(entry);
  note(gallery.entries);
}

/** The one that is shown, else the newest. */
function cancel() {
  const going = (entry) => entry?.state === 'going';
  const entry = going(gallery.selected) ? gallery.selected : gallery.entries.find(going);
  entry?.stop.abort();
  return Boolean(entry);
}

// ---- the server

function status(state, text) {
  $('status').dataset.state = state;
  $('status-text').textContent = text;
}

function ready() {
  const {variant, device} = form.card;
  const name = variant ? `${form.model}, ${variant}` : form.model;
  status('ready', form.models.length > 1 ? `${form.models.length} models` : name);
  $('status').title = device;
}

let reconnecting = false;
/** The server went away: says so until it is back. */
async function reconnect() {
  if (reconnecting) return;
  reconnecting = true;
  for (let back = false; !back;) {
    status('bad', 'The server cannot be reached');
    await pause(2000);
    back = await askJson('/v1/models').then(() => true, () => false);
  }
  reconnecting = false;
  ready();
}

/** Shows the server's state until the models are there. */
async function connect() {
  for (;;) {
    try {
      const {data} = await askJson('/v1/models');
      if (data.some((model) => model.octet)) {
        form.setModels(data);
        ready();
        showExamples(data[0].id);
        await bringBack();
        return;
      }
      status('wait', 'The model is being loaded');
    } catch (error) {
      status('bad', error.message);
    }
    await pause(1500);
  }
}

/** The pictures from before a reload. */
async function bringBack() {
  const gone = await recall((entry) => {
    gallery.add(entry, gallery.entries.length);
    if (!gallery.selected) gallery.select(entry);
  });
  if (gone > 0) toast(`${gone === 1 ? 'One picture is' : `${gone} pictures are`} no longer there.`);
  note(gallery.entries);
}

function showExamples(model) {
  $('examples').replaceChildren(...(EXAMPLES[model] ?? EXAMPLES.other).map((text) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = text;
    button.addEventListener('click', () => {
      form.write({prompt: text});
      submit();
    });
    return button;
  }));
}

function askForKey(wrong) {
  $('key-problem').hidden = !wrong;
  $('key-problem').textContent = 'The server does not know this key.';
  $('key').value = '';
  if (!$('key-dialog').open) $('key-dialog').showModal();
  return new Promise((resolve) => {
    $('key-form').onsubmit = (event) => {
      event.preventDefault();
      const given = $('key').value.trim();
      if (given === '') return;
      $('key-dialog').close();
      resolve(given);
    };
  });
}

// ---- the buttons and keys

function variation(entry) {
  const settings = {...entry.settings, seed: '', count: 1};
  complain(null);
  generate(settings);
}

function listenToButtons() {
  $('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  $('cancel').addEventListener('click', cancel);
  $('retry').addEventListener('click', () => {
    const {settings} = gallery.selected;
    gallery.drop(gallery.selected);
    generate(settings);
  });
  $('dismiss').addEventListener('click', () => remove(gallery.selected));
  $('remove').addEventListener('click', () => remove(gallery.selected));
  $('again').addEventListener('click', () => variation(gallery.selected));
  $('reuse').addEventListener('click', async () => {
    const {settings, seed} = gallery.selected;
    form.write({...settings, seed, count: 1});
    await start.bring(settings.start);
    toast('Settings and seed are in the form.');
    $('prompt').focus();
  });
  $('continue').addEventListener('click', async () => {
    const entry = gallery.selected;
    await start.take(new File([entry.blob], fileName(entry), {type: entry.blob.type}));
    $('start').scrollIntoView({block: 'nearest'});
  });
  // There is nothing to do without a key: Escape does not close the question.
  $('key-dialog').addEventListener('cancel', (event) => event.preventDefault());
  $('key-dialog').addEventListener('keydown', (event) => {
    if (event.key === 'Escape') event.preventDefault();
  });
  $('frame').addEventListener('click', () => enlarge(gallery.selected));
  $('help').addEventListener('click', () => $('help-dialog').showModal());
}

function listenToKeys() {
  $('zoom').addEventListener('keydown', (event) => {
    if (gallery.key(event)) enlarge(gallery.selected);
  });
  window.addEventListener('keydown', (event) => {
    if (document.querySelector('dialog[open]')) return;
    const typing = event.target.closest?.('input:not([type=range]):not([type=radio]), textarea, select');
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      submit();
    } else if (event.key === 'Escape') {
      if (cancel()) event.preventDefault();
    } else if (typing || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    } else if (event.key === '/') {
      event.preventDefault();
      $('prompt').focus();
    } else if (event.key === '[' || event.key === ']') {
      start.brush(event.key === ']' ? 2 : -2);
    }
  });
}

/** On a phone the settings fold, so that the picture is near the prompt. */
function listenToWidth() {
  const fold = () => {
    $('settings').open = !narrow.matches;
  };
  narrow.addEventListener('change', fold);
  fold();
}

onKeyNeeded(askForKey);
listenToButtons();
listenToKeys();
listenToFiles(form, start);
listenToWidth();
window.addEventListener('pagehide', () => {
  for (const entry of gallery.entries) entry.stop?.abort();
});
connect();
