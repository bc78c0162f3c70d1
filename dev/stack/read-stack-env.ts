import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';

type Environment = Record<string, string | undefined>;

/** The folder in which the development stack keeps its data and its addresses. */
export const dataDir = (): string => process.env['WARREN_DATA'] ?? '.data';

/**
 * The addresses and keys of the development stack that runs on this machine.
 *
 * @param dataDir its data folder.
 * @returns an empty object if none is up.
 */
export function readStackEnv(dataDir: string): Environment {
  try {
    return parseEnv(readFileSync(join(dataDir, 'stack.env'), 'utf8'));
  } catch {
    return {};
  }
}

/** The environment of the process; the stack that runs in this folder fills in what is not set. */
export function stackEnvironment(): Environment {
  const set = Object.entries(process.env).filter(([, value]) => value !== '');
  return { ...readStackEnv(dataDir()), ...Object.fromEntries(set) };
}
