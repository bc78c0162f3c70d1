import { defineMessage } from 'warren/functions';
import { orderAnswer, walkOrder, washOrder } from './orders.ts';

const exchange = 'chihuahua_scheduling';
const example = {
  order_id: '5f1d3c0e-6b0f-4c1c-9d57-2f1c7f0e8a11',
  user_id: 1,
  dog: 'Pepe',
  at: '2027-01-08T10:00:00Z',
};

export const walkOrdered = defineMessage({
  name: 'walk-ordered',
  summary: 'Orders a walk. The client chooses the id of the order, and repeats the order with that id.',
  exchange,
  key: 'walk',
  schema: walkOrder,
  reply: orderAnswer,
  messageId: ({ order_id }) => `walk-${order_id}`,
  examples: [{ ...example, minutes: 30 }],
});

export const washOrdered = defineMessage({
  name: 'wash-ordered',
  summary: 'Orders a wash and the walk that it includes.',
  exchange,
  key: 'wash',
  schema: washOrder,
  reply: orderAnswer,
  messageId: ({ order_id }) => `wash-${order_id}`,
  examples: [example],
});
