import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';

/**
 * The addresses and keys of the development stack that runs on this machine.
 *
 * @param dataDir its data folder.
 * @returns nothing where none is up.
 */
export function readStackEnv(dataDir: string): Record<string, string | undefined> {
  try {
    return parseEnv(readFileSync(join(dataDir, 'stack.env'), 'utf8'));
  } catch {
    return {};
  }
}
