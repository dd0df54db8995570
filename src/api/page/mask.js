// The starting picture and the brush that marks where it is drawn anew.
//
// The picture is shown as the server will see it: filling the size that is to be drawn, its middle
// kept. The mask is a second canvas of that size, opaque where painted.

const LIMIT = 20;  // strokes that can be undone

function canvasOf(width, height) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** The mask is read after every stroke. */
function brush(canvas) {
  return canvas.getContext('2d', {willReadFrequently: true});
}

function blobOf(canvas) {
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

/** Light and dark, to be seen on every picture. */
function stripes(period) {
  const canvas = canvasOf(period, period);
  const context = canvas.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, period, period);
  context.strokeStyle = '#1c1e22';
  context.lineWidth = period / 3;
  for (const shift of [-period, 0, period]) {
    context.beginPath();
    context.moveTo(shift - 1, -1);
    context.lineTo(shift + period + 1, period + 1);
    context.stroke();
  }
  return canvas;
}

export class MaskEditor {
  /** `changed` is called after every stroke. */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.picture = null;  // ImageBitmap
    this.file = null;
    this.mask = canvasOf(1, 1);
    this.history = [];
    this.erasing = false;
    this.percent = 12;  // of the picture's shorter side
    this.pointer = null;
    this.cursor = null;
    canvas.addEventListener('pointerdown', (event) => this.press(event));
    canvas.addEventListener('pointermove', (event) => this.move(event));
    for (const name of ['pointerup', 'pointercancel']) {
      canvas.addEventListener(name, () => this.lift());
    }
    canvas.addEventListener('pointerleave', () => this.hover(null));
    canvas.addEventListener('blur', () => this.hover(null));
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  /** Throws when the browser cannot read the file as a picture. */
  async open(file, width, height) {
    const picture = await createImageBitmap(file);
    this.close();
    this.picture = picture;
    this.file = file;
    this.resize(width, height);
  }

  close() {
    this.picture?.close();
    this.picture = this.file = null;
    this.mask = canvasOf(1, 1);
    this.history = [];
  }

  /** Another size: what was painted keeps its place as well as it can. */
  resize(width, height) {
    const before = this.mask;
    this.mask = canvasOf(width, height);
    if (before.width > 1) brush(this.mask).drawImage(before, 0, 0, width, height);
    this.history = [];
    this.canvas.width = width;
    this.canvas.height = height;
    this.draw();
    this.changed();
  }

  get radius() {
    return Math.max(1, Math.min(this.mask.width, this.mask.height) * this.percent / 200);
  }

  get painted() {
    const {width, height} = this.mask;
    const {data} = brush(this.mask).getImageData(0, 0, width, height);
    for (let i = 3; i < data.length; i += 4) {
      if (data[i] > 127) return true;
    }
    return false;
  }

  fill(context) {
    const {width, height} = this.mask;
    const scale = Math.max(width / this.picture.width, height / this.picture.height);
    const w = this.picture.width * scale, h = this.picture.height * scale;
    context.imageSmoothingQuality = 'high';
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    context.drawImage(this.picture, (width - w) / 2, (height - h) / 2, w, h);
  }

  draw() {
    if (!this.picture) return;
    const context = this.canvas.getContext('2d');
    this.fill(context);
    const {width, height} = this.mask;
    const tint = canvasOf(width, height);
    const over = tint.getContext('2d');
    over.drawImage(this.mask, 0, 0);
    over.globalCompositeOperation = 'source-in';
    over.fillStyle = over.createPattern(stripes(Math.max(8, Math.round(width / 32))), 'repeat');
    over.fillRect(0, 0, width, height);
    context.globalAlpha = 0.7;
    context.drawImage(tint, 0, 0);
    context.globalAlpha = 1;
    if (!this.cursor) return;
    context.lineWidth = Math.max(1, width / 200);
    for (const [color, grow] of [['#000', context.lineWidth], ['#fff', 0]]) {
      context.strokeStyle = color;
      context.beginPath();
      context.arc(this.cursor.x, this.cursor.y, this.radius + grow, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return {x: (event.clientX - box.left) * this.mask.width / box.width,
            y: (event.clientY - box.top) * this.mask.height / box.height};
  }

  hover(place) {
    this.cursor = place;
    this.draw();
  }

  remember() {
    const {width, height} = this.mask;
    this.history.push(brush(this.mask).getImageData(0, 0, width, height));
    if (this.history.length > LIMIT) this.history.shift();
  }

  stroke(from, to) {
    const context = brush(this.mask);
    context.globalCompositeOperation = this.erasing ? 'destination-out' : 'source-over';
    context.strokeStyle = '#000';
    context.lineCap = 'round';
    context.lineWidth = 2 * this.radius;
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x + 0.01, to.y);  // a line of no length is not drawn everywhere
    context.stroke();
  }

  press(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.remember();
    this.pointer = this.place(event);
    this.stroke(this.pointer, this.pointer);
    this.hover(this.pointer);
  }

  move(event) {
    const place = this.place(event);
    if (this.pointer) {
      this.stroke(this.pointer, place);
      this.pointer = place;
    }
    this.hover(place);
  }

  lift() {
    if (!this.pointer) return;
    this.pointer = null;
    this.changed();
  }

  key(event) {
    const {width, height} = this.mask;
    const step = Math.min(width, height) / 24;
    const ways = {ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step],
                  ArrowDown: [0, step]};
    const way = ways[event.key];
    if (!way && event.key !== ' ') return;
    event.preventDefault();
    const from = this.cursor ?? {x: width / 2, y: height / 2};
    const [dx, dy] = way ?? [0, 0];
    const to = {x: Math.min(Math.max(from.x + dx, 0), width),
                y: Math.min(Math.max(from.y + dy, 0), height)};
    if (!way || event.shiftKey) {
      this.remember();
      this.stroke(from, to);
      this.changed();
    }
    this.hover(to);
  }

  /** Paints where another mask is transparent. */
  async paintLike(blob) {
    const other = await createImageBitmap(blob);
    const {width, height} = this.mask;
    const context = brush(this.mask);
    context.globalCompositeOperation = 'source-over';
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = 'destination-out';
    context.drawImage(other, 0, 0, width, height);
    other.close();
    this.draw();
    this.changed();
  }

  undo() {
    const before = this.history.pop();
    if (!before) return;
    brush(this.mask).putImageData(before, 0, 0);
    this.draw();
    this.changed();
  }

  clear() {
    this.remember();
    brush(this.mask).clearRect(0, 0, this.mask.width, this.mask.height);
    this.draw();
    this.changed();
  }

  /** What to send: the file itself where it has the right size, so that nothing of it is lost. */
  async image() {
    const {width, height} = this.mask;
    if (this.picture.width === width && this.picture.height === height) return this.file;
    const whole = canvasOf(width, height);
    this.fill(whole.getContext('2d'));
    return blobOf(whole);
  }

  /** A picture that is transparent where painted; null where nothing is. */
  async transparency() {
    if (!this.painted) return null;
    const {width, height} = this.mask;
    const whole = canvasOf(width, height);
    const context = whole.getContext('2d');
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = 'destination-out';
    context.drawImage(this.mask, 0, 0);
    return blobOf(whole);
  }
}
