import type { z } from 'zod';
import { WarrenError } from '../base/errors.ts';
import { problemsOf } from '../base/schema-problems.ts';
import { parseReference } from './references.ts';
// Imported at once and not on demand: a bundle would then load everything that it shares with us on demand too, even zod.
import { readSecrets } from './secrets.ts';

/**
 * A group of environment variables: a function that returns a Zod object with a key for each variable. It is a function
 * because making a schema takes time, and a cold start pays only for the groups that it reads.
 */
export type Settings = () => z.ZodObject;

/** The checked values of a group of settings. */
export type SettingsValues<Group extends Settings> = z.output<ReturnType<Group>>;

type Groups = Readonly<Record<string, Settings>>;
type Environment = Readonly<Record<string, string | undefined>>;

/** The checked values of several groups, by the names that the caller gave them. */
export type AllValues<Named extends Groups> = { [Name in keyof Named]: SettingsValues<Named[Name]> };

/** The names of the variables in a group of settings. */
export function variablesOf(group: Settings): string[] {
  return Object.keys(group().shape);
}

/**
 * Reads the environment once and checks it as a whole.
 *
 * @param groups the groups of settings that the caller needs, by any name.
 * @param env the environment, default that of the process; an empty variable counts as unset.
 * @returns the values of each group, under the same names.
 * @throws WarrenError ERR_CONFIG that lists every problem at once and contains no value, because a value may be a secret.
 */
export function readSettings<const Named extends Groups>(
  groups: Named,
  env: Environment = process.env,
): AllValues<Named> {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, group] of Object.entries(groups)) {
    const result = group().safeParse(present);
    if (result.success) values[name] = result.data;
    else problems.push(...problemsOf(result.error, 'the environment', present));
  }
  if (problems.length === 0) return values as AllValues<Named>;
  throw new WarrenError('ERR_CONFIG', `the environment is incomplete:\n  ${problems.join('\n  ')}`);
}

/**
 * Reads the environment as `readSettings` does, after it has replaced references to secrets: a variable may name a secret
 * instead of containing it (`ssm:/warren/prod/amqp-url`).
 *
 * @throws WarrenError ERR_CONFIG as `readSettings`, and if a secret does not exist; UnavailableError if AWS does not answer.
 */
export async function loadSettings<const Named extends Groups>(
  groups: Named,
  env: Environment = process.env,
): Promise<AllValues<Named>> {
  const references = Object.values(groups)
    .flatMap(variablesOf)
    .flatMap((variable) => {
      const text = env[variable];
      return text !== undefined && parseReference(text) ? [[variable, text] as const] : [];
    });
  if (references.length === 0) return readSettings(groups, env);
  return readSettings(groups, { ...env, ...(await readSecrets(Object.fromEntries(references), { env })) });
}
