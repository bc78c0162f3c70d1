import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { Command } from 'commander';
import { WarrenError } from '../base/errors.ts';
import { parseJson, stringifyJson } from '../base/json.ts';
import { escapeControls } from '../base/visible.ts';
import { withSecretFiles } from '../settings/secret-files.ts';

/** Returns the environment of the process without its empty variables. */
export function environment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''));
}

/**
 * Returns the folder for files that only save time: WARREN_CACHE, or else `warren` in the cache folder of the user (XDG Base
 * Directory Specification).
 *
 * @returns undefined if the user has no home folder, as in some containers.
 */
export function cacheFolder(): string | undefined {
  const { WARREN_CACHE, XDG_CACHE_HOME } = environment();
  if (WARREN_CACHE !== undefined) return WARREN_CACHE;
  if (XDG_CACHE_HOME !== undefined && isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, 'warren');
  try {
    return join(homedir(), '.cache', 'warren');
  } catch {
    return undefined;
  }
}

/** A command needs a variable of the environment that is not set. */
export class MissingVariableError extends WarrenError {
  override name = 'MissingVariableError';

  constructor(variable: string) {
    super('ERR_CONFIG', `${variable}: expected a value, got none`);
  }
}

/**
 * Returns one variable of the environment, or the content of the file that `<name>_FILE` names.
 *
 * @throws MissingVariableError ERR_CONFIG if it is not set; WarrenError ERR_CONFIG if the file cannot be read.
 */
export function required(name: string): string {
  const problems: string[] = [];
  const value = withSecretFiles(process.env, [name], problems)[name];
  if (problems.length > 0) throw new WarrenError('ERR_CONFIG', problems.join('\n'));
  if (value !== undefined) return value;
  throw new MissingVariableError(name);
}

/**
 * Prints a result: as JSON with `--json`, else as text for people. Control characters are escaped, because parts of a result
 * come from untrusted senders.
 */
export function print(command: Command, result: unknown, asText: () => string): void {
  const { json } = command.optsWithGlobals<{ json?: boolean }>();
  console.log(escapeControls(json ? stringifyJson(result, 2) : asText()));
}

/**
 * Parses JSON, whose numbers keep their digits; returns text that is not JSON unchanged, so that `-m hello` needs no quotes
 * inside quotes.
 */
export function jsonOrText(text: string): unknown {
  try {
    return parseJson(text, { exact: true });
  } catch {
    return text;
  }
}
