/**
 * Triggered by the queue `record-call`: a method with an effect. Each run adds a line to the harness's file, so that a call that
 * ran twice is found.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type Log, lambda, log, onCalls, type PublisherLike, publisher } from 'warren/functions';
import { z } from 'zod';
import { type RecordRun, runs } from './runs.ts';

const call = z.object({ call_id: z.string(), deadly: z.boolean().default(false) });

/** Milliseconds between the effect and the answer, in which a fault may strike. */
const workMs = 100;

export function createHandler(deps: { publisher: PublisherLike; record: RecordRun; log?: Log }) {
  return onCalls({ schema: call, ...deps }, async ({ body }) => {
    deps.record(body.call_id, 'begun');
    if (body.deadly) process.kill(process.pid, 'SIGKILL');
    await pause(workMs);
    return { run: randomUUID() };
  });
}

export const handler = lambda({ publisher, record: runs, log }, createHandler);
