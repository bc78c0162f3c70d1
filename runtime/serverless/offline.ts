import { WarrenError } from '../base/errors.ts';
import { createLog } from '../base/log.ts';
import { checkTimeouts } from '../event-source/ack-limit.ts';
import { EventSource } from '../event-source/event-source.ts';
import type { Mapping } from '../event-source/mapping.ts';
import { lambdaInvoke } from '../hosts/lambda.ts';
import { type Serverless, timeoutOf } from './service.ts';

export interface OfflineOptions {
  /** Port of serverless-offline's Lambda API; default the one of `custom.serverless-offline`, or 3002. */
  lambdaPort?: number | string;
}

/**
 * Makes what feeds the functions under `serverless offline`: it consumes from the broker at AMQP_URL and calls them through
 * serverless-offline's Lambda API.
 *
 * @throws WarrenError ERR_CONFIG if AMQP_URL is not set, or as `checkTimeouts`.
 */
export function offlineEventSource(
  service: Serverless['service'],
  mappings: readonly Mapping[],
  options: OfflineOptions,
): EventSource {
  const url = process.env['AMQP_URL'];
  if (!url) {
    throw new WarrenError(
      'ERR_CONFIG',
      'AMQP_URL: expected the URL of a RabbitMQ, got none; set it to your broker',
    );
  }
  checkTimeouts(mappings, (functionName) => timeoutOf(service, functionName));
  const log = createLog({
    LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'info',
    host: 'event-source',
  });
  const configured = (service.custom?.['serverless-offline'] ?? {}) as OfflineOptions;
  const port = options.lambdaPort ?? configured.lambdaPort ?? 3002;
  const invoke = ({ functionName }: Mapping) =>
    lambdaInvoke({
      functionName: service.functions[functionName]?.name ?? functionName,
      timeoutMs: timeoutOf(service, functionName) * 1000,
      endpoint: `http://127.0.0.1:${port}`,
    });
  return new EventSource({ url, mappings, log, invoke });
}
