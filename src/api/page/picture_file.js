// What a picture's file says about how it was drawn: Octet's own record in PNG, JPEG and WebP, and
// the "parameters" text that other programs write into PNG.

import {parse} from './api.js';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const utf8 = new TextDecoder();

/** The texts of a PNG that are not compressed, by keyword; null when it is no PNG. */
function pngTexts(bytes) {
  if (SIGNATURE.some((byte, i) => bytes[i] !== byte)) return null;
  const texts = new Map();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    const type = utf8.decode(bytes.subarray(at + 4, at + 8));
    const data = bytes.subarray(at + 8, at + 8 + length);
    const end = data.indexOf(0);
    if (end > 0 && type === 'tEXt') {
      texts.set(utf8.decode(data.subarray(0, end)), utf8.decode(data.subarray(end + 1)));
    } else if (end > 0 && type === 'iTXt' && data[end + 1] === 0) {
      const language = data.indexOf(0, end + 3);
      const translated = data.indexOf(0, language + 1);
      if (language > 0 && translated > 0) {
        texts.set(utf8.decode(data.subarray(0, end)), utf8.decode(data.subarray(translated + 1)));
      }
    }
    at += 12 + length;
  }
  return texts;
}

/** The text between two marks; XMP is in the file as it is, in every format. */
function between(bytes, open, close) {
  const text = utf8.decode(bytes);
  const begin = text.indexOf(open);
  const end = text.indexOf(close, begin);
  return begin < 0 || end < 0 ? null : text.slice(begin + open.length, end);
}

function withoutEntities(text) {
  const entities = {amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", '#13': '\r'};
  return text.replace(/&(amp|lt|gt|quot|apos|#13);/g, (_, name) => entities[name]);
}

/** Only what has the right type: the file may say anything. */
function checked(values) {
  const settings = {};
  const text = (name, value) => {
    if (typeof value === 'string') settings[name] = value;
  };
  const number = (name, value) => {
    if (typeof value === 'number' && Number.isFinite(value)) settings[name] = value;
  };
  text('prompt', values.prompt);
  text('negative', values.negative_prompt);
  text('sampler', values.sampler);
  text('scheduler', values.schedule);
  text('model', values.model);
  number('steps', values.steps);
  number('guidance', values.guidance);
  number('strength', values.strength);
  if (/^\d{1,20}$/.test(values.seed)) settings.seed = String(values.seed);
  if (/^\d{1,5}x\d{1,5}$/.test(values.size)) settings.size = values.size;
  settings.fromPicture = typeof values.init_hash === 'string';
  return settings.prompt === undefined ? null : settings;
}

const LABELS = {
  'Steps': 'steps', 'Sampler': 'sampler', 'Schedule type': 'schedule', 'CFG scale': 'guidance',
  'Seed': 'seed', 'Size': 'size', 'Model': 'model', 'Denoising strength': 'strength',
};
const SAMPLERS = {'Euler': 'euler', 'DPM++ 2M': 'dpmpp_2m', 'Normal': 'normal', 'Simple': 'simple',
                  'SGM Uniform': 'sgm_uniform'};

/** "a cat\nNegative prompt: a dog\nSteps: 20, Sampler: Euler, Seed: 1" */
function fromText(text) {
  const lines = text.split('\n');
  const values = {negative_prompt: ''};
  if (/^Steps: \d+/.test(lines.at(-1))) {
    for (const [, label, value] of lines.pop().matchAll(/\s*([^:,]+): ("[^"]*"|[^,]*)(?:,|$)/g)) {
      const name = LABELS[label];
      const numeric = name === 'steps' || name === 'guidance' || name === 'strength';
      if (name) values[name] = numeric ? Number(value) : SAMPLERS[value] ?? value;
    }
  }
  const negative = lines.findIndex((line) => line.startsWith('Negative prompt: '));
  if (negative >= 0) {
    values.negative_prompt = lines.splice(negative).join('\n').slice('Negative prompt: '.length);
  }
  values.prompt = lines.join('\n');
  return values;
}

/** The settings {prompt, negative, seed, ...} that a file holds; null when there are none. */
export async function settingsIn(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const texts = pngTexts(bytes);
  try {
    if (texts?.has('octet')) return checked(parse(texts.get('octet')));
    const record = between(bytes, '<octet:parameters>', '</octet:parameters>');
    if (record) return checked(parse(withoutEntities(record)));
  } catch {
    // Damaged; perhaps the other text is whole.
  }
  return texts?.has('parameters') ? checked(fromText(texts.get('parameters'))) : null;
}
