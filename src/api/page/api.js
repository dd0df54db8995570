// What the page asks of the server: requests with the key, errors as the server words them, and
// streams of events. Streams are read with fetch, because EventSource cannot send a key.

const KEY = 'octet.key';

/** What the server refused. `retryAfter` is in seconds, null when it says nothing of it. */
export class Refused extends Error {
  constructor(status, error, retryAfter) {
    super(error.message || `The server answered ${status}.`);
    this.status = status;
    this.code = error.code || '';
    this.param = error.param || '';
    this.retryAfter = retryAfter;
  }
}

/** The server cannot be reached. */
export class Unreachable extends Error {
  constructor() {
    super('The server cannot be reached.');
  }
}

let keyAsker = null;
let asking = null;

/** `ask(wrong)` shows a question and resolves to a key. */
export function onKeyNeeded(ask) {
  keyAsker = ask;
}

function key() {
  return sessionStorage.getItem(KEY);
}

// Several requests may be refused at once; one question answers all of them.
async function askForKey(refused) {
  if (key() !== refused) return;
  asking ??= keyAsker(Boolean(refused)).finally(() => {
    asking = null;
  });
  sessionStorage.setItem(KEY, await asking);
}

/** A response that is a success; throws Refused, Unreachable or the signal's AbortError. */
export async function ask(path, options = {}) {
  for (;;) {
    const used = key();
    const headers = {...options.headers};
    if (used) headers.Authorization = `Bearer ${used}`;
    let response;
    try {
      response = await fetch(path, {...options, headers, cache: 'no-cache'});
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new Unreachable();
    }
    if (response.ok) return response;
    if (response.status === 401) {
      await askForKey(used);
      continue;
    }
    const after = Number.parseInt(response.headers.get('Retry-After'), 10);
    let body = {};
    try {
      body = await response.json();
    } catch {
      // Something between the server and us answered.
    }
    throw new Refused(response.status, body.error || {}, Number.isNaN(after) ? null : after);
  }
}

/** JSON whose seeds are texts: they have 64 bits, and JavaScript's numbers have 53. */
export function parse(text) {
  return JSON.parse(text.replace(/"seed":\s*(\d+)/g, '"seed":"$1"'));
}

export async function askJson(path, options) {
  return parse(await (await ask(path, options)).text());
}

/** The events of a stream as {name, data}, until it ends. */
export async function* events(path, signal) {
  const response = await ask(path, {signal, headers: {Accept: 'text/event-stream'}});
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      rest += value;
      for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
        const event = {name: 'message', data: ''};
        for (const line of rest.slice(0, end).split('\n')) {
          if (line.startsWith('event: ')) event.name = line.slice(7);
          if (line.startsWith('data: ')) event.data += line.slice(6);
        }
        rest = rest.slice(end + 2);
        if (event.data) yield event;
      }
    }
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Unreachable();
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Resolves after a while; throws AbortError when the signal says so before. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(new DOMException('stopped', 'AbortError'));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, {once: true});
  });
}
