// Every visible text of the page with its contrast (WCAG 2.2, 1.4.3): a list of those below 4.5, or
// below 3 where the text is large. Colours are composed over the backgrounds of all ancestors; text
// over a picture is not judged, and there is none.
(() => {
  const context = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  // Any CSS colour as [r, g, b, a]: the canvas knows them all.
  const parse = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => {
    const a = top[3];
    return [0, 1, 2].map((i) => top[i] * a + below[i] * (1 - a)).concat(1);
  };
  const luminance = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => {
      const s = v / 255;
      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const color = parse(getComputedStyle(e).backgroundColor);
      if (color[3] > 0) layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const bad = [];
  let count = 0;
  const judge = (element, text, style) => {
    const below = background(element);
    const color = over(parse(style.color), below);
    const [high, low] = [luminance(color), luminance(below)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    ++count;
    if (ratio < (large ? 3 : 4.5)) bad.push(`${ratio.toFixed(2)} ${text.trim().slice(0, 40)}`);
  };
  const shown = (element) => element.checkVisibility({visibilityProperty: true, opacityProperty: true});
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest('option, script, .unseen') || !shown(element)) continue;
    judge(element, node.data, getComputedStyle(element));
  }
  for (const field of document.querySelectorAll('input, textarea, select')) {
    if (!shown(field) || ['radio', 'range', 'file'].includes(field.type)) continue;
    const empty = field.value === '' && field.placeholder;
    judge(field, field.value || field.placeholder,
          getComputedStyle(field, empty ? '::placeholder' : null));
  }
  return {count, bad};
})()
