import { call } from './api.js';
import { byId, element, list, showError } from './dom.js';

/**
 * The part of the page that raises alerts.
 *
 * @param onRaised is called after an alert was accepted.
 * @returns `bind`, which takes the bindings of the queues.
 */
export function startAlerts(onRaised) {
  const [form, key, message, reach, result, error] = [
    ...['alert-form', 'key', 'message', 'reach', 'alert-result', 'alert-error'].map(byId),
  ];
  let bindings;

  const preview = () => {
    const queues = bindings && queuesFor(key.value.trim(), bindings);
    if (!queues) reach.replaceChildren();
    else if (queues.length === 0) reach.replaceChildren('No queue is bound for this key.');
    else reach.replaceChildren('Goes to ', ...queues.map((queue) => element('code', {}, queue)));
  };
  key.addEventListener('input', preview);

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const routingKey = key.value.trim();
    showError(error);
    result.replaceChildren();
    try {
      await call('POST', 'alerts', { routing_key: routingKey, message: message.value });
      const queues = queuesFor(routingKey, bindings ?? []);
      result.replaceChildren(queues.length > 0 ? `Taken by ${list(queues)}.` : 'Raised.');
      onRaised();
    } catch (problem) {
      showError(error, problem);
    }
    // 422: the key is invalid.
    key.ariaInvalid = error.hidden ? null : 'true';
  });

  return {
    bind(given) {
      bindings = given.filter(({ exchange }) => exchange === 'alerts');
      preview();
    },
  };
}

/** Returns the queues that a topic exchange routes a message to. The broker confirms it only when all of them have it. */
export function queuesFor(routingKey, bindings) {
  const words = routingKey.split('.');
  const matching = bindings.filter(({ routing_key }) => matches(routing_key.split('.'), words));
  return [...new Set(matching.map(({ queue }) => queue))];
}

/** AMQP 0-9-1, 3.1.3.3: `*` matches one word, `#` any number of words. */
function matches([first, ...rest], words) {
  if (first === undefined) return words.length === 0;
  if (first === '#')
    return matches(rest, words) || (words.length > 0 && matches([first, ...rest], words.slice(1)));
  return words.length > 0 && (first === '*' || first === words[0]) && matches(rest, words.slice(1));
}
