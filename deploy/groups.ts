import { mappingsVariable } from 'warren/hosts';
import { readSection } from 'warren/topology';
import type { Service } from './service.ts';

/** Stands for the name of a function's group in a reference to a secret: `ssm:/warren/prod/amqp-url-{group}`. */
export const groupMark = '{group}';

/** Fills the name of a function's group into the references of its variables. */
export function inGroup(service: Service, key: string): void {
  const { environment = {} } = service.functions[key] ?? {};
  for (const [variable, text] of Object.entries(environment)) {
    if (typeof text === 'string') environment[variable] = withGroup(service, key, { variable, text });
  }
}

/**
 * Fills the name of a function's group into a text.
 *
 * @throws Error that names the variable and the function, if it is in no group.
 */
export function withGroup(
  service: Service,
  key: string,
  { variable, text }: { variable: string; text: string },
): string {
  if (!text.includes(groupMark)) return text;
  const group = groupOf(service, key);
  if (group === undefined) {
    throw new Error(
      `${variable}: expected a user of custom.warren.users with the function ${key} for ${groupMark}, got none`,
    );
  }
  return text.replaceAll(groupMark, group);
}

/**
 * The user of the broker that a function logs in with, as in compose.yaml: of the queues that feed it, `http` for routes, `schedule`
 * for schedules, and `adapter` for the function that takes messages for all others.
 */
export function groupOf({ functions, custom }: Service, key: string): string | undefined {
  const { users = {} } = readSection(custom['warren']);
  const user = Object.keys(users).find((name) => users[name]?.functions?.includes(key));
  const { environment = {}, events = [] } = functions[key] ?? {};
  if (user !== undefined) return user;
  if (mappingsVariable in environment) return 'adapter';
  if (events.some((event) => 'httpApi' in event)) return 'http';
  return events.some((event) => 'schedule' in event) ? 'schedule' : undefined;
}
