import { appendFileSync } from 'node:fs';
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
      appendFileSync(file, `${id} ${what} ${Date.now()}\n`),
);
