import { call } from './api.js';
import { byId, element, number, setText, showError } from './dom.js';
import { watch } from './watch.js';

/**
 * The board of queues.
 *
 * @param onBindings is called with the bindings of the queues: `[{ queue, exchange, routing_key }]`.
 */
export function startQueues(onBindings) {
  const rows = new Map();
  let last;

  async function look() {
    try {
      const board = await call('GET', 'queues');
      showError(byId('queues-error'));
      show(rows, board);
      onBindings(board.queues.flatMap(({ queue, bindings }) => bindings.map((each) => ({ queue, ...each }))));
      const text = JSON.stringify(board);
      const changed = last !== undefined && text !== last;
      last = text;
      return changed;
    } catch (error) {
      showError(byId('queues-error'), error);
      return false;
    }
  }

  return watch(look, { often: 1000, seldom: 10_000, patience: 5 });
}

function show(rows, { queues, dead_letters }) {
  for (const state of queues.filter(({ kind }) => kind === 'work')) {
    if (!rows.has(state.queue)) rows.set(state.queue, byId('queues').appendChild(row(state.queue)));
    const cells = rows.get(state.queue).querySelectorAll('td');
    [state.ready, state.in_flight, state.consumers].forEach((value, index) => {
      fill(cells[index], value);
    });
  }
  fill(
    byId('retrying'),
    queues.reduce((sum, { retrying }) => sum + (retrying ?? 0), 0),
  );
  fill(byId('dead'), dead_letters);
}

function row(queue) {
  const name = element('th', { scope: 'row' }, element('span', { className: 'mono' }, queue));
  return element('tr', {}, name, element('td'), element('td'), element('td'));
}

function fill(where, value) {
  setText(where, value === null ? '–' : number.format(value));
  where.dataset.some = String(value > 0);
}
