// The picture that the next one starts from: choosing and removing it, and the tools of its mask.

import {MaskEditor} from './mask.js';
import {say, toast} from './notices.js';

const $ = (id) => document.getElementById(id);

export class Start {
  constructor(form) {
    this.form = form;
    this.editor = new MaskEditor($('mask'), () => this.changed());
    form.onSize = () => {
      if (this.editor.picture) this.editor.resize(...form.sides);
    };
    this.listen();
    this.brush(0);
  }

  /** Takes a file; false when it is no picture that the browser can read. */
  async take(file) {
    try {
      const picture = await createImageBitmap(file);
      const {width, height} = picture;
      picture.close();
      this.form.shapeLike(width, height);
      await this.editor.open(file, ...this.form.sides);
    } catch {
      toast('This file cannot be read as a picture.');
      return false;
    }
    this.show(true);
    say('The next picture starts from this one.');
    return true;
  }

  /** What was sent with an earlier request comes back; null: there was nothing. */
  async bring(start) {
    if (!start) {
      this.remove();
    } else if (start.lost) {
      toast('Its starting picture is no longer there.');
    } else if (await this.take(start.image)) {
      if (start.mask) await this.editor.paintLike(start.mask);
    }
  }

  remove() {
    this.editor.close();
    this.show(false);
    $('start-file').value = '';
  }

  show(open) {
    if (open) $('settings').open = true;
    $('start-choose').hidden = open;
    $('start-editor').hidden = !open;
  }

  /** What goes along with a request; null when it starts from noise. */
  async request(strength) {
    if (!this.editor.picture) return null;
    return {image: await this.editor.image(), mask: await this.editor.transparency(), strength};
  }

  changed() {
    $('mask-hint').textContent = this.editor.painted
        ? 'Only what is painted is drawn anew.'
        : 'Paint over what to draw anew, or leave it to change the whole picture.';
  }

  /** A larger or smaller brush. */
  brush(change) {
    $('mask-size').value = Number($('mask-size').value) + change;
    this.editor.percent = Number($('mask-size').value);
    $('mask-size-value').textContent = `${this.editor.percent}\u2009%`;
    this.editor.draw();
  }

  listen() {
    $('start-choose').addEventListener('click', () => $('start-file').click());
    $('start-file').addEventListener('change', () => {
      const [file] = $('start-file').files;
      if (file) this.take(file);
    });
    $('start-remove').addEventListener('click', () => this.remove());
    $('mask-undo').addEventListener('click', () => this.editor.undo());
    $('mask-clear').addEventListener('click', () => this.editor.clear());
    for (const [id, erasing] of [['mask-paint', false], ['mask-erase', true]]) {
      $(id).addEventListener('click', () => {
        this.editor.erasing = erasing;
        $('mask-paint').setAttribute('aria-pressed', String(!erasing));
        $('mask-erase').setAttribute('aria-pressed', String(erasing));
      });
    }
    $('mask-size').addEventListener('input', () => this.brush(0));
  }
}
