import type { Command } from 'commander';
import { applyTopology, type Topology } from '../../shared/rabbitmq/topology.ts';
import { readTopology } from '../../shared/rabbitmq/topology-file.ts';
import { print, required } from '../context.ts';
import { table } from '../table.ts';

export function register(program: Command): void {
  const topology = program
    .command('topology')
    .description('the exchanges, queues and bindings of serverless.yml');

  topology
    .command('show')
    .description('print what `apply` would declare')
    .option('-c, --config <path>', 'the serverless.yml to read', 'serverless.yml')
    .action(async ({ config }: { config: string }, command: Command) => {
      const declared = await readTopology(config);
      print(command, declared, () => describe(declared));
    });

  topology
    .command('apply')
    .description('declare it at the broker; only ever adds, and names what is there with other properties')
    .option('-c, --config <path>', 'the serverless.yml to read', 'serverless.yml')
    .addHelpText(
      'after',
      '\nExample:\n  AMQP_URL=amqps://user:password@broker.example.com warren topology apply',
    )
    .action(async ({ config }: { config: string }, command: Command) => {
      const declared = await readTopology(config);
      await applyTopology(required('AMQP_URL'), declared);
      const { exchanges, queues, bindings } = declared;
      const counts = { exchanges: exchanges.length, queues: queues.length, bindings: bindings.length };
      print(command, counts, () => {
        return `applied ${counts.exchanges} exchanges, ${counts.queues} queues and ${counts.bindings} bindings`;
      });
    });
}

function describe({ exchanges, queues, bindings }: Topology): string {
  return [
    table(
      ['exchange', 'type'],
      exchanges.map(({ name, type }) => [name, type]),
    ),
    table(
      ['queue', 'type', 'bound to'],
      queues.map(({ name, arguments: args }) => {
        const bound = bindings.filter(({ queue }) => queue === name);
        const sources = bound.map(({ exchange, routingKey }) => `${exchange} ${routingKey}`.trim());
        return [name, String(args['x-queue-type']), sources.join('\n')];
      }),
    ),
  ].join('\n');
}
