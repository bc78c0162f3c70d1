import { channel } from 'node:diagnostics_channel';

/** What a client of the broker in this process did. */
export type ClientEvent =
  /** A connection opened, for the first time or again. */
  | { kind: 'connected'; name: string }
  /** The broker blocks publishers on one connection more (1) or fewer (-1). */
  | { kind: 'blocked'; change: 1 | -1 }
  /** A publish ended, after its retry if there was one; `to` is its exchange and routing key as `destinationName`. */
  | { kind: 'published'; outcome: PublishOutcome; ms: number; to: string };

/**
 * `confirmed`; `sent` on the channel of an acknowledgement, without a confirm; `returned` without a queue; `refused` by the broker;
 * `unconfirmed` in time.
 */
export type PublishOutcome = 'confirmed' | 'sent' | 'returned' | 'refused' | 'unconfirmed';

/** Node's own channels connect bundles: each function contains a copy of this module. */
const events = channel('warren:client');

/** Whether an event has a listener. */
export function areClientsObserved(): boolean {
  return events.hasSubscribers;
}

/** Reports an event. Without listeners it costs nothing. */
export function reportClient(event: ClientEvent): void {
  if (events.hasSubscribers) events.publish(event);
}

/**
 * Listens for events of all clients of the broker in this process.
 *
 * @returns a function that stops listening.
 */
export function onClientEvent(listen: (event: ClientEvent) => void): () => void {
  const listener = (event: unknown) => listen(event as ClientEvent);
  events.subscribe(listener);
  return () => events.unsubscribe(listener);
}
