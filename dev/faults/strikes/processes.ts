import { type Fault, seconds, writing } from '../fault.ts';

const full = '^(add-points|critical)$';

/** Faults of the processes that run the functions. */
export const processFaults: readonly Fault[] = [
  {
    name: 'process killed (SIGKILL)',
    takes: () => 2,
    mayDouble: () => writing,
    redelivers: true,
    strike: ({ workers, chance }) => workers.kill(chance.between(0, 9)),
  },
  {
    name: 'process stopped (SIGTERM)',
    takes: () => 3,
    strike: ({ workers, chance }) => workers.replace(chance.between(0, 9)),
  },
  {
    // The workers stand still meanwhile, as on a machine that is moved, and have no connection: nothing makes room.
    name: 'queues full, workers halted',
    takes: () => 11,
    redelivers: true,
    refuses: true,
    async strike({ parts: { broker, links }, workers }) {
      const limit = (most: number) => {
        const definition = JSON.stringify({ 'max-length': most });
        return broker.control('set_policy', '--apply-to', 'queues', 'full', full, definition);
      };
      await limit(3);
      workers.halt();
      links.broker.cut();
      await seconds(10);
      workers.resume();
      // Raised and not taken away: RabbitMQ 3.10 would go on refusing the channels that it has refused.
      await limit(1_000_000);
    },
  },
];
