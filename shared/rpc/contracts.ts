import { defineCall, JsonNumber } from 'warren/functions';
import * as z from 'zod';

export const ping = defineCall({
  method: 'ping',
  summary: 'Returns the time in the request as text.',
  request: z.object({
    client_name: z.string().optional(),
    time: z.union([z.number(), z.instanceof(JsonNumber).meta({ type: 'number' }), z.string()], {
      error: 'expected a number or text',
    }),
  }),
  decode: 'exact-json',
  reply: z.string(),
  replyContentType: 'text/plain',
  examples: [{ client_name: 'RPC Client 1.0', time: 1288111236.43 }],
});
