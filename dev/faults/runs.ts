import { createReadStream, existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The runs of one call or message. Times are milliseconds since 1970. */
export interface Runs {
  begun: number[];
  done: number[];
  /** The greatest deviation of the wall clock in milliseconds. */
  skew: number;
}

/** The file that the functions of the harness add a line to at each run. */
export const runsFile = (folder: string): string => join(folder, 'runs.log');

/** Reads the runs of all calls and messages, by id. */
export async function readRuns(folder: string): Promise<Map<string, Runs>> {
  const runs = new Map<string, Runs>();
  const file = runsFile(folder);
  if (!existsSync(file)) return runs;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const [id = '', what, at, wall] = line.split(' ');
    const known = runs.get(id) ?? { begun: [], done: [], skew: 0 };
    known[what === 'done' ? 'done' : 'begun'].push(Number(at));
    known.skew = Math.max(known.skew, Math.abs(Number(wall) - Number(at)));
    runs.set(id, known);
  }
  return runs;
}

/** Opens a gate of the harness's functions, for good. */
export const openGate = (folder: string, gate: string): Promise<void> => writeFile(join(folder, gate), '');
