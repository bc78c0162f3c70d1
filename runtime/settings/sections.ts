/** The settings of the runtime itself. A project defines its own groups beside what they set. */
import * as z from 'zod';
import { addressProblem } from '../amqp/address.ts';
import { managementProblem } from '../amqp/management-url.ts';
import { brokerUrls } from '../amqp/urls.ts';
import { urlField, without } from './fields.ts';

const expectedBroker =
  'expected a URL such as amqp://user:password@host:5672, or several separated by commas';

/** What is wrong with the value, without the value; undefined if nothing is. */
function brokerProblem(text: string): string | undefined {
  const urls = brokerUrls(text);
  return urls.length === 0
    ? expectedBroker
    : urls.map(addressProblem).find((problem) => problem !== undefined);
}

/** How to reach the broker. */
export const brokerSettings = () =>
  z.object({
    AMQP_URL: z
      .string({ error: expectedBroker })
      .superRefine(without(brokerProblem))
      .describe('the broker; several nodes are separated by commas'),
  });

/** How to reach the management API of the broker. */
export const managementSettings = () =>
  z.object({
    AMQP_MANAGEMENT_URL: z
      .string()
      .superRefine(without(managementProblem))
      .optional()
      .describe("the broker's management API, for its users and for messages in flight"),
  });

/** What a function logs, and the name it logs and connects under. */
export const logSettings = () =>
  z.object({
    LOG_LEVEL: z
      .enum(['debug', 'info', 'warn', 'error', 'silent'])
      .default('info')
      .describe('lowest level that is logged: `debug`, `info`, `warn`, `error`; or `silent`'),
    AWS_LAMBDA_FUNCTION_NAME: z
      .string()
      .default('warren')
      .describe('name of the function in logs and connections; Lambda and every other host set it'),
  });

/** The destination of metrics. */
export const metricsSettings = () =>
  z.object({
    METRICS_NAMESPACE: z
      .string()
      .default('warren')
      .describe("CloudWatch namespace of the functions' own metrics"),
  });

/** How to reach the Lambda API. */
export const lambdaSettings = () =>
  z.object({
    LAMBDA_URL: urlField(['http:', 'https:'], 'http://127.0.0.1:3002')
      .optional()
      .describe("address of a Lambda API other than AWS's"),
  });
