import { z } from 'zod';
import { codes, table } from './markdown.ts';

const schedule = z.union([z.string(), z.object({ rate: z.string(), enabled: z.boolean().optional() })]);
const event = z.union([
  z.object({ httpApi: z.string() }),
  z.object({ rabbitmq: z.object({ queue: z.string() }) }),
  z.object({ schedule }),
]);
const variables = z.record(z.string(), z.unknown());
const service = z.object({
  custom: z.object({ environment: z.record(z.string(), variables) }),
  functions: z.record(
    z.string(),
    z.object({
      handler: z.string(),
      events: z.array(event),
      environment: variables.default({}),
    }),
  ),
});

/** The functions of a serverless.yml and its groups of settings, as far as the pages list them. */
export type Service = z.output<typeof service>;

/**
 * Reads the functions of a parsed serverless.yml.
 *
 * @throws ZodError if an event is of an unknown kind.
 */
export const readService = (yml: unknown): Service => service.parse(yml);

/** Path of the file that exports a handler: `functions/alerts/raise.ts` for `functions/alerts/raise.handler`. */
export const fileOf = (handler: string): string => handler.replace(/\.\w+$/, '.ts');

/** The group of `custom.environment` that each variable belongs to. */
export function groupsOf({ custom }: Service): Map<string, string> {
  return new Map(
    Object.entries(custom.environment).flatMap(([group, names]) =>
      Object.keys(names).map((variable) => [variable, group] as const),
    ),
  );
}

/**
 * The table of a service's functions.
 *
 * @param sourceOf returns the source of a handler's file.
 */
export function functionsTable(service: Service, sourceOf: (file: string) => string): string {
  const groups = groupsOf(service);
  const rows = Object.entries(service.functions).map(([name, { handler, events, environment }]) => {
    const file = fileOf(handler);
    const link = `[${file.replace(/^functions\//, '')}](../${file})`;
    const settings = new Set(Object.keys(environment).map((each) => groups.get(each) ?? codes([each])));
    const effect = effectOf(sourceOf(file), file);
    return [codes([name]), triggersOf(events), link, effect, [...settings].join(', ')];
  });
  return table(['function', 'triggered by', 'file', 'effect', 'settings'], rows);
}

function triggersOf(events: readonly z.output<typeof event>[]): string {
  const routes = events.flatMap((each) => ('httpApi' in each ? [each.httpApi] : []));
  const queues = events.flatMap((each) => ('rabbitmq' in each ? [each.rabbitmq.queue] : []));
  const schedules = events.flatMap((each) => ('schedule' in each ? [scheduleOf(each.schedule)] : []));
  const fed = queues.length === 0 ? [] : [`${queues.length === 1 ? 'queue' : 'queues'} ${codes(queues)}`];
  return [...routes.map((route) => codes([route])), ...fed, ...schedules].join(', ');
}

function scheduleOf(given: z.output<typeof schedule>): string {
  const { rate, enabled = true } = typeof given === 'string' ? { rate: given } : given;
  return `schedule ${codes([rate])}${enabled ? '' : ', disabled'}`;
}

/**
 * The effect of a function: the first sentence of its header comment, without the trigger that begins it.
 *
 * @throws Error if the file does not begin with such a comment.
 */
export function effectOf(source: string, file: string): string {
  const [, comment] = /^\/\*\*([\s\S]*?)\*\//.exec(source) ?? [];
  const text = (comment ?? '')
    .replaceAll(/^ *\* ?/gm, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  const [first = '', second = ''] = text.split(/(?<=[.!?]) (?=[A-Z`])/);
  if (!first.startsWith('Triggered by ')) {
    throw new Error(`${file}: expected a header comment that begins with "Triggered by", got "${first}"`);
  }
  const [, effect = second] = /^.*?[^:]: (.*)$/.exec(first) ?? [];
  if (effect === '') throw new Error(`${file}: expected the effect after the trigger in the header comment`);
  return effect.replace(/\.$/, '');
}
