// Ties the page together: what the buttons do, and what the stage shows.

import {askJson, onKeyNeeded, pause, Refused} from './api.js';
import {Form} from './form.js';
import {Gallery} from './gallery.js';
import {MaskEditor} from './mask.js';
import {settingsIn} from './picture_file.js';
import {draw} from './run.js';

const $ = (id) => document.getElementById(id);

const EXAMPLES = {
  emoji: ['a red apple on a blue background', 'three green frogs',
          'a cat on the left and a dog on the right', 'a sunflower'],
  other: ['a lighthouse in a storm, oil painting', 'a fox asleep in autumn leaves, soft light',
          'a glass teapot on a wooden table, morning sun', 'a paper-cut map of an island'],
};

const form = new Form();
const gallery = new Gallery(show, remove, enlarge);
const editor = new MaskEditor($('mask'), maskChanged);

// ---- words

function seconds(value) {
  if (value < 1) return 'less than a second';
  if (value < 90) return `about ${Math.round(value)} s`;
  return `about ${Math.round(value / 60)} min`;
}

let said = '';
/** For who listens instead of looking; the same is said once. */
function say(text) {
  if (text === said) return;
  said = text;
  $('live').textContent = text;
}

function toast(text) {
  const note = document.createElement('p');
  note.textContent = text;
  $('toasts').append(note);
  setTimeout(() => note.remove(), 6000);
}

/** A refusal, beside the button and at the field that it names. */
function complain(error) {
  $('problem').textContent = error?.message ?? '';
  $('problem').hidden = !error;
  for (const field of document.querySelectorAll('[aria-invalid]')) {
    field.removeAttribute('aria-invalid');
  }
  const fields = {prompt: 'prompt', negative_prompt: 'negative', seed: 'seed',
                  num_inference_steps: 'steps', guidance_scale: 'guidance', strength: 'strength'};
  const field = fields[error?.param];
  if (!field) return;
  for (const outer of [$('settings'), $('more')]) {
    if (outer.contains($(field))) outer.open = true;
  }
  $(field).setAttribute('aria-invalid', 'true');
  $(field).focus();
}

// ---- drawing

/** What a run says of itself, in words and as a part of the whole. */
function describe(entry, news) {
  if (news.state === 'preview') {
    entry.preview = news.url;
    return;
  }
  if (news.state === 'waiting') {
    entry.text = `${sentence(news.why)} Asking again in ${news.left} s.`;
    entry.announce = sentence(news.why);
  } else if (news.state === 'lost') {
    entry.text = entry.announce = 'The connection was lost. Trying again.';
  } else if (news.state === 'queued') {
    const ahead = news.job.queue_position;
    const jobs = ahead === 1 ? '1 job' : `${ahead} jobs`;
    const wait = news.left === null ? '' : `, ${seconds(news.left)} until it is done`;
    entry.text = ahead > 0 ? `Waiting, ${jobs} ahead${wait}.` : `Next in the queue${wait}.`;
    entry.announce = `Waiting, ${jobs} ahead.`;
  } else {
    drawing(entry, news);
  }
}

