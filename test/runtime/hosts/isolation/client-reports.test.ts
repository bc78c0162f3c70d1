import { expect, it } from 'vitest';
import { type ClientEvent, onClientEvent } from '../../../../runtime/amqp/client-events.ts';
import { RepeatedClients } from '../../../../runtime/hosts/isolation/client-reports.ts';

it('the connections that an ended process left blocked count no longer', () => {
  const seen: ClientEvent[] = [];
  const stop = onClientEvent((event) => seen.push(event));
  const clients = new RepeatedClients();
  const published = { kind: 'published', outcome: 'confirmed', ms: 3, to: 'alerts' } as const;
  clients.repeat([{ kind: 'blocked', change: 1 }, published, { kind: 'blocked', change: 1 }]);
  clients.repeat([{ kind: 'blocked', change: -1 }]);
  clients.ended();
  stop();
  expect(seen).toContainEqual(published);
  const changes = seen.map((event) => (event.kind === 'blocked' ? event.change : 0));
  expect(changes.reduce<number>((sum, change) => sum + change, 0)).toBe(0);
});
