/**
 * Triggered by the queue `reminders`: calls a webhook for each message under a lease, which ends soon so that the course does not wait
 * for the lease of a killed process.
 */
import { Effects, pgDatabase } from 'warren/effects';
import { lambda, onMessages, publisher, resource, UnavailableError } from 'warren/functions';
import { z } from 'zod';
import { pool } from './pool.ts';

const settings = () => z.object({ HOOK_URL: z.string() });
const hook = resource(settings, ({ HOOK_URL }) => HOOK_URL);
const schema = z.object({ city: z.string() });
const lease = { timeoutMs: 2000, leaseMs: 4000 };

export const handler = lambda({ pool, publisher, hook }, ({ pool, publisher, hook }) => {
  const effects = new Effects({ database: pgDatabase(pool) });
  const call = (city: string) => async (signal: AbortSignal) => {
    const body = JSON.stringify({ city, pid: process.pid, at: Date.now() });
    const { ok } = await fetch(hook, { method: 'POST', body, signal });
    if (!ok) throw new UnavailableError('hook', 'it refused the reminder');
  };
  return onMessages({ schema, publisher }, ({ messageId, body: { city } }) =>
    effects.leased(`remind ${messageId}`, call(city), lease),
  );
});
