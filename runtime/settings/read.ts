import type { z } from 'zod';
import { WarrenError } from '../base/errors.ts';
import { problemsOf } from '../base/schema-problems.ts';
import { parseReference } from './references.ts';
import { withSecretFiles } from './secret-files.ts';
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
 * Reads the environment once and checks it as a whole. A variable's value may be in a file that `<variable>_FILE` names.
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
  const problems: string[] = [];
  const present = withSecretFiles(env, variablesIn(groups), problems);
  return checked(groups, present, problems);
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
  return new SettingsReader(groups, env).read();
}

/** Milliseconds between two reads of the secrets that AWS keeps. */
const secretsEveryMs = 60_000;

/**
 * Reads settings again and again, for a process that lives longer than a password: files each time, secrets that AWS keeps at
 * most once a minute after the first time.
 */
export class SettingsReader<const Named extends Groups> {
  readonly #groups: Named;
  readonly #env: Environment;
  readonly #now: () => number;
  #secrets: Readonly<Record<string, string>> | undefined;
  #nextSecrets = Number.NEGATIVE_INFINITY;
  #reading: Promise<AllValues<Named>> | undefined;

  /** @param now a clock in milliseconds that never goes back. */
  constructor(groups: Named, env: Environment = process.env, now = () => performance.now()) {
    this.#groups = groups;
    this.#env = env;
    this.#now = now;
  }

  /** Reads the settings; simultaneous calls share one reading. Throws as `loadSettings` does. */
  read(): Promise<AllValues<Named>> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<AllValues<Named>> {
    const problems: string[] = [];
    const variables = variablesIn(this.#groups);
    const present = withSecretFiles(this.#env, variables, problems);
    const references = variables.flatMap((variable) => {
      const text = present[variable];
      return text !== undefined && parseReference(text) ? [[variable, text] as const] : [];
    });
    if (references.length === 0) return checked(this.#groups, present, problems);
    const secrets = await this.#readSecrets(Object.fromEntries(references), present);
    return checked(this.#groups, { ...present, ...secrets }, problems);
  }

  async #readSecrets(references: Record<string, string>, env: Environment): Promise<Record<string, string>> {
    const now = this.#now();
    if (this.#secrets && now < this.#nextSecrets) return this.#secrets;
    // A secret that was rotated just after the first reading is read again at once.
    if (this.#secrets) this.#nextSecrets = now + secretsEveryMs;
    this.#secrets = await readSecrets(references, { env });
    return this.#secrets;
  }
}

const variablesIn = (groups: Groups): string[] => Object.values(groups).flatMap(variablesOf);

function checked<Named extends Groups>(
  groups: Named,
  present: Readonly<Record<string, string>>,
  problems: string[],
): AllValues<Named> {
  const values: Record<string, unknown> = {};
  for (const [name, group] of Object.entries(groups)) {
    const result = group().safeParse(present);
    if (result.success) values[name] = result.data;
    else problems.push(...problemsOf(result.error, 'the environment', present));
  }
  if (problems.length === 0) return values as AllValues<Named>;
  throw new WarrenError('ERR_CONFIG', `the environment is incomplete:\n  ${problems.join('\n  ')}`);
}
