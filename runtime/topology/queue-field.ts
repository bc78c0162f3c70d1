import * as z from 'zod';
import { brokerFields } from './broker-settings.ts';
import { bindingField, delayedField } from './exchange-fields.ts';
import type { NameField } from './name-field.ts';
import { orderFields } from './order.ts';
import { limitField } from './rate-limit.ts';

/** Seconds before each retry. */
export const delaysField = () =>
  z.array(z.int().min(1).max(86_400), { error: 'expected a list of whole seconds' }).min(1);

/** The field for a queue of `custom.warren`. */
export const queueField = (name: NameField) =>
  z.strictObject({
    name: name.optional().describe('Name at the broker; default its key.'),
    kind: z
      .enum(['work', 'rpc'])
      .default('work')
      .describe('`work`: messages that are retried. `rpc`: calls whose callers wait for a reply.'),
    bindings: z.array(bindingField(name)).default([]).describe('The exchanges that fill it.'),
    delays: delayedField(),
    source: z
      .enum(['adapter'])
      .optional()
      .describe(
        "What feeds its function on AWS: the function of `longPoll`, also if the other queues have AWS's own mappings; default that of the whole project. Only for `work`.",
      ),
    retryDelays: delaysField().optional().describe('Seconds; default those of the whole project.'),
    maxAge: z
      .int()
      .min(1)
      .max(31_536_000)
      .default(86_400)
      .describe('Seconds for which a message is retried while a dependency is unavailable.'),
    concurrency: z
      .int()
      .min(1)
      .max(100)
      .optional()
      .describe('Calls of its function at a time, default 1, for `rpc` 10; on AWS it is one.'),
    redeliveries: z
      .int()
      .min(0)
      .max(20)
      .default(0)
      .describe(
        'For `rpc`: times that a call which was begun before may be made again, for methods whose repetition does no harm.',
      ),
    maxMessageBytes: z
      .int()
      .min(1)
      .max(128 * 1024 ** 2)
      .optional()
      .describe(
        'Bytes of the body and the headers of a message, default 1 MiB, with `orderBy` 64 KiB. A larger one is dead-lettered unread.',
      ),
    limit: limitField(),
    ...orderFields(),
    ...brokerFields(),
  });
