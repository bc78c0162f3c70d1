import type { Command } from 'commander';
import { type DelayStates, readDelayStates } from '../../topology/delay-states.ts';
import { environment, print } from '../context.ts';
import { addServiceOptions, type ServiceOptions, selectedTopology } from '../service.ts';
import { spoken } from '../spoken.ts';
import { table } from '../table.ts';
import { brokerUrl, vhostOption } from '../vhosts.ts';

type Options = ServiceOptions & { vhost?: string };

export function register(program: Command): void {
  addServiceOptions(program.command('scheduled'))
    .description('count the delayed messages that wait at the broker')
    .addOption(vhostOption())
    .addHelpText(
      'after',
      `
A delay is the sum of levels of 0.25, 0.5, 1, 2, 4 ... seconds, and a message waits on the longest of its levels first. The broker
does not report when a single message is due. With AMQP_MANAGEMENT_URL, due messages that their destination does not take are
counted too.

Example:
  warren scheduled`,
    )
    .action(async ({ vhost, ...options }: Options, command: Command) => {
      const { topology } = await selectedTopology(options);
      const managementUrl = environment()['AMQP_MANAGEMENT_URL'];
      const states = await readDelayStates({ topology, url: brokerUrl(vhost), managementUrl });
      print(command, states, () => describe(states));
    });
}

function describe({ levels, destinations }: DelayStates): string {
  if (levels.length === 0) return 'no exchange and no queue has `delays: true`';
  const missing = levels.filter(({ messages }) => messages === null);
  if (missing.length > 0)
    return `${missing.length} queues for delayed messages are missing: run warren topology apply`;
  const used = levels.filter(({ messages }) => messages !== 0);
  const held = destinations.filter((each) => each.held !== null && each.held > 0);
  const sum = levels.reduce((all, { messages }) => all + (messages ?? 0), 0);
  return [
    `${sum} delayed messages wait`,
    ...(used.length === 0
      ? []
      : [
          table(
            ['level', 'waits', 'messages', 'all due within'],
            used.map(({ level, seconds, messages, dueWithin }) => [
              ...[String(level), spoken(seconds), String(messages), spoken(dueWithin)],
            ]),
          ),
        ]),
    ...held.map(
      ({ kind, name, held: count }) => `${count} are due, and ${kind} "${name}" does not take them`,
    ),
  ].join('\n');
}
