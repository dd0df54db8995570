// Light or dark: the system's choice unless somebody made another. Not a module, and in the head,
// so that the page never shows itself in the wrong one.
'use strict';

(() => {
  const names = ['system', 'light', 'dark'];
  const root = document.documentElement;
  let current = 'system';
  try {
    current = localStorage.getItem('octet.theme') || current;
  } catch {
    // No storage: the choice lasts as long as the page.
  }

  const show = () => {
    if (!names.includes(current)) current = 'system';
    if (current === 'system') delete root.dataset.theme;
    else root.dataset.theme = current;
  };
  show();

  document.addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    const label = document.getElementById('theme-name');
    const name = () => {
      label.textContent = current[0].toUpperCase() + current.slice(1);
      button.setAttribute('aria-label', `Theme: ${current}`);
    };
    name();
    button.addEventListener('click', () => {
      current = names[(names.indexOf(current) + 1) % names.length];
      try {
        localStorage.setItem('octet.theme', current);
      } catch {
        // As above.
      }
      show();
      name();
    });
  });
})();
