import { byId, count, element, setText, showError, size } from './dom.js';
import { stepsOf } from './steps.js';
import { decode } from './thumbhash.js';

/** How wide a picture is shown, for the browser's choice: a frame of 4 by 3 is filled, and what is wider is cut off. */
const sizesFor = ({ width, height }) => {
  const times = Math.max(1, (0.75 * width) / height).toFixed(2);
  return `(min-width: 62rem) calc(24rem * ${times}), (min-width: 40rem) calc(48vw * ${times}), calc(92vw * ${times})`;
};
const mimeTypes = { avif: 'image/avif', webp: 'image/webp', jpeg: 'image/jpeg', png: 'image/png' };
const formats = Object.keys(mimeTypes);

/** A picture on the page. `handlers` contains the actions of its buttons. */
export function createCard(name, handlers) {
  const node = byId('card').content.firstElementChild.cloneNode(true);
  const find = (selector) => node.querySelector(selector);
  const [frame, upload, progress, percent] = ['.frame', '.upload', 'progress', '.percent'].map(find);
  const [facts, tunnels, error, renditions] = ['.facts', '.tunnels', '.error', '.sizes'].map(find);
  const [why, reason] = ['.why', '.reason'].map(find);
  const actions = ['again', 'details', 'dismiss', 'remove'];
  const buttons = Object.fromEntries(actions.map((action) => [action, find(`.${action}`)]));
  for (const [action, button] of Object.entries(buttons)) button.addEventListener('click', handlers[action]);
  let begun;

  const offer = (...names) => {
    const focused = Object.values(buttons).find((button) => button === document.activeElement);
    for (const [action, button] of Object.entries(buttons)) button.hidden = !names.includes(action);
    // If the pressed button disappears, the focus stays at this picture.
    if (focused?.hidden) (find('.actions button:not([hidden])') ?? node).focus();
  };
  setText(find('.name'), name);
  progress.ariaLabel = `Upload of ${name}`;
  tunnels.ariaLabel = `What becomes of ${name}`;
  for (const button of Object.values(buttons)) button.ariaLabel = `${button.textContent} ${name}`;

  return {
    node,
    offer,

    /** Shows the file itself until the renditions are available. */
    preview(file) {
      const image = element('img', { className: 'preview', alt: '' });
      const url = URL.createObjectURL(file);
      image.onload = () => URL.revokeObjectURL(url);
      image.onerror = () => {
        URL.revokeObjectURL(url);
        image.remove();
      };
      image.src = url;
      frame.append(image);
      setText(facts, size(file.size));
    },

    /** @param part from 0 to 1; undefined when it is over. */
    uploading(part) {
      upload.hidden = part === undefined;
      if (part === undefined) return;
      showError(error);
      const value = Math.floor(part * 100);
      progress.value = value;
      setText(percent, value < 100 ? `${value} %` : 'checking');
    },

    failed(problem) {
      upload.hidden = true;
      showError(error, problem);
      node.dataset.state = 'failed';
    },

    /** The upload was accepted; now the functions process the picture. */
    accepted() {
      begun = performance.now();
      node.dataset.state = 'working';
    },

    /**
     * Shows the current state of the picture.
     *
     * @param friends number of the owner's friends.
     * @returns `news` in words, and whether it is `settled`: no further change is expected.
     */
    update(picture, friends) {
      const { width, height, bytes } = picture;
      const facts_ = [width && `${width} × ${height}`, bytes && size(bytes)].filter(Boolean);
      if (facts_.length > 0) setText(facts, facts_.join(' · '));
      node.classList.remove('small');
      placeholder(frame, picture);
      if (picture.status === 'ready' && picture.variants) show(frame, renditions, picture, name);
      const steps = stepsOf(picture, friends, begun);
      tunnels.hidden = false;
      const over = (state) => state === 'done' || state === 'failed';
      const news = Object.entries(steps).flatMap(([step, { state, text }]) => {
        const item = tunnels.querySelector(`[data-step=${step}]`);
        const known = item.dataset.state === state;
        // A finished step keeps its duration.
        if (known && over(state)) return [];
        item.dataset.state = state;
        setText(item, text);
        return known || !over(state) ? [] : [text];
      });
      // What a browser draws of a damaged picture is often an empty frame.
      if (picture.status === 'failed') frame.querySelector('.preview')?.remove();
      why.hidden = steps.resize.reason === undefined;
      setText(reason, sentence(steps.resize.reason ?? ''));
      const settled = Object.values(steps).every(({ state }) => over(state));
      node.dataset.state = picture.status === 'failed' ? 'failed' : settled ? 'done' : 'working';
      offer('remove');
      return { news, settled };
    },

    /** Shows an older picture from the list, with less detail. */
    summary({ status, thumbnail, width, height, ...picture }) {
      node.classList.add('small');
      placeholder(frame, picture);
      if (width) setText(facts, `${width} × ${height}`);
      if (status === 'awaiting') setText(facts, 'The upload was not completed');
      if (thumbnail) {
        const image = element('img', { alt: name, loading: 'lazy', decoding: 'async' });
        Object.assign(image, { width: thumbnail.width, height: thumbnail.height, src: thumbnail.url });
        frame.append(image);
      }
      offer('details', 'remove');
    },
  };
}

