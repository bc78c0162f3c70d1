import type { BrokerQueue } from './broker-queues.ts';

interface Sample {
  at: number;
  queues: Map<string, BrokerQueue>;
}

/** Milliseconds over which a rate is computed. The management API counts every 5 s, an unwatched board every 15 s. */
const windowMs = 20_000;
/** Milliseconds between two samples below which a rate would be chance. */
const minMs = 1000;

/**
 * Fills in the rates that the broker does not report, or reports as 0: from the totals of the management API, else from the
 * number of messages. A message that comes and goes between two counts changes no number, so that such a rate is a lower limit,
 * and unknown without a change.
 */
export class QueueRates {
  #samples: Sample[] = [];

  /** @returns the queues with their rates. */
  add(queues: readonly BrokerQueue[], now = performance.now()): BrokerQueue[] {
    this.#samples = this.#samples.filter(({ at }) => now - at <= windowMs);
    const filled = queues.map((queue) => {
      // A busy broker reports 0 while it has not counted again.
      if (queue.rateIn && queue.rateOut) return queue;
      const first = this.#samples.find(({ queues }) => queues.has(queue.name));
      if (!first || now - first.at < minMs) return queue;
      const past = this.#samples.flatMap(({ queues }) => queues.get(queue.name) ?? []);
      const { rateIn, rateOut } = ratesOf([...past, queue], (now - first.at) / 1000);
      return {
        ...queue,
        rateIn: queue.rateIn || (rateIn ?? queue.rateIn),
        rateOut: queue.rateOut || (rateOut ?? queue.rateOut),
      };
    });
    this.#samples.push({ at: now, queues: new Map(queues.map((queue) => [queue.name, queue])) });
    return filled;
  }
}

/** @param samples of a queue, the oldest first. */
function ratesOf(samples: readonly BrokerQueue[], seconds: number): Pick<BrokerQueue, 'rateIn' | 'rateOut'> {
  const [before, now] = [samples[0]?.totals, samples.at(-1)?.totals];
  if (before && now) {
    // A node that has started again counts from 0.
    const grown = (of: 'in' | 'out') => Math.max(0, now[of] - before[of]);
    return { rateIn: grown('in') / seconds, rateOut: grown('out') / seconds };
  }
  let [came, went] = [0, 0];
  for (const [index, sample] of samples.entries()) {
    const change = changeOf(samples[index - 1], sample);
    if (change > 0) came += change;
    else went -= change;
  }
  return { rateIn: came > 0 ? came / seconds : null, rateOut: went > 0 ? went / seconds : null };
}

function changeOf(before: BrokerQueue | undefined, now: BrokerQueue): number {
  // Only the management API counts messages in flight: a count without them would look as if they had gone.
  if (!before || (before.inFlight === null) !== (now.inFlight === null)) return 0;
  return now.waiting + (now.inFlight ?? 0) - before.waiting - (before.inFlight ?? 0);
}
