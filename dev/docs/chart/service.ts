import { z } from 'zod';

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
export type GroupsService = z.output<typeof service>;

/** Reads a parsed serverless.yml; throws ZodError if it has no groups. */
export const readGroupsService = (yml: unknown): GroupsService => service.parse(yml);

/** A command that hosts functions which no queue feeds. */
export type Host = 'serve' | 'schedule';

/** The names of the functions that a command calls by their routes or schedules. */
export function hosted({ functions }: GroupsService, command: Host): string[] {
  const isHosted = (each: z.output<typeof event>) =>
    command === 'serve'
      ? each.httpApi !== undefined
      : each.schedule !== undefined && (typeof each.schedule === 'string' || each.schedule.enabled !== false);
  return Object.keys(functions).filter((name) => functions[name]?.events.some(isHosted));
}

/** The queues that feed a function. */
export const queuesOf = ({ functions }: GroupsService, name: string): string[] =>
  (functions[name]?.events ?? []).flatMap(({ rabbitmq }) => (rabbitmq ? [rabbitmq.queue] : []));