/** A reason as a sentence: those of the functions begin with a small letter, and have no full stop. */
const sentence = (text) => text && `${text[0].toUpperCase()}${text.slice(1)}.`;

/** Shows a blurred placeholder that takes only a few bytes. */
function placeholder(frame, { thumbhash: hash, color }) {
  const canvas = frame.querySelector('canvas');
  if (color) frame.style.backgroundColor = color;
  if (!hash || canvas.dataset.hash === hash) return;
  canvas.dataset.hash = hash;
  const image = decode(Uint8Array.from(atob(hash), (each) => each.charCodeAt()));
  Object.assign(canvas, { width: image.width, height: image.height });
  canvas.getContext('2d').putImageData(image, 0, 0);
}

function show(frame, renditions, picture, name) {
  const { variants, width, height } = picture;
  if (variants.length === 0 || frame.querySelector('picture')) return;
  const of = (format) => variants.filter((each) => each.format === format);
  const srcset = (format) =>
    of(format)
      .map((each) => `${each.url} ${each.width}w`)
      .join(', ');
  const sizes = sizesFor(picture);
  const present = formats.filter((format) => of(format).length > 0);
  // Every browser supports the last format.
  const plain = present[present.length - 1];
  const sources = present.slice(0, -1).map((format) => {
    return element('source', { type: mimeTypes[format], sizes, srcset: srcset(format) });
  });
  const image = element('img', { alt: name, width, height, decoding: 'async', className: 'arriving' });
  image.onload = async () => {
    mark(renditions, image.currentSrc);
    image.classList.remove('arriving');
    await Promise.allSettled(image.getAnimations().map(({ finished }) => finished));
    // The placeholder would show through a transparent picture.
    for (const earlier of frame.querySelectorAll(':scope > img')) earlier.remove();
    frame.querySelector('canvas').hidden = true;
    frame.style.backgroundColor = '';
  };
  Object.assign(image, { sizes, srcset: srcset(plain), src: of(plain)[0].url });
  frame.append(element('picture', {}, ...sources, image));
  renditions.hidden = false;
  setText(renditions.querySelector('summary'), count(variants.length, 'rendition'));
  renditions.querySelector('ul').replaceChildren(...variants.map(line));
}

function line({ width, height, format, bytes, url }) {
  const link = element(
    'a',
    { href: url, target: '_blank', rel: 'noreferrer' },
    `${width} × ${height} ${format}`,
  );
  return element('li', { data: { url } }, link, element('span', { className: 'soft' }, size(bytes)));
}

/** Marks the rendition that the browser chose. */
function mark(renditions, url) {
  for (const item of renditions.querySelectorAll('li')) {
    const taken = item.dataset.url === url;
    item.classList.toggle('taken', taken);
    item.querySelector('.here')?.remove();
    if (taken) item.append(element('span', { className: 'here' }, 'shown here'));
  }
}
