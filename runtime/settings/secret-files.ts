import { readFileSync } from 'node:fs';

type Environment = Readonly<Record<string, string | undefined>>;

/** Ends the name of a variable that contains the path of a file with the value: `AMQP_URL_FILE`. */
const suffix = '_FILE';

/** Whether the environment names a file with the value of a variable. */
export function hasFile(env: Environment, variable: string): boolean {
  return Boolean(env[variable + suffix]);
}

/**
 * Reads the files that the environment names instead of values, as Kubernetes and Docker mount secrets. A final line break is
 * not part of the value.
 *
 * @param variables the variables that may have a file.
 * @param problems gets a text for each file that cannot be read, and for each variable that has both a value and a file.
 * @returns the environment without empty variables, and with the values of the files.
 */
export function withSecretFiles(
  env: Environment,
  variables: readonly string[],
  problems: string[],
): Record<string, string> {
  const present: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) if (value) present[name] = value;
  for (const variable of new Set(variables)) {
    const name = variable + suffix;
    const path = present[name];
    if (path === undefined) continue;
    if (present[variable] !== undefined) {
      problems.push(`${variable}: expected a value or ${name}, got both`);
      continue;
    }
    try {
      // An empty file counts as unset, as an empty variable does.
      const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
      if (value !== '') present[variable] = value;
    } catch (error) {
      problems.push(
        `${name}: expected a file that can be read, got ${(error as NodeJS.ErrnoException).code}`,
      );
    }
  }
  return present;
}
