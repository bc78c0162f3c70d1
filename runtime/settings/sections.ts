/** The settings of the runtime itself. A project defines its own groups beside what they set. */
import { z } from 'zod';
import { brokerUrls } from '../amqp/urls.ts';
import { urlField } from './fields.ts';

const expectedBroker =
  'expected a URL such as amqp://user:password@host:5672, or several separated by commas';
const isBrokerUrl = (text: string) => URL.canParse(text) && /^amqps?:$/.test(new URL(text).protocol);

/** How to reach the broker. */
export const brokerSettings = () =>
  z.object({
    AMQP_URL: z
      .string({ error: expectedBroker })
      .refine((text) => brokerUrls(text).length > 0 && brokerUrls(text).every(isBrokerUrl), {
        error: expectedBroker,
      })
      .describe('the broker; several nodes are separated by commas'),
  });

/** How to reach the management API of the broker. */
export const managementSettings = () =>
  z.object({
    AMQP_MANAGEMENT_URL: urlField(['http:', 'https:'], 'http://user:password@host:15672')
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
