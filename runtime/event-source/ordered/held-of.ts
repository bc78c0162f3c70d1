import type { ConsumeMessage } from 'amqplib';
import { encodedSize } from '../encoded-size.ts';
import { refusalOf } from '../oversized.ts';
import type { QueueDelay } from '../queue-delay.ts';
import type { Held } from './key-lanes.ts';
import { keyReader } from './message-key.ts';
import type { OrderedMapping } from './ordered-options.ts';

/** Makes the function that describes a message that has arrived: its key, its size, and whether it has a call of its own. */
export function heldOf<Source>(mapping: OrderedMapping, { isSuspect }: Pick<QueueDelay, 'isSuspect'>) {
  const keyOf = keyReader(mapping.order.by);
  return (source: Source, delivery: ConsumeMessage, since: number): Held<Source> => {
    const bytes = encodedSize(delivery);
    // A message that fits no call must not share one.
    const alone = isSuspect(delivery) || refusalOf(mapping, delivery, bytes) !== undefined;
    return { delivery, source, key: keyOf(delivery), bytes, since, alone, running: false };
  };
}
