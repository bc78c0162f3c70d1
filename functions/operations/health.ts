/**
 * Triggered by `GET /health`: reports that functions run. It needs no token, and so opens no connection: strangers may call it as
 * often as they like. `GET /health/parts` reports whether broker, storage and database are reachable. Stores nothing.
 */
import { type Log, lambda, log } from 'warren/functions';
import { json, publicFunction } from 'warren/http';

export function createHandler({ log }: { log?: Log }) {
  return publicFunction({ log }, async () => json(200, { status: 'up' }));
}

export const handler = lambda({ log }, createHandler);
