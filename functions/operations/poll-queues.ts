/**
 * Triggered by a schedule, if it is enabled: feeds the functions named in `custom.warren.longPoll` from a broker that AWS's
 * own mapping cannot reach. A message that it takes and does not finish returns to its queue, as with every host.
 */
import { brokerSettings, lambda, lambdaSettings, log, resource } from 'warren/functions';
import { createLongPoll, type LongPollOptions, lambdaInvoke, readPolledMappings } from 'warren/hosts';

const broker = resource(brokerSettings, ({ AMQP_URL: url }, { reread }) => {
  return { url, renewUrl: async () => (await reread()).AMQP_URL };
});
const lambdaUrl = resource(lambdaSettings, ({ LAMBDA_URL }) => LAMBDA_URL);
const mappings = resource(undefined, () => readPolledMappings());

interface Deps extends Pick<LongPollOptions, 'mappings' | 'log'> {
  /** The URL of the broker, and how to read it again. */
  broker: Pick<LongPollOptions, 'url' | 'renewUrl'>;
  /** URL of the Lambda API; the default is AWS's own. */
  endpoint: string | undefined;
}

export function createHandler({ endpoint, broker, ...deps }: Deps) {
  return createLongPoll({
    ...broker,
    ...deps,
    invoke: ({ invokeAs, timeoutMs }) => lambdaInvoke({ functionName: invokeAs, timeoutMs, endpoint }),
  });
}

export const handler = lambda({ broker, endpoint: lambdaUrl, mappings, log }, createHandler);
