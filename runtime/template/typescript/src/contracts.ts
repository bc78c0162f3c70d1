/** The messages that other programs may use, each for its publishers, its functions and asyncapi.json. */
import { defineMessage } from 'warren/functions';
import * as z from 'zod';

export const parcelOrdered = defineMessage({
  name: 'parcel-ordered',
  summary: 'Orders a parcel.',
  exchange: 'orders',
  key: 'order.new',
  schema: z.object({ order_id: z.number(), city: z.string() }),
  examples: [{ order_id: 1, city: 'Paris' }],
});
