import { call } from './api.js';
import { byId, element, number, setText, showError } from './dom.js';

/** Number of entries that are shown. */
const shown = 5;

const signed = new Intl.NumberFormat('en', { signDisplay: 'always' });

/**
 * The points of a user: the balance, and the latest entries.
 *
 * @returns `refresh`, for a change that is expected.
 */
export function startPoints(user) {
  return {
    async refresh() {
      try {
        const { balance, entries } = await call('GET', `users/${user}/points`);
        setText(byId('balance'), number.format(balance));
        showError(byId('points-error'));
        byId('no-points').hidden = entries.length > 0;
        byId('points').replaceChildren(...entries.slice(0, shown).map(row));
      } catch (error) {
        showError(byId('points-error'), error);
      }
      byId('points-loading').hidden = true;
    },
  };
}

function row({ image_id, reason, points }) {
  const text = reason === 'upload' ? `Upload of picture ${image_id}` : `Picture ${image_id} deleted`;
  return element('li', {}, element('span', {}, text), element('b', {}, signed.format(points)));
}
