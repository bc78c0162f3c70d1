/**
 * Triggered by the queue of the course: works for some milliseconds, fails if its message requests it, and notes in a file when it
 * begins and ends. Lines of all workers are in the order in which they were written.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { lambda, onMessages, publisher, resource } from 'warren/functions';
import { z } from 'zod';

const settings = () => z.object({ NOTES_FILE: z.string() });
const notes = resource(settings, ({ NOTES_FILE }) => NOTES_FILE);
/** A function process is a child of its worker. */
const { pid, ppid } = process;
const worker = process.title.startsWith('warren function') ? ppid : pid;

const schema = z.object({
  n: z.int(),
  ms: z.number(),
  /** Deliveries that fail. */
  failures: z.int(),
});

export const handler = lambda({ publisher, notes }, ({ publisher, notes }) => {
  return onMessages({ schema, publisher, concurrency: 100 }, async ({ body, attempt }) => {
    const { n, ms, failures } = body;
    const note = (step: string) =>
      appendFileSync(notes, `${JSON.stringify({ step, n, attempt, worker, at: Date.now() })}\n`);
    note('begun');
    await pause(ms);
    if (attempt <= failures) {
      note('failed');
      throw new Error('it fails on request');
    }
    note('done');
  });
});
