import { call } from './api.js';
import { byId, element, number, setText, showError } from './dom.js';
import { watch } from './watch.js';

/**
 * The queues, with links to the board if there is one.
 *
 * @param onBindings is called with the bindings of the queues: `[{ queue, exchange, routing_key }]`.
 */
export function startQueues(onBindings) {
  const rows = new Map();
  let last;

  async function look() {
    try {
      const now = await call('GET', 'queues');
      showError(byId('queues-error'));
      show(rows, now);
      onBindings(now.queues.flatMap(({ queue, bindings }) => bindings.map((each) => ({ queue, ...each }))));
      const text = JSON.stringify(now);
      const changed = last !== undefined && text !== last;
      last = text;
      return changed;
    } catch (error) {
      byId('queues-loading').hidden = true;
      showError(byId('queues-error'), error);
      return false;
    }
  }

  return watch(look, { often: 1000, seldom: 10_000, patience: 5 });
}

function show(rows, { queues, dead_letters, board }) {
  const work = queues.filter(({ kind }) => kind === 'work');
  for (const state of work) {
    if (!rows.has(state.queue)) rows.set(state.queue, byId('queues').appendChild(row(state.queue, board)));
    const cells = rows.get(state.queue).querySelectorAll('td');
    [state.ready, state.in_flight, state.consumers].forEach((value, index) => {
      fill(cells[index], value);
    });
  }
  byId('queues-loading').hidden = true;
  byId('queues-table').hidden = work.length === 0;
  byId('queues-sums').hidden = false;
  byId('no-queues').hidden = work.length > 0;
  linkLetters(board);
  fill(
    byId('retrying'),
    queues.reduce((sum, { retrying }) => sum + (retrying ?? 0), 0),
  );
  fill(byId('dead'), dead_letters);
}

function row(queue, board) {
  const query = new URLSearchParams({ queue });
  const name = board ? boardLink(`${board}/#/live?${query}`, queue) : queue;
  const header = element('th', { scope: 'row' }, element('span', { className: 'mono' }, name));
  return element('tr', {}, header, element('td'), element('td'), element('td'));
}

/** Links the number of dead letters to the board, which shows why each of them failed. */
function linkLetters(board) {
  const label = byId('dead-label');
  if (board && !label.querySelector('a'))
    label.replaceChildren(boardLink(`${board}/#/letters`, label.textContent));
}

/** The board has its own sign-in, so it opens beside the page. */
const boardLink = (href, text) =>
  element('a', { href, target: '_blank', rel: 'noreferrer', title: 'Opens the board' }, text);

function fill(where, value) {
  setText(where, value === null ? '–' : number.format(value));
  where.dataset.some = String(value > 0);
}
