import { z } from 'zod';
import { partitionedQueues } from '../../../runtime/topology/partitions.ts';
import { readSection } from '../../../runtime/topology/schema.ts';

const schedule = z.union([z.string(), z.object({ enabled: z.boolean().optional() })]);
const event = z.object({
  httpApi: z.string().optional(),
  rabbitmq: z.object({ queue: z.string() }).optional(),
  schedule: schedule.optional(),
});
const service = z.object({
  provider: z.object({ timeout: z.number() }),
  custom: z.object({
    deploy: z.object({ secrets: z.record(z.string(), z.unknown()) }),
    warren: z.object({
      users: z.record(
        z.string(),
        z.object({ functions: z.array(z.string()).optional(), replays: z.boolean().optional() }),
      ),
    }),
  }),
  functions: z.record(z.string(), z.object({ timeout: z.number().optional(), events: z.array(event) })),
});

/** The parts of serverless.yml that make the groups of functions. */
export type GroupsService = z.output<typeof service> & { messageQueues: ReadonlyMap<string, string[]> };

/** Reads a parsed serverless.yml; throws ZodError if it has no groups. */
export function readGroupsService(yml: unknown): GroupsService {
  const { custom } = yml as { custom: { warren: unknown } };
  const divided = partitionedQueues(readSection(custom.warren));
  const messageQueues = new Map(
    divided.map(({ queue, partitions, parked = [] }) => [queue, [...partitions, ...parked]]),
  );
  return { ...service.parse(yml), messageQueues };
}

/** A command that hosts functions which no queue feeds. */
export type Host = 'serve' | 'schedule';

/** The command that hosts the functions of a user of the broker, if no queue feeds them. */
export const hostOf = (user: string): Host | undefined => hosts.get(user);

const hosts: ReadonlyMap<string, Host> = new Map([
  ['http', 'serve'],
  ['schedule', 'schedule'],
]);

/** The names of the functions that log in with a user of the broker; undefined for a user that no function has. */
export function functionsOf(service: GroupsService, user: string): string[] | undefined {
  const host = hostOf(user);
  return service.custom.warren.users[user]?.functions ?? (host && hosted(service, host));
}

/** The names of the functions that a command calls by their routes or schedules. */
function hosted({ functions }: GroupsService, command: Host): string[] {
  const isHosted = (each: z.output<typeof event>) =>
    command === 'serve'
      ? each.httpApi !== undefined
      : each.schedule !== undefined && (typeof each.schedule === 'string' || each.schedule.enabled !== false);
  return Object.keys(functions).filter((name) => functions[name]?.events.some(isHosted));
}

/** The queues with the messages for a function: the partitions, if the keys of a queue are divided among them. */
export const queuesOf = ({ functions, messageQueues }: GroupsService, name: string): string[] =>
  (functions[name]?.events ?? []).flatMap(({ rabbitmq }) =>
    rabbitmq ? (messageQueues.get(rabbitmq.queue) ?? [rabbitmq.queue]) : [],
  );
