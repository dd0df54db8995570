// What the page says to whoever uses it: notes that pass, problems that stay, and words for those
// who listen instead of looking.

const $ = (id) => document.getElementById(id);

let said = '';
/** For who listens instead of looking; the same is said once. */
export function say(text) {
  if (text === said) return;
  said = text;
  $('live').textContent = text;
}

export function toast(text) {
  const note = document.createElement('p');
  note.textContent = text;
  $('toasts').append(note);
  setTimeout(() => note.remove(), 6000);
}

// The API's names of fields: the element that holds each.
const FIELDS = {prompt: 'prompt', negative_prompt: 'negative', seed: 'seed',
                num_inference_steps: 'steps', guidance_scale: 'guidance', strength: 'strength'};

/** The server's words, with the page's name of the field. */
function inWords({message, param}) {
  const field = FIELDS[param];
  if (!field || !message.startsWith(`${param}: `)) return message;
  const label = document.querySelector(`label[for="${field}"]`).textContent;
  return `${label}: ${message.slice(param.length + 2)}`;
}

/** A refusal, beside the button and at the field that it names. */
export function complain(error) {
  $('problem').hidden = !error;
  $('problem').textContent = error ? inWords(error) : '';
  for (const field of document.querySelectorAll('[aria-invalid]')) {
    field.removeAttribute('aria-invalid');
  }
  const field = FIELDS[error?.param];
  if (!field) return;
  for (const outer of [$('settings'), $('more')]) {
    if (outer.contains($(field))) outer.open = true;
  }
  $(field).setAttribute('aria-invalid', 'true');
  $(field).focus();
}
