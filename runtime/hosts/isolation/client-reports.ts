import { type ClientEvent, onClientEvent, reportClient } from '../../amqp/client-events.ts';

/** Milliseconds between two reports: a message for each publish would cost more than the publish. */
const reportMs = 1000;

/** Reports what the clients of the broker in this process do, for the metrics of the worker. */
export function reportClients(send: (events: ClientEvent[]) => void): void {
  let events: ClientEvent[] = [];
  onClientEvent((event) => {
    if (events.length === 0) setTimeout(flush, reportMs).unref();
    events.push(event);
  });
  const flush = () => {
    send(events);
    events = [];
  };
}

/** Repeats in this process what the clients of another one did, and undoes it when that has ended. */
export class RepeatedClients {
  #blocked = 0;

  repeat(events: readonly ClientEvent[]): void {
    for (const event of events) {
      if (event.kind === 'blocked') this.#blocked += event.change;
      reportClient(event);
    }
  }

  /** The process has ended, and its connections with it. */
  ended(): void {
    for (; this.#blocked > 0; this.#blocked -= 1) reportClient({ kind: 'blocked', change: -1 });
  }
}