function sentence(text) {
  const whole = text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

function drawing(entry, {job, left}) {
  const parts = {init: ['Reading the starting picture.', 0.01], text: ['Reading the prompt.', 0.02],
                 modulation: ['Preparing the steps.', 0.04], decode: ['Developing the picture.', 0.98]};
  if (job.stage !== 'denoise') {
    [entry.text, entry.fraction] = parts[job.stage];
    entry.announce = entry.text;
    return;
  }
  entry.fraction = 0.05 + 0.92 * job.step / Math.max(1, job.steps);
  const eta = left === null ? '' : `, ${seconds(left)} left`;
  entry.text = `Step ${job.step} of ${job.steps}${eta}`;
  entry.announce = `${Math.floor(4 * job.step / job.steps) * 25} percent`;
}

async function generate(settings) {
  const entry = {settings, state: 'going', text: 'Sending.', fraction: 0,
                 stop: new AbortController()};
  gallery.add(entry);
  gallery.select(entry);
  if (matchMedia('(max-width: 59.99rem)').matches) $('stage').scrollIntoView({block: 'start'});
  say('Generating.');
  try {
    const job = await draw(settings, (news) => {
      describe(entry, news);
      gallery.update(entry);
    }, entry.stop.signal);
    finish(entry, job);
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

function finish(entry, job) {
  const shared = {settings: entry.settings, state: 'done', seconds: job.run_seconds,
                  warnings: job.warnings ?? []};
  const entries = job.pictures.map((picture) => ({
    ...shared, blob: picture.blob, url: URL.createObjectURL(picture.blob), seed: picture.seed,
    width: picture.width, height: picture.height, format: picture.format,
  }));
  const [first, ...rest] = entries;
  Object.assign(entry, first, {preview: undefined, fraction: undefined});
  const place = gallery.entries.indexOf(entry) + 1;
  for (const other of rest.reverse()) gallery.add(other, place);
  gallery.update(entry);
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
}

async function submit() {
  complain(null);
  const settings = form.read();
  if (!form.card) {
    complain(new Error('The model is still being loaded.'));
    return;
  }
  if (settings.prompt === '') {
    complain(Object.assign(new Error('Say what to draw first.'), {param: 'prompt'}));
    return;
  }
  if (editor.picture) {
    settings.start = {image: await editor.image(), mask: await editor.transparency(),
                      strength: settings.strength};
  }
  await generate(settings);
}

function remove(entry) {
  if (entry?.state === 'going') entry.stop.abort();
  else if (entry) gallery.drop(entry);
}

/** The one that is shown, else the newest. */
function cancel() {
  const going = (entry) => entry?.state === 'going';
  const entry = going(gallery.selected) ? gallery.selected : gallery.entries.find(going);
  entry?.stop.abort();
  return Boolean(entry);
}

// ---- the stage

function show(entry) {
  $('empty').hidden = Boolean(entry);
  $('view').hidden = !entry;
  document.title = entry?.state === 'going' ? `${Math.round(100 * entry.fraction)} % · Octet` : 'Octet';
  if (!entry) return;
  const url = entry.url ?? entry.preview;
  $('going').hidden = entry.state !== 'going';
  $('failed').hidden = entry.state !== 'failed';
  $('about').hidden = entry.state !== 'done';
  $('frame').hidden = entry.state === 'failed';
  $('frame').dataset.state = entry.state;
  $('frame').classList.toggle('blank', !url);
  const [width, height] = entry.width ? [entry.width, entry.height]
                                      : entry.settings.size.split('x').map(Number);
  $('frame').style.setProperty('--ratio', width / height);
  $('frame').style.setProperty('--width', `${Math.max(width, 512 * Math.min(1, width / height))}px`);
  if (url) $('picture').src = url;
  else $('picture').removeAttribute('src');
  $('picture').alt = entry.state === 'done' ? entry.settings.prompt : '';
  if (entry.state === 'going') showGoing(entry);
  if (entry.state === 'failed') $('failed-text').textContent = entry.text;
  if (entry.state === 'done') showDone(entry);
}

function showGoing(entry) {
  const percent = Math.round(100 * entry.fraction);
  $('going-text').textContent = entry.text;
  $('track').setAttribute('aria-valuenow', percent);
  $('track').setAttribute('aria-valuetext', entry.text);
  $('track-fill').style.transform = `scaleX(${entry.fraction})`;
  if (entry.announce) say(entry.announce);
}

function enlarge() {
  if (gallery.selected?.state !== 'done') return;
  $('zoom-picture').src = gallery.selected.url;
  $('zoom-picture').alt = gallery.selected.settings.prompt;
  if (!$('zoom').open) $('zoom').showModal();
}

function fileName(entry) {
  const words = entry.settings.prompt.toLowerCase().match(/[a-z0-9]+/g) ?? ['picture'];
  return `${words.slice(0, 6).join('-').slice(0, 48)}-${entry.seed}.${entry.format}`;
}

function showDone(entry) {
  const s = entry.settings;
  $('said').textContent = s.prompt;
  const facts = [['Seed', entry.seed], ['Size', `${entry.width}\u00d7${entry.height}`],
                 ['Steps', s.steps], ['Guidance', s.guidance], ['Sampler', s.sampler],
                 ['Time', `${entry.seconds.toFixed(1)} s`]];
  if (s.negative) facts.push(['Without', s.negative]);
  if (s.start) facts.push(['Change', `${Math.round(100 * s.start.strength)} %`]);
  if (form.models.length > 1) facts.unshift(['Model', s.model]);
  for (const warning of entry.warnings) facts.push(['Note', warning]);
  $('facts').replaceChildren(...facts.map(([name, value]) => {
    const pair = document.createElement('div');
    const dt = document.createElement('dt');
    const dd = document.createElement('dd');
    dt.textContent = name;
    dd.textContent = value;
    pair.append(dt, dd);
    return pair;
  }));
  $('download').href = entry.url;
  $('download').download = fileName(entry);
}

// ---- the starting picture

function maskChanged() {
  const hint = editor.painted
      ? 'Only what is painted is drawn anew.'
      : 'Paint over what to draw anew, or leave it to change the whole picture.';
  $('mask-hint').textContent = hint;
}

async function startFrom(file) {
  try {
    const picture = await createImageBitmap(file);
    form.shapeLike(picture.width, picture.height);
    picture.close();
    await editor.open(file, ...form.sides);
  } catch {
    toast('This file cannot be read as a picture.');
    return;
  }
  $('settings').open = true;
  $('start-choose').hidden = true;
  $('start-editor').hidden = false;
  say('The next picture starts from this one.');
}

function removeStart() {
  editor.close();
  $('start-choose').hidden = false;
  $('start-editor').hidden = true;
  $('start-file').value = '';
}

async function restore(file) {
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

function listenToFiles() {
  let depth = 0;
  const veil = (on) => {
    depth = on ? depth : 0;
    $('veil').hidden = !on;
  };
  const files = (event) => [...event.dataTransfer?.types ?? []].includes('Files');
  window.addEventListener('dragenter', (event) => {
    if (!files(event)) return;
    event.preventDefault();
    ++depth;
    veil(true);
  });
  window.addEventListener('dragleave', (event) => {
    if (files(event) && --depth <= 0) veil(false);
  });
  window.addEventListener('dragover', (event) => {
    if (!files(event)) return;
    event.preventDefault();
    $('start').classList.toggle('over', $('start').contains(event.target));
  });
  window.addEventListener('drop', (event) => {
    if (!files(event)) return;
    event.preventDefault();
    veil(false);
    $('start').classList.remove('over');
    const [file] = event.dataTransfer.files;
    if (!file) return;
    if ($('start').contains(event.target)) startFrom(file);
    else restore(file);
  });
  window.addEventListener('paste', (event) => {
    const [file] = event.clipboardData?.files ?? [];
    if (file?.type.startsWith('image/')) startFrom(file);
  });
}

// ---- the server

function status(state, text) {
  $('status').dataset.state = state;
  $('status-text').textContent = text;
}

/** Shows the server's state until the models are there. */
async function connect() {
  for (;;) {
    try {
      const {data} = await askJson('/v1/models');
      if (data.some((model) => model.octet)) {
        form.setModels(data);
        const {variant, device} = form.card;
        status('ready', data.length > 1 ? 'Ready' : `${data[0].id}${variant ? `, ${variant}` : ''}`);
        $('status').title = device;
        showExamples(data[0].id);
        return;
      }
      status('wait', 'The model is being loaded');
    } catch (error) {
      status('bad', error.message);
    }
    await pause(1500);
  }
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
  $('reuse').addEventListener('click', () => {
    const {settings, seed} = gallery.selected;
    form.write({...settings, seed, count: 1});
    toast('Settings and seed are in the form.');
    $('prompt').focus();
  });
  $('continue').addEventListener('click', async () => {
    const entry = gallery.selected;
    await startFrom(new File([entry.blob], fileName(entry), {type: entry.blob.type}));
    $('start').scrollIntoView({block: 'nearest'});
  });
  $('start-choose').addEventListener('click', () => $('start-file').click());
  $('start-file').addEventListener('change', () => {
    const [file] = $('start-file').files;
    if (file) startFrom(file);
  });
  $('start-remove').addEventListener('click', removeStart);
  $('mask-undo').addEventListener('click', () => editor.undo());
  $('mask-clear').addEventListener('click', () => editor.clear());
  for (const [id, erasing] of [['mask-paint', false], ['mask-erase', true]]) {
    $(id).addEventListener('click', () => {
      editor.erasing = erasing;
      $('mask-paint').setAttribute('aria-pressed', String(!erasing));
      $('mask-erase').setAttribute('aria-pressed', String(erasing));
    });
  }
  $('mask-size').addEventListener('input', brush);
  // There is nothing to do without a key: Escape does not close the question.
  $('key-dialog').addEventListener('cancel', (event) => event.preventDefault());
  $('key-dialog').addEventListener('keydown', (event) => {
    if (event.key === 'Escape') event.preventDefault();
  });
  $('frame').addEventListener('click', enlarge);
  $('help').addEventListener('click', () => $('help-dialog').showModal());
}

function brush() {
  editor.percent = Number($('mask-size').value);
  $('mask-size-value').textContent = `${editor.percent}\u2009%`;
  editor.draw();
}

function listenToKeys() {
  $('zoom').addEventListener('keydown', (event) => {
    if (gallery.key(event)) enlarge();
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
    } else if ((event.key === '[' || event.key === ']') && editor.picture) {
      $('mask-size').value = Number($('mask-size').value) + (event.key === ']' ? 2 : -2);
      brush();
    }
  });
}

/** On a phone the settings fold, so that the picture is near the prompt. */
function listenToWidth() {
  const narrow = matchMedia('(max-width: 59.99rem)');
  const fold = () => {
    $('settings').open = !narrow.matches;
  };
  narrow.addEventListener('change', fold);
  fold();
}

form.onSize = () => {
  if (editor.picture) editor.resize(...form.sides);
};
onKeyNeeded(askForKey);
listenToButtons();
listenToKeys();
listenToFiles();
listenToWidth();
brush();
window.addEventListener('pagehide', () => {
  for (const entry of gallery.entries) entry.stop?.abort();
});
connect();
