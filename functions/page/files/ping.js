import { call } from './api.js';
import { byId, element, showError } from './dom.js';

const kept = 24;

/** The part of the page that calls a method over RPC and shows how long the reply took. */
export function startPing() {
  const [button, result, bars, error] = ['ping', 'ping-result', 'ping-bars', 'ping-error'].map(byId);
  const times = [];
  button.addEventListener('click', async () => {
    if (button.ariaDisabled === 'true') return;
    button.ariaDisabled = 'true';
    showError(error);
    try {
      const begun = performance.now();
      const reply = await call('POST', 'rpc/ping', { client_name: 'the page', time: Date.now() / 1000 });
      const ms = Math.max(1, Math.round(performance.now() - begun));
      times.push(ms);
      result.replaceChildren(element('b', {}, `${ms} ms`), ` ${String(reply).replace(/\d.*/, '')}`);
      draw(bars, times.slice(-kept));
    } catch (problem) {
      result.replaceChildren();
      showError(error, problem);
    } finally {
      button.ariaDisabled = null;
    }
  });
}

function draw(bars, times) {
  const longest = Math.max(...times);
  const bar = (ms) => {
    const made = element('i', { title: `${ms} ms` });
    made.style.height = `${100 * Math.sqrt(ms / longest)}%`;
    return made;
  };
  bars.replaceChildren(...times.map(bar));
}
