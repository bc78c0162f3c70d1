import type { Command } from 'commander';
import { readStackEnv } from '../../dev/stack/read-stack-env.ts';
import { WarrenError } from '../base/errors.ts';

/** Where the development stack keeps its data and says how to reach it. */
export const dataDir = (): string => process.env['WARREN_DATA'] ?? '.data';

/**
 * The environment, with what it leaves open filled in from the stack that runs in this folder.
 */
export function environment(): Record<string, string | undefined> {
  const set = Object.entries(process.env).filter(([, value]) => value !== '');
  return { ...readStackEnv(dataDir()), ...Object.fromEntries(set) };
}

/**
 * One variable of the environment.
 *
 * @throws WarrenError ERR_CONFIG that says how to come by it.
 */
export function required(name: string): string {
  const value = environment()[name];
  if (value) return value;
  throw new WarrenError(
    'ERR_CONFIG',
    `${name} is not set: start the stack with \`npm start\`, or set it yourself`,
  );
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
