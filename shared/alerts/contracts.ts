import { defineMessage } from 'warren/functions';
import * as z from 'zod';

/** An alert. Its numbers keep their digits, and JSON may come under the types of clients that set none of their own. */
export const alertRaised = defineMessage({
  name: 'alert-raised',
  summary: 'Notifies the audience of its severity and of its type, and is logged.',
  description:
    'With a `message_id` it is mailed and logged once, without one at least once. With a header `dedup_key` it is counted with other alerts of that key: one mail immediately, then periodic summaries.',
  exchange: 'alerts',
  key: '{severity}.{type}',
  keyExamples: ['critical.rate_limit'],
  headers: {
    type: 'object',
    properties: { dedup_key: { type: 'string', minLength: 1, maxLength: 200 } },
  },
  schema: z.unknown(),
  decode: 'exact-json',
  jsonTypes: ['application/octet-stream', 'text/plain', 'application/x-json'],
  examples: ['too many requests'],
});
