// What a reload does not lose: the pictures of this tab, as long as the server keeps them. Only their
// jobs and settings are noted, and only until the tab is closed; nothing is left on the disk.

import {ask, askJson} from './api.js';

const KEY = 'octet.session';

/** Notes the pictures of a gallery. */
export function note(entries) {
  const rows = entries.filter((entry) => entry.state === 'done').map((entry) => {
    const {start, ...settings} = entry.settings;
    if (start) settings.start = {strength: start.strength, lost: true};
    return {settings, job: entry.job, index: entry.index};
  });
  try {
    sessionStorage.setItem(KEY, JSON.stringify(rows));
  } catch {
    // No storage: then a reload does lose them.
  }
}

function noted() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? [];
  } catch {
    return [];
  }
}

/** A finished job's pictures as entries of the gallery, without their files. */
export function entriesOf(job, settings) {
  return job.pictures.map((picture, index) => ({
    settings, index, state: 'done', job: job.id, seconds: job.run_seconds,
    warnings: job.warnings ?? [], path: picture.url, seed: picture.seed, width: picture.width,
    height: picture.height, format: picture.format,
  }));
}

/** Gives an entry its file. */
export async function fetchPicture(entry) {
  entry.blob = await (await ask(entry.path)).blob();
  entry.url = URL.createObjectURL(entry.blob);
}

/** Calls `found` for every noted picture that the server still has; returns how many are gone. */
export async function recall(found) {
  let gone = 0;
  for (const {settings, job, index} of noted()) {
    try {
      const entry = entriesOf(await askJson(`/v1/jobs/${job}`), settings)[index];
      await fetchPicture(entry);
      found(entry);
    } catch {
      ++gone;
    }
  }
  return gone;
}
