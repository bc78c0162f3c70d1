import { z } from 'zod';
import type { NameField } from './name-field.ts';

const scalar = () => z.union([z.string(), z.int(), z.boolean()]);

export const delayedField = () =>
  z.boolean().default(false).describe('Whether messages to it may have a `delay` or a time of delivery.');

export const exchangeField = (name: NameField) =>
  z.strictObject({
    name: name.optional().describe('Name at the broker; default its key.'),
    type: z.enum(['topic', 'fanout', 'direct', 'headers']),
    alternateExchange: name
      .optional()
      .describe('Declared exchange that gets the messages which no binding of this one matches.'),
    delays: delayedField(),
    arguments: z
      .record(z.string().min(1).max(255), scalar())
      .optional()
      .describe('Further arguments of the exchange, for the broker and its plugins.'),
  });

export const bindingField = (name: NameField) =>
  z.strictObject({
    exchange: name,
    routingKey: z.string().max(255).default(''),
    arguments: z
      .record(z.string().min(1).max(255), z.union([scalar(), z.null()]))
      .optional()
      .describe(
        'For an exchange of type `headers`: `x-match`, and the headers to match; null matches any value of a header.',
      ),
  });
