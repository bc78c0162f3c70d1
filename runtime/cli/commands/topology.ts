import type { Command } from 'commander';
import { diffTopology } from '../../topology/diff.ts';
import { placeTopology } from '../../topology/place.ts';
import type { AppliedPolicies } from '../../topology/retry-policies.ts';
import type { AppliedUser } from '../../topology/users.ts';
import { makeUsers, managedBroker } from '../broker-users.ts';
import { environment, print } from '../context.ts';
import { reporter, warn } from '../dead-letters/reports.ts';
import { addServiceOptions, type ServiceOptions, selectedTopology } from '../service.ts';
import { table } from '../table.ts';
import { describeCounts, readCounts } from '../topology/counts.ts';
import { describe, describeDifferences } from '../topology/describe.ts';
import { brokerUrl, vhostOption } from '../vhosts.ts';

type ShowOptions = ServiceOptions & { diff: boolean; counts: boolean; metrics?: string[]; vhost?: string };
type ApplyOptions = ServiceOptions & { users: boolean; vhost?: string };

export function register(program: Command): void {
  const topology = program
    .command('topology')
    .description('the exchanges, queues and bindings of serverless.yml');

  addServiceOptions(topology.command('show'))
    .description('print what `apply` would declare')
    .option('-d, --diff', 'print only differences from the broker, read at AMQP_MANAGEMENT_URL', false)
    .option('--counts', 'print what waits in its queues, partitions, limits and delays', false)
    .option('--metrics <url...>', "workers' metrics, for the keys of partitions in --counts; default none")
    .addOption(vhostOption())
    .addHelpText(
      'after',
      `
With AMQP_MANAGEMENT_URL, --counts has messages in flight too.

Examples:
  warren topology show
  warren topology show --diff
  warren topology show --counts --metrics http://worker:9464/metrics`,
    )
    .action(async ({ diff, counts, metrics, vhost, ...options }: ShowOptions, command: Command) => {
      const { topology: declared } = await selectedTopology(options);
      if (counts) {
        const managementUrl = environment()['AMQP_MANAGEMENT_URL'];
        const found = await readCounts({ topology: declared, url: brokerUrl(vhost), managementUrl, metrics });
        return print(command, found, () => describeCounts(found));
      }
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
      const { retryPolicies: policies, limitPolicies, exchangePolicies } = placed;
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
        ...(exchangePolicies.length > 0 && { exchangePolicies }),
        ...(hasPolicies && { retryPolicies: policies }),
        ...(wanted && { users }),
      };
      print(command, result, () =>
        [
          `applied ${counts.exchanges} exchanges, ${counts.queues} queues and ${counts.bindings} bindings`,
          ...(limited.length > 0 ? [`changed policies of limits: ${limited.join(', ')}`] : []),
          ...(exchangePolicies.length > 0
            ? [`changed policies of exchanges: ${exchangePolicies.join(', ')}`]
            : []),
          ...(hasPolicies ? describePolicies(policies) : []),
          ...(wanted ? [describeUsers(users)] : []),
        ].join('\n'),
      );
    });
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
