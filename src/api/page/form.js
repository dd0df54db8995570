// The form: settings that somebody sees, and the settings of a request.
//
// A setting that still is its model's own follows the model when another one is chosen.

const $ = (id) => document.getElementById(id);

const DRAFT = 'octet.draft';

function option(name) {
  const element = document.createElement('option');
  element.value = element.textContent = name;
  return element;
}

/** A slider and the number beside it; the number may be finer and larger than the slider. */
class Figure {
  constructor(id) {
    this.number = $(id);
    this.range = $(`${id}-range`);
    this.range.addEventListener('input', () => {
      this.number.value = this.range.value;
    });
    this.number.addEventListener('input', () => {
      this.range.value = this.number.value;
    });
  }

  get value() {
    return this.number.value === '' ? null : Number(this.number.value);
  }

  set value(value) {
    this.number.value = this.range.value = value;
  }
}

const figures = {steps: new Figure('steps'), guidance: new Figure('guidance'),
                 strength: new Figure('strength')};

/** A choice that shows a small rectangle of the size's proportions. */
function shapeChoice(size, checked) {
  const [width, height] = size.split('x').map(Number);
  const label = document.createElement('label');
  const input = document.createElement('input');
  const span = document.createElement('span');
  const box = document.createElement('i');
  const scale = 1.45 / Math.max(width, height);
  box.style.width = `${Math.max(0.3, width * scale)}rem`;
  box.style.height = `${Math.max(0.3, height * scale)}rem`;
  input.type = 'radio';
  input.name = 'shape';
  input.value = size;
  input.checked = checked;
  input.setAttribute('aria-label', `${width} by ${height}`);
  label.title = size.replace('x', '\u00d7');
  span.append(box);
  label.append(input, span);
  return label;
}

export class Form {
  constructor() {
    this.models = [];
    this.card = null;
    this.onSize = () => {};
    $('shapes').addEventListener('change', () => this.sizeChosen());
    $('model').addEventListener('change', () => this.choose($('model').value));
    $('defaults').addEventListener('click', () => this.reset());
    $('seed-clear').addEventListener('click', () => {
      $('seed').value = '';
      $('seed').focus();
    });
    $('seed').addEventListener('input', () => {
      $('seed').value = $('seed').value.replace(/\D/g, '');
    });
    $('composer').addEventListener('input', () => this.keep());
    $('composer').addEventListener('change', () => this.keep());
  }

  /** `models` as in /v1/models. */
  setModels(models) {
    this.models = models.filter((model) => model.octet);
    $('model').replaceChildren(...this.models.map((model) => option(model.id)));
    $('model-field').hidden = this.models.length < 2;
    const draft = this.draft();
    this.choose(this.models[0].id);
    this.reset();
    if (draft) this.write(draft);
  }

  get model() {
    return $('model').value;
  }

  get size() {
    return document.querySelector('input[name=shape]:checked')?.value ?? this.card.size;
  }

  get sides() {
    return this.size.split('x').map(Number);
  }

  /** Whether the model can draw a size. */
  can(size) {
    return size.split('x').every((side) => side >= this.card.side_multiple &&
                                           side <= this.card.longest_side &&
                                           side % this.card.side_multiple === 0);
  }

  /** Another model: what was the last one's own setting becomes this one's. */
  choose(id) {
    const before = this.card;
    const mine = before && this.read();
    this.card = this.models.find((model) => model.id === id).octet;
    $('model').value = id;
    for (const [select, names] of [['sampler', 'samplers'], ['scheduler', 'schedulers']]) {
      $(select).replaceChildren(...this.card[names].map(option));
    }
    if (!before) return;
    const kept = {};
    for (const [name, its] of [['steps', 'num_inference_steps'], ['guidance', 'guidance_scale'],
                               ['sampler', 'sampler'], ['scheduler', 'scheduler'],
                               ['size', 'size']]) {
      kept[name] = mine[name] === before[its] ? this.card[its] : mine[name];
    }
    if (!this.card.sizes.includes(kept.size)) kept.size = this.card.size;
    this.write(kept);
  }

  sizeChosen() {
    $('shape-chosen').textContent = $('settings-sum').textContent = this.size.replace('x', '\u00d7');
    this.onSize();
  }

  /** The usual sizes, and the one to be chosen. */
  showShapes(chosen) {
    const sizes = [...new Set([...this.card.sizes, chosen])];
    $('shapes').replaceChildren(...sizes.map((size) => shapeChoice(size, size === chosen)));
    this.sizeChosen();
  }

  /** The model's own settings. */
  reset() {
    const card = this.card;
    figures.steps.range.max = Math.max(50, 2 * card.num_inference_steps);
    this.write({steps: card.num_inference_steps, guidance: card.guidance_scale,
                sampler: card.sampler, scheduler: card.scheduler, size: card.size, negative: '',
                format: 'png'});
  }

  /** Settings of a request. */
  read() {
    return {
      prompt: $('prompt').value.trim(), negative: $('negative').value.trim(), model: this.model,
      size: this.size, steps: figures.steps.value, guidance: figures.guidance.value,
      sampler: $('sampler').value, scheduler: $('scheduler').value, format: $('format').value,
      seed: $('seed').value, strength: (figures.strength.value ?? 60) / 100,
      count: Number(document.querySelector('input[name=count]:checked').value),
    };
  }

  /** Shows settings; those that are missing stay. Returns what could not be taken over. */
  write(settings) {
    const left = [];
    if (settings.model !== undefined && settings.model !== this.model) {
      if (this.models.some((model) => model.id === settings.model)) this.choose(settings.model);
      else left.push(`model ${settings.model}`);
    }
    for (const name of ['prompt', 'negative', 'seed']) {
      if (settings[name] !== undefined) $(name).value = settings[name];
    }
    for (const name of ['steps', 'guidance']) {
      if (typeof settings[name] === 'number') figures[name].value = settings[name];
    }
    if (typeof settings.strength === 'number') {
      figures.strength.value = Number((settings.strength * 100).toFixed(6));
    }
    for (const name of ['sampler', 'scheduler', 'format']) {
      if (settings[name] === undefined) continue;
      const known = [...$(name).options].some((each) => each.value === settings[name]);
      if (known) $(name).value = settings[name];
      else left.push(`${name} ${settings[name]}`);
    }
    if (settings.count) {
      document.querySelector(`input[name=count][value="${Number(settings.count)}"]`).checked = true;
    }
    if (settings.size !== undefined) {
      if (this.can(settings.size)) this.showShapes(settings.size);
      else left.push(`size ${settings.size}`);
    }
    this.keep();
    return left;
  }

  /** The size that comes next to a picture's proportions. */
  shapeLike(width, height) {
    const distance = (size) => {
      const [w, h] = size.split('x').map(Number);
      return Math.abs(Math.log(w / h) - Math.log(width / height));
    };
    const own = `${width}x${height}`;
    const sizes = this.card.sizes;
    const near = sizes.includes(own)
        ? own : sizes.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    this.showShapes(near);
    this.keep();
  }

  /** A reload does not lose what was typed. */
  keep() {
    try {
      sessionStorage.setItem(DRAFT, JSON.stringify(this.read()));
    } catch {
      // No storage: then it does.
    }
  }

  draft() {
    try {
      return JSON.parse(sessionStorage.getItem(DRAFT));
    } catch {
      return null;  // nothing that could be read
    }
  }
}
