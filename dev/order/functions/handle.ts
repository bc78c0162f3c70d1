/**
 * Triggered by the queues of the course: works for some milliseconds, fails if its message requests it, and notes in a file when it
 * begins and ends. Lines of all workers are in the order in which they were written.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { lambda, onMessages, publisher, resource } from 'warren/functions';
import { z } from 'zod';

const settings = () => z.object({ NOTES_FILE: z.string() });
const notes = resource(settings, ({ NOTES_FILE }) => NOTES_FILE);
const schema = z.object({
  customer: z.string(),
  n: z.int(),
  ms: z.number(),
  /** Deliveries that fail; all if it is -1. */
  failures: z.int(),
});

export const handler = lambda({ publisher, notes }, ({ publisher, notes }) => {
  return onMessages({ schema, publisher, concurrency: 100 }, async ({ body, attempt }) => {
    const { customer, n, ms, failures } = body;
    const note = (step: string) =>
      appendFileSync(notes, `${JSON.stringify({ step, customer, n, pid: process.pid, at: Date.now() })}\n`);
    note('begun');
    await pause(ms);
    if (failures === -1 || attempt <= failures) {
      note('failed');
      throw new Error('it fails on request');
    }
    note('done');
  });
});
