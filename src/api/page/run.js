// One request for pictures, from the button to its end: begins a job, waits where the server is
// busy, follows its events through lost connections.

import {ask, askJson, events, parse, pause, Refused, Unreachable} from './api.js';

/** A text that no other request has; crypto.randomUUID exists on https and localhost only. */
function fresh() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)),
                    (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const NAMES = {
  prompt: 'prompt', negative: 'negative_prompt', model: 'model', count: 'n', size: 'size',
  steps: 'num_inference_steps', guidance: 'guidance_scale', sampler: 'sampler',
  scheduler: 'scheduler', format: 'output_format', seed: 'seed',
};

/** Settings as the fields of the API; what is empty is left to the model. */
function fieldsOf(settings) {
  const fields = {};
  for (const [mine, its] of Object.entries(NAMES)) {
    const value = settings[mine];
    if (value !== undefined && value !== null && value !== '') fields[its] = value;
  }
  return fields;
}

/** The same bytes for every attempt, so that the server knows them again. */
async function requestOf(settings) {
  const fields = fieldsOf(settings);
  const headers = {'Idempotency-Key': fresh()};
  if (!settings.start) {
    const {seed, ...rest} = fields;
    let body = JSON.stringify(rest);
    if (seed !== undefined) body = `${body.slice(0, -1)},"seed":${seed}}`;
    return {path: '/v1/jobs', method: 'POST', body,
            headers: {...headers, 'Content-Type': 'application/json'}};
  }
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
  form.append('strength', String(settings.start.strength));
  form.append('image', settings.start.image, 'start');
  if (settings.start.mask) form.append('mask', settings.start.mask, 'mask.png');
  const whole = new Response(form);
  const type = whole.headers.get('Content-Type');
  return {path: '/v1/jobs/edits', method: 'POST', body: await whole.arrayBuffer(),
          headers: {...headers, 'Content-Type': type}};
}

/**
 * Begins the job. A server that is full or not ready yet is asked again when it says; one that does
 * not answer is asked a few times, with the same Idempotency-Key, because the job may have begun.
 */
async function begin(settings, tell, signal) {
  const {path, ...options} = await requestOf(settings);
  for (let failures = 0;;) {
    try {
      return await askJson(path, options);  // not to be torn off, for the same reason
    } catch (error) {
      if (error instanceof Unreachable && ++failures < 4) {
        tell({state: 'lost'});
        await pause(1000, signal);
        continue;
      }
      const busy = error instanceof Refused && error.retryAfter !== null &&
                   (error.status === 429 || error.status === 503);
      if (!busy) throw error;
      for (let left = error.retryAfter; left > 0; --left) {
        tell({state: 'waiting', why: error.message, left});
        await pause(1000, signal);
      }
    }
  }
}

/** How long a job still takes, measured from its steps; the server's estimate before there are. */
class Clock {
  constructor() {
    this.first = null;
  }

  left(job) {
    const drawing = job.stage === 'denoise' && job.step > 0;
    if (!drawing) return job.eta;
    const now = performance.now();
    if (!this.first || this.first.step > job.step) this.first = {step: job.step, at: now};
    const done = job.step - this.first.step;
    if (done < 2) return job.eta;
    return (now - this.first.at) / 1000 / done * (job.steps - job.step);
  }
}

// A browser opens six connections to a server; streams must leave some for everything else. Further
// jobs are asked after from time to time, until there is a stream for them.
const STREAMS = 3;
let streams = 0;

/** What is news of a job, from its stream or from one question. */
async function* newsOf(id, signal) {
  if (streams >= STREAMS) {
    const job = await askJson(`/v1/jobs/${id}`, {signal});
    yield {name: job.state, job};
    if (!OVER.includes(job.state)) await pause(700, signal);
    return;
  }
  ++streams;
  try {
    for await (const {name, data} of events(`/v1/jobs/${id}/events`, signal)) {
      yield {name, job: parse(data)};
    }
  } finally {
    --streams;
  }
  throw new Unreachable();  // a stream does not end before its job
}

const OVER = ['done', 'failed', 'cancelled'];

/** Calls `tell` for all news until the job is over, and returns it. */
async function follow(id, tell, signal) {
  const clock = new Clock();
  for (let failures = 0;;) {
    try {
      for await (const {name, job} of newsOf(id, signal)) {
        failures = 0;
        if (OVER.includes(name)) return job;
        if (name === 'preview') {
          tell({state: 'preview', url: `data:image/${job.format};base64,${job.b64_json}`});
        } else {
          tell({state: job.state, job, left: clock.left(job)});
        }
      }
    } catch (error) {
      if (!(error instanceof Unreachable) || ++failures > 8) throw error;
      tell({state: 'lost'});
      await pause(Math.min(500 * 2 ** failures, 8000), signal);
    }
  }
}

/**
 * Draws. `tell` hears {state: waiting|queued|running|preview|lost, ...}; the result is the job when
 * it is done. Aborting the signal cancels the job; then and when somebody else cancels it
 * this throws AbortError.
 */
export async function draw(settings, tell, signal) {
  let job = await begin(settings, tell, signal);
  const id = job.id;
  // keepalive: also when the page is being closed.
  const cancel = () => ask(`/v1/jobs/${id}`, {method: 'DELETE', keepalive: true}).catch(() => {});
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, {once: true});
  try {
    job = await follow(id, tell, signal);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
  if (job.state === 'cancelled') {
    if (job.cancel_cause === 'client') throw new DOMException('cancelled', 'AbortError');
    throw new Error(job.cancel_cause === 'deadline' ? 'It was not done before its deadline.'
                                                    : 'The server stopped before it was done.');
  }
  if (job.state === 'failed') throw new Error(job.error.message);
  return job;
}
