/** Returns the element with an id. */
export const byId = (id) => document.getElementById(id);

/**
 * Creates an element.
 *
 * @param properties of the element; those in `data` go to its data attributes.
 */
export function element(name, { data = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

/** Sets a text only if it differs, because a screen reader announces each change of a live region. */
export function setText(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/** Shows the message of an error, or hides it. */
export function showError(where, error) {
  where.hidden = !error;
  setText(where, error ? error.message : '');
}

/** Announces a change of the page to screen readers. */
export function announce(text) {
  byId('announce').textContent = text;
}

export const number = new Intl.NumberFormat('en');

/** Formats a number of bytes. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Formats a count with its noun, singular or plural. */
export const count = (many, what) => `${number.format(many)} ${what}${many === 1 ? '' : 's'}`;

export const list = (words) => new Intl.ListFormat('en').format(words);
