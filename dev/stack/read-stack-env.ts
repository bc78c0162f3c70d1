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
  return readEnvFile(join(dataDir, 'stack.env')) ?? {};
}

/** The variables in a file; undefined if it is not there. */
export function readEnvFile(path: string): Environment | undefined {
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The environment of the process; the stack that runs in this folder fills in what is not set. */
export function stackEnvironment(): Environment {
  const set = Object.entries(process.env).filter(([, value]) => value !== '');
  return { ...readStackEnv(dataDir()), ...Object.fromEntries(set) };
}
