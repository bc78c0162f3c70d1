import type { ConfirmChannel } from 'amqplib';
import type { Chance } from '../faults/seed.ts';
import { exchange } from './project.ts';

/** A message of the course. */
export interface Order {
  customer: string;
  /** Its place among those of its customer. */
  n: number;
  /** Milliseconds of its work. */
  ms: number;
  /** Deliveries that fail; all if it is -1. */
  failures: number;
}

/**
 * Messages of customers in the order of the seed.
 *
 * @param faulty one message of so many fails at first, and one of ten times as many for good; 0 for none.
 */
export function makeOrders(chance: Chance, messages: number, customers: number, faulty: number): Order[] {
  const counts = new Map<string, number>();
  return Array.from({ length: messages }, () => {
    const customer = `customer ${chance.between(1, customers)}`;
    const n = counts.get(customer) ?? 0;
    counts.set(customer, n + 1);
    const fails = faulty > 0 && chance.between(1, faulty) === 1;
    const failures = !fails ? 0 : chance.between(1, 10) === 1 ? -1 : 1;
    return { customer, n, ms: chance.between(0, 4), failures };
  });
}

/** Publishes messages, as any client would, and waits until the broker has them. */
export async function publishOrders(channel: ConfirmChannel, orders: readonly Order[]): Promise<void> {
  for (const [index, order] of orders.entries()) {
    channel.publish(exchange, 'order.placed', Buffer.from(JSON.stringify(order)), {
      persistent: true,
      mandatory: true,
      contentType: 'application/json',
      messageId: `${order.customer} ${order.n}`,
      headers: { customer: order.customer },
    });
    if (index % 500 === 499) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}
