import { type Fault, within } from '../fault.ts';

/** Routing key of the alerts that only faults send. */
const routingKey = 'warning.hook';

/** Faults of the webhook. */
export const hookFaults: readonly Fault[] = [
  {
    name: 'a webhook that refuses one alert again and again',
    takes: () => 20,
    async strike({ parts: { hook }, requests, unfelt, broken }) {
      const before = hook.refusals();
      const send = () => requests.alert({ routingKey, good: true, dedupKey: undefined }, false);
      hook.refuseNext();
      await send();
      if (!(await within(10, async () => hook.refusals() > before))) unfelt('no alert was refused');
      const had = new Set(requests.accepted.alerts.map(({ id }) => id));
      for (let n = 0; n < 9; n += 1) await send();
      const later = requests.accepted.alerts.filter(
        (each) => !had.has(each.id) && each.routingKey === routingKey,
      );
      const arrived = async () =>
        later.every(({ token }) => hook.accepted.some((body) => body.includes(token)));
      const limit = 20;
      if (!(await within(limit, arrived))) broken(`later alerts were not delivered within ${limit} s`);
      hook.acceptAll();
    },
  },
];
