// The stage: the picture that is shown, how far it is, what it was made from.

import {say} from './notices.js';

const $ = (id) => document.getElementById(id);

/** Shows an entry of the gallery, or the invitation; `models`: how many there are to choose from. */
export function show(entry, models) {
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
  if (entry.state === 'done') showDone(entry, models);
}

function showGoing(entry) {
  const percent = Math.round(100 * entry.fraction);
  $('going-text').textContent = entry.text;
  $('track').setAttribute('aria-valuenow', percent);
  $('track').setAttribute('aria-valuetext', entry.text);
  $('track-fill').style.transform = `scaleX(${entry.fraction})`;
  if (entry.announce) say(entry.announce);
}

/** "a red apple", seed 7: a-red-apple-7.png. */
export function fileName(entry) {
  const words = entry.settings.prompt.toLowerCase().match(/[a-z0-9]+/g) ?? ['picture'];
  return `${words.slice(0, 6).join('-').slice(0, 48)}-${entry.seed}.${entry.format}`;
}

function factsOf(entry, models) {
  const s = entry.settings;
  const facts = [['Seed', entry.seed], ['Size', `${entry.width}\u00d7${entry.height}`],
                 ['Steps', s.steps], ['Guidance', s.guidance], ['Sampler', s.sampler],
                 ['Time', `${entry.seconds.toFixed(1)} s`]];
  if (models > 1) facts.unshift(['Model', s.model]);
  if (s.negative) facts.push(['Without', s.negative]);
  if (s.start) facts.push(['Change', `${Math.round(100 * s.start.strength)} %`]);
  for (const warning of entry.warnings) facts.push(['Note', warning]);
  return facts;
}

function showDone(entry, models) {
  $('said').textContent = entry.settings.prompt;
  $('facts').replaceChildren(...factsOf(entry, models).map(([name, value]) => {
    const pair = document.createElement('div');
    const dt = document.createElement('dt');
    const dd = document.createElement('dd');
    pair.className = name === 'Note' ? 'note' : '';
    dt.textContent = name;
    dd.textContent = value;
    pair.append(dt, dd);
    return pair;
  }));
  $('download').href = entry.url;
  $('download').download = fileName(entry);
  $('again').hidden = Boolean(entry.settings.start?.lost);
}

/** The picture at its own size, over everything. */
export function enlarge(entry) {
  if (entry?.state !== 'done') return;
  $('zoom-picture').src = entry.url;
  $('zoom-picture').alt = entry.settings.prompt;
  if (!$('zoom').open) $('zoom').showModal();
}
