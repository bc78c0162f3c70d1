import { managementSettings, type Settings } from 'warren/functions';
import { stringify } from 'yaml';
import { passwordVariable } from '../../../runtime/cli/broker-users.ts';
import { recipientVariables } from '../../../shared/alerts/routes.ts';
import { type Declared, isRequired } from '../settings.ts';
import { functionsOf, type GroupsService, hostOf, queuesOf } from './service.ts';

type Need = 'required' | 'optional';

/** Functions that run in the same pods, with everything that the chart has to know about them. */
export interface Group {
  command: 'serve' | 'schedule' | 'worker' | 'prepare' | 'board';
  functions?: string[];
  queues?: string[];
  /** Seconds for calls in flight after SIGTERM, and until the pod is ended. */
  drain?: number;
  grace: number;
  /** Login at the broker if it has another name than the group, and the key of its password. */
  user?: string;
  password?: string;
  /** Parts that its functions connect to. */
  reaches: string[];
  settings: Record<string, Need>;
  secrets: Record<string, Need>;
  /** Logins of administrators. */
  administrators?: Record<string, Need>;
}

export interface GroupsOptions {
  service: GroupsService;
  /** The handlers, by the names of their functions. */
  handlers: Readonly<Record<string, Declared>>;
  /** Settings that every function reads. */
  common: readonly Settings[];
  /** Settings of the storage, which `prepare` reads too. */
  storage: Settings;
  /** Settings of the board's sign-in. */
  board: Settings;
}

/** Variables that a host sets, that no deployment may set, or that outlive no pod. */
const never = ['AMQP_URL', 'AWS_LAMBDA_FUNCTION_NAME', 'WARREN_DEV_SIGN_IN', 'AWS_SESSION_TOKEN'];

/** Secrets in containers beside those of `custom.deploy.secrets`: on AWS, functions have a role, and routes by mail are no secret. */
const containerSecrets = [
  'ALERT_ROUTES',
  ...recipientVariables,
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
];

/** The part that each variable is the address of. */
const partOf: Readonly<Record<string, string>> = {
  AMQP_URL: 'broker',
  AMQP_MANAGEMENT_URL: 'management',
  DATABASE_URL: 'database',
  S3_BUCKET: 'storage',
  SMTP_URL: 'mail',
  ALERT_ROUTES: 'webhooks',
  TEXTS_WEBHOOK_URL: 'webhooks',
  AUTH_ISSUER: 'issuer',
  BOARD_ISSUER: 'issuer',
};

/** Seconds that a call may take in addition to its limit, and from the end of the drain to the end of the pod. */
const [lateness, patience] = [5, 10];

/** The groups of functions that run in the same pods: one for each user of the broker that functions have, `prepare`, and the board. */
export function groupsOfChart(options: GroupsOptions): Record<string, Group> {
  const { service, handlers, common, storage, board } = options;
  const { users } = service.custom.warren;
  const secrets = [...Object.keys(service.custom.deploy.secrets), ...containerSecrets];
  const sort = (groups: Iterable<Settings>) => {
    const all = [...new Set(groups)].flatMap((group) => Object.entries(group().shape));
    const needs = all.map(([name, field]) => [name, isRequired(field) ? 'required' : 'optional'] as const);
    const chosen = needs.filter(([name]) => !never.includes(name)).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const read = new Set(all.map(([name]) => name));
    return {
      reaches: [
        ...new Set(Object.keys(partOf).flatMap((name) => (read.has(name) ? [partOf[name] ?? ''] : []))),
      ],
      settings: Object.fromEntries(chosen.filter(([name]) => !secrets.includes(name))),
      secrets: Object.fromEntries(chosen.filter(([name]) => secrets.includes(name))),
    };
  };
  const groups = Object.entries(users).flatMap(([user, { functions: fed }]): [string, Group][] => {
    const host = fed ? undefined : hostOf(user);
    const functions = functionsOf(service, user);
    if (functions === undefined) return [];
    const command = host ?? 'worker';
    const read = functions.flatMap((name) => Object.values(handlers[name]?.resources ?? {}));
    const timeouts = functions.map((name) => service.functions[name]?.timeout ?? service.provider.timeout);
    const drain = Math.max(...timeouts) + lateness;
    const queues = functions.flatMap((name) => queuesOf(service, name));
    return [
      [
        user,
        {
          command,
          ...(fed && { functions: fed, queues }),
          drain,
          // A pod that serves waits for its load balancers first.
          grace: drain + (command === 'serve' ? 2 : 1) * patience,
          password: passwordVariable(user),
          ...sort([...common, ...read.flatMap(({ settings }) => settings)]),
        },
      ],
    ];
  });
  const prepare: Group = {
    command: 'prepare',
    grace: 30,
    ...sort([...common, storage]),
    administrators: {
      AMQP_MANAGEMENT_URL: 'required',
      AMQP_URL: 'required',
      DATABASE_URL: 'required',
      FUNCTIONS_DATABASE_URL: 'optional',
    },
    reaches: ['broker', 'management', 'database', 'storage'],
  };
  const operator = Object.keys(users).find((user) => users[user]?.replays);
  if (operator !== undefined) {
    const definition = boardGroup(operator, sort([...common, board, managementSettings]));
    groups.push(['board', definition]);
  }
  return Object.fromEntries([...groups, ['prepare', prepare]]);
}

/** The board, with the login that may read and replay dead letters, and nothing else. */
const boardGroup = (user: string, read: Pick<Group, 'settings' | 'secrets' | 'reaches'>): Group => ({
  command: 'board',
  grace: 60,
  user,
  password: passwordVariable(user),
  ...read,
  reaches: ['broker', ...read.reaches],
});

/** The file of the groups that the chart's templates read. */
export const groupsFile = (groups: Record<string, Group>): string =>
  [
    '# Generated by `npm run docs` from serverless.yml and the settings of its functions.',
    stringify(groups, { lineWidth: 0 }),
  ].join('\n');
