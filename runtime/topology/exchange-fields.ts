import * as z from 'zod';
import type { NameField } from './name-field.ts';

/** Argument and key of a policy. */
export const alternateArgument = 'alternate-exchange';

/** Advice for an exchange that exists with another type or other arguments. */
export const exchangeAdvice =
  'an exchange keeps its type and arguments: declare one with another `name`, move its bindings and publishers there, and delete this one; an alternate exchange can be added by a policy, which apply sets if AMQP_MANAGEMENT_URL is set';

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

/** An exchange as it is declared at the broker. */
export function declaredExchange(
  name: string,
  { type, alternateExchange, arguments: given }: z.output<ReturnType<typeof exchangeField>>,
) {
  const alternate = alternateExchange === undefined ? {} : { [alternateArgument]: alternateExchange };
  const args = { ...given, ...alternate };
  return { name, type, ...(Object.keys(args).length > 0 && { arguments: args }) };
}

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
