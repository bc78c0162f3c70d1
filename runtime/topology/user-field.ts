import * as z from 'zod';
import type { NameField } from './name-field.ts';

/** A login of the broker, for `warren topology apply --users`. */
export const userField = (name: NameField) =>
  z.strictObject({
    functions: z
      .array(z.string())
      .default([])
      .describe('Functions that run with this login: it consumes their queues.'),
    consumes: z
      .array(name)
      .default([])
      .describe(
        "Queues that it only takes messages from, as AWS's mapping does for functions with a login of their own.",
      ),
    publishes: z.array(name).default([]).describe('Exchanges.'),
    setsAside: z
      .array(name)
      .default([])
      .describe(
        'Queues whose messages it handles later than their consumer, with the same rights for what fails.',
      ),
    asks: z
      .boolean()
      .default(false)
      .describe('Whether it waits for replies, in a queue that the broker names.'),
    answers: z
      .boolean()
      .default(false)
      .describe(
        'Whether it replies to messages with a reply address; a login that consumes an RPC queue may do so in any case.',
      ),
    replays: z.boolean().default(false).describe('Whether it reads and replays dead letters.'),
    counts: z
      .boolean()
      .default(false)
      .describe('Whether it counts the messages and consumers of every queue, as `QueueStates` does.'),
    schedules: z
      .boolean()
      .default(false)
      .describe('Whether it takes turns with other processes of `warren schedule --standby`.'),
    manages: z.boolean().default(false).describe('Whether it may read the management API.'),
  });
