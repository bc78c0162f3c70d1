import type { Command } from 'commander';
import { WarrenError } from '../base/errors.ts';

/** The environment of the process without its empty variables. */
export function environment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ''));
}

/**
 * One variable of the environment.
 *
 * @throws WarrenError ERR_CONFIG if it is not set.
 */
export function required(name: string): string {
  const value = environment()[name];
  if (value) return value;
  throw new WarrenError('ERR_CONFIG', `${name} is not set`);
}

/** Prints a result: as JSON with `--json`, else as text for people. */
export function print(command: Command, result: unknown, asText: () => string): void {
  const { json } = command.optsWithGlobals<{ json?: boolean }>();
  console.log(json ? JSON.stringify(result, null, 2) : asText());
}

/** JSON where the text is JSON, the text itself otherwise: `-m hello` needs no quotes inside quotes. */
export function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
