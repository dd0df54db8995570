// The pictures of this session, and those that are being drawn: a row of tiles, one of them shown.
//
// An entry is {settings, state: 'going'|'done'|'failed', url, ...}; newest first.

const $ = (id) => document.getElementById(id);

export class Gallery {
  /**
   * `show(entry)` is called with the entry to be shown, or null; `remove(entry)` and
   * `enlarge(entry)` when asked to.
   */
  constructor(show, remove, enlarge) {
    this.entries = [];
    this.selected = null;
    this.show = show;
    this.remove = remove;
    this.tiles = new Map();
    $('thumbs').addEventListener('keydown', (event) => {
      if (this.key(event)) {
        this.tiles.get(this.selected).focus();
      } else if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();  // else the same key closes what opens
        enlarge(this.selected);
      }
    });
  }

  /** Adds at a place, 0 for the newest. */
  add(entry, place = 0) {
    const next = this.entries[place];
    this.entries.splice(place, 0, entry);
    const tile = document.createElement('li');
    tile.role = 'option';
    tile.tabIndex = -1;
    tile.addEventListener('click', () => this.select(entry));
    this.tiles.set(entry, tile);
    $('thumbs').insertBefore(tile, this.tiles.get(next) ?? null);
    this.update(entry);
  }

  select(entry, focus = false) {
    this.selected = entry;
    for (const [each, tile] of this.tiles) {
      tile.setAttribute('aria-selected', String(each === entry));
      tile.tabIndex = each === entry ? 0 : -1;
    }
    if (entry && focus) this.tiles.get(entry).focus();
    this.show(entry);
  }

  /** The entry has changed. */
  update(entry) {
    const tile = this.tiles.get(entry);
    if (!tile) return;
    tile.dataset.state = entry.state;
    const states = {going: 'being drawn', failed: 'failed', done: `seed ${entry.seed}`};
    tile.setAttribute('aria-label', `${entry.settings.prompt || 'Picture'}, ${states[entry.state]}`);
    tile.title = entry.settings.prompt;
    const url = entry.url ?? entry.preview;
    let picture = tile.firstElementChild;
    if (url && picture?.tagName !== 'IMG') {
      picture = document.createElement('img');
      picture.alt = '';
      tile.replaceChildren(picture);
    }
    if (url && picture.src !== url) picture.src = url;
    tile.style.setProperty('--done', entry.fraction ?? 0);
    $('session').hidden = this.entries.length === 0;
    const done = this.entries.filter((each) => each.state === 'done').length;
    $('session-count').textContent = ['', '1 picture'][done] ?? `${done} pictures`;
    if (entry === this.selected) this.show(entry);
  }

  /** Takes an entry away; the one beside it is shown if it was. */
  drop(entry) {
    const place = this.entries.indexOf(entry);
    if (place < 0) return;
    const tile = this.tiles.get(entry);
    const focused = document.activeElement === tile;
    this.entries.splice(place, 1);
    this.tiles.delete(entry);
    tile.remove();
    if (entry.url) URL.revokeObjectURL(entry.url);
    const beside = this.entries[place] ?? this.entries[place - 1] ?? null;
    if (beside) this.update(beside);
    else $('session').hidden = true;
    if (entry === this.selected) this.select(beside, focused);
  }

  /** Whether the key showed another picture. */
  key(event) {
    const place = this.entries.indexOf(this.selected);
    const last = this.entries.length - 1;
    const places = {ArrowLeft: place - 1, ArrowUp: place - 1, ArrowRight: place + 1,
                    ArrowDown: place + 1, Home: 0, End: last};
    if (event.key in places) {
      event.preventDefault();
      this.select(this.entries[Math.min(Math.max(places[event.key], 0), last)]);
      return true;
    }
    if (event.key === 'Delete' || event.key === 'Backspace') {
      event.preventDefault();
      this.remove(this.selected);
    }
    return false;
  }
}
