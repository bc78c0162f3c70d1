import { type Fault, seconds, within, writing } from '../fault.ts';
import { readRuns } from '../runs.ts';

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
    // All but the server for HTTP stand still meanwhile, as on a machine that is moved, and have no connection: nothing makes room.
    name: 'queues full, workers halted',
    takes: () => 11,
    // A mail server's answer that has come meanwhile is read after the time limit for it has passed.
    mayDouble: () => writing,
    redelivers: true,
    refuses: true,
    async strike({ parts: { broker, links }, workers, requests }) {
      const limit = (most: number) => {
        const definition = JSON.stringify({ 'max-length': most });
        // A policy of the topology stays in force beside it.
        return broker.control('set_operator_policy', '--apply-to', 'queues', 'full', full, definition);
      };
      await limit(1);
      const since = Date.now();
      workers.halt();
      links.broker.cut();
      await seconds(10);
      await within(30, async () => requests.accepted.refusals.some((at) => at >= since));
      workers.resume();
      // Raised and not taken away: RabbitMQ 3.10 would go on refusing the channels that it has refused.
      await limit(1_000_000);
    },
  },
  {
    name: "a process's clock is an hour ahead",
    takes: () => 12,
    async strike({ workers, parts, chance, requests, unfelt }) {
      const program = chance.pick(workers.programs.filter(({ hasClock }) => hasClock));
      const which = workers.programs.indexOf(program);
      await workers.setClock(which, 3_600_000);
      await seconds(2);
      const ids = await Promise.all(
        Array.from({ length: 40 }, () => requests.send('faults-beside', { does: 'work' }, 'done')),
      );
      await seconds(10);
      await workers.setClock(which, 0);
      const runs = await readRuns(parts.folder);
      if (program.runsOwn && !ids.some((id) => (runs.get(id)?.skew ?? 0) > 1_000_000)) {
        unfelt('no function had the wrong time');
      }
    },
  },
];
