import { appendFileSync, existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { resource } from 'warren/functions';
import { z } from 'zod';

const runSettings = () =>
  z.object({ FAULTS_RUNS: z.string().describe('file that gets a line for each run of a harness function') });

/** Records a run, even if every other part is unavailable and if this process is killed right afterwards. */
export type RecordRun = (id: string, what: 'begun' | 'done') => void;

export const runs = resource(
  runSettings,
  ({ FAULTS_RUNS: file }): RecordRun =>
    (id, what) =>
      // The first time is of a clock that does not jump.
      appendFileSync(
        file,
        `${id} ${what} ${Math.round(performance.timeOrigin + performance.now())} ${Date.now()}\n`,
      ),
);

/** Returns whether the harness has opened a gate. Some messages fail or wait until then. */
export const gates = resource(
  runSettings,
  ({ FAULTS_RUNS: file }) =>
    (gate: string): boolean =>
      existsSync(join(dirname(file), gate)),
);
