import type { Command } from 'commander';
import type { Topology } from '../../topology/compile.ts';
import { type Difference, diffTopology } from '../../topology/diff.ts';
import { homeExchange } from '../../topology/names.ts';
import { placeTopology } from '../../topology/place.ts';
import type { AppliedPolicies } from '../../topology/retry-policies.ts';
import type { AppliedUser } from '../../topology/users.ts';
import { makeUsers, managedBroker } from '../broker-users.ts';
import { environment, print } from '../context.ts';
import { reporter, warn } from '../dead-letters/reports.ts';
import { addServiceOptions, type ServiceOptions, selectedTopology } from '../service.ts';
import { table } from '../table.ts';
import { brokerUrl, vhostOption } from '../vhosts.ts';

type ShowOptions = ServiceOptions & { diff: boolean; vhost?: string };
type ApplyOptions = ServiceOptions & { users: boolean; vhost?: string };

export function register(program: Command): void {
  const topology = program
    .command('topology')
    .description('the exchanges, queues and bindings of serverless.yml');

  addServiceOptions(topology.command('show'))
    .description('print what `apply` would declare')
    .option('-d, --diff', 'print only differences from the broker, read at AMQP_MANAGEMENT_URL', false)
    .addOption(vhostOption())
    .action(async ({ diff, vhost, ...options }: ShowOptions, command: Command) => {
      const { topology: declared } = await selectedTopology(options);
      if (diff) {
        const differences = await diffTopology(declared, managedBroker(vhost));
        return print(command, { differences }, () => describeDifferences(differences));
      }
      print(command, declared, () => describe(declared));
    });

  addServiceOptions(topology.command('apply'))
    .description('declare it at the broker; only adds, and reports what exists with other properties')
    .option(
      '-u, --users',
      'also create custom.warren.users through the management API at AMQP_MANAGEMENT_URL',
      false,
    )
    .addOption(vhostOption())
    .addHelpText(
      'after',
      `
With --users, the password of a user comes from the variable AMQP_PASSWORD_<NAME> (AMQP_PASSWORD_ORDER_CLIENT for order-client).
Without the variable, an existing user keeps its password, and a new user gets a generated password, which is printed only once.
The login in AMQP_MANAGEMENT_URL must be an administrator.

The serverless CLI resolves the variables of serverless.yml if it is installed in the project. Without it, use the manifest
that \`warren manifest\` printed; a name that still contains a variable is refused.

Examples:
  AMQP_URL=amqps://user:password@broker.example.com warren topology apply
  AMQP_PASSWORD_ORDER_CLIENT=... warren topology apply --users
  warren topology apply --stage prod
  warren topology apply --vhost orders
  warren topology apply --manifest warren.json`,
    )
    .action(async ({ users: wanted, vhost, ...options }: ApplyOptions, command: Command) => {
      const { service, topology: declared } = await selectedTopology(options);
      const url = brokerUrl(vhost);
      const managementUrl = environment()['AMQP_MANAGEMENT_URL'];
      const placed = await placeTopology(declared, { url, managementUrl, progress: reporter() });
      if (placed.added > 0) console.error(`added ${placed.added} older dead letters to their index`);
      for (const problem of placed.problems) warn(problem);
      const { retryPolicies: policies, limitPolicies } = placed;
      const users = wanted ? await makeUsers(service, vhost) : [];
      const { exchanges, queues, bindings, delays } = declared;
      const counts = {
        exchanges: exchanges.length + (delays?.exchanges.length ?? 0),
        queues: queues.length + (delays?.queues.length ?? 0),
        bindings: bindings.length + (delays ? delays.bindings.length + delays.links.length : 0),
      };
      const hasPolicies = policies.skipped !== 'not-declared';
      const limited = limitPolicies?.changed ?? [];
      const result = {
        ...counts,
        ...(limited.length > 0 && { limitPolicies }),
        ...(hasPolicies && { retryPolicies: policies }),
        ...(wanted && { users }),
      };
      print(command, result, () =>
        [
          `applied ${counts.exchanges} exchanges, ${counts.queues} queues and ${counts.bindings} bindings`,
          ...(limited.length > 0 ? [`changed policies of limits: ${limited.join(', ')}`] : []),
          ...(hasPolicies ? describePolicies(policies) : []),
          ...(wanted ? [describeUsers(users)] : []),
        ].join('\n'),
      );
    });
}

const effects: Readonly<Record<Difference['kind'], string>> = {
  missing: 'apply declares it',
  different: 'apply stops: it cannot be changed',
  lowered: 'apply sets a policy: the queue keeps its argument',
  outdated: 'apply changes it',
  surplus: 'it stays',
};

function describeDifferences(differences: readonly Difference[]): string {
  if (differences.length === 0) return 'no differences';
  const shown = (value: unknown) => (value === undefined ? 'none' : JSON.stringify(value));
  return table(
    ['what', 'difference', 'declared', 'at the broker', 'effect'],
    differences.map(({ what, kind, property, declared, found }) =>
      property !== undefined
        ? [what, property, shown(declared), shown(found), effects[kind]]
        : [what, kind, '', '', effects[kind]],
    ),
  );
}

/** What was done; `problems` of the placement has what was not. */
function describePolicies({ skipped, changed, unchanged }: AppliedPolicies): string[] {
  if (skipped === 'old-broker') return ['retries use copies: the broker is older than RabbitMQ 4.3.1'];
  if (skipped !== undefined) return [];
  return [`set ${changed.length} policies for retries in the queue, ${unchanged} were in place`];
}

function describeUsers(users: readonly AppliedUser[]): string {
  return table(
    ['user', 'was', 'password'],
    users.map(({ name, was, password = '' }) => [name, was, password]),
  );
}

function describe({ exchanges, queues, bindings, delays, partitioned = [], limited = [] }: Topology): string {
  const own = queues.filter(({ retryOf, limitOf }) => (retryOf ?? limitOf) === undefined);
  return [
    table(
      ['exchange', 'type'],
      exchanges.map(({ name, type }) => [name, type]),
    ),
    table(
      ['queue', 'type', 'bound to', 'retry queues'],
      own.map(({ name, arguments: args }) => {
        const retries = queues.filter(({ retryOf }) => retryOf === name);
        const divided = partitioned.find(({ queue }) => queue === name);
        const bound =
          divided?.sources ??
          bindings.filter(({ queue, exchange }) => queue === name && exchange !== homeExchange);
        const sources = bound.map(({ exchange, routingKey, arguments: headers }) =>
          `${exchange} ${headers ? JSON.stringify(headers) : routingKey}`.trim(),
        );
        const retried = retries.map((each) => each.name).join('\n');
        return [name, String(args['x-queue-type']), sources.join('\n'), retried];
      }),
    ),
    ...(partitioned.length > 0
      ? [
          table(
            ['queue', 'key', 'kept', 'partitions'],
            partitioned.map(({ queue, orderBy, partitions, parked }) => [
              ...[queue, orderBy, parked ? 'limits' : 'order'],
              partitions.join('\n'),
            ]),
          ),
        ]
      : []),
    ...(limited.length > 0
      ? [
          table(
            ['queue', 'messages', 'in', 'tokens'],
            limited.map(({ queue, count, periodMs, tokens }) => [
              queue,
              `${count}`,
              `${periodMs / 1000} s`,
              tokens,
            ]),
          ),
        ]
      : []),
    ...(delays
      ? [`delayed messages wait in ${delays.queues.length} queues: warren scheduled counts them`]
      : []),
  ].join('\n');
}
