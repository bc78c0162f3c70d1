/** The event of a pool of the package `pg` about an idle connection. */
export interface PoolEvents {
  listenerCount?(event: 'error'): number;
  on?(event: 'error', listener: () => void): unknown;
}

/** The events of such a pool about all of its connections. */
export interface ConnectionEvents extends PoolEvents {
  on?(event: 'error', listener: () => void): unknown;
  on?(event: 'connect', listener: (client?: Pick<PoolEvents, 'on'>) => void): unknown;
}

export const ignore = () => undefined;

/** The end of an idle connection is an event of its pool, which ends the process if nothing listens. */
export function surviveIdleEnd(pool: PoolEvents): void {
  if (pool.listenerCount?.('error') === 0) pool.on?.('error', ignore);
}

/** Pools whose connections are listened to. */
const heard = new WeakSet<object>();

/** The end of a connection in use is an event of that connection, beside the error of its query. */
export function surviveEnd(pool: ConnectionEvents): void {
  surviveIdleEnd(pool);
  if (heard.has(pool)) return;
  heard.add(pool);
  pool.on?.('connect', (client) => client?.on?.('error', ignore));
}
