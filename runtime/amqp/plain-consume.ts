import type { Channel } from 'amqplib';

type Consume = Channel['consume'];

/**
 * A channel's `consume` without the wrapper of OpenTelemetry's instrumentation of amqplib. Its span for each delivery would
 * double ours: it begins when the message is prefetched, and takes its parent from the headers, so no context suppresses it. The
 * property is part of the wrapper's type, `ShimWrapped`.
 */
export function plainConsume(channel: Channel): Consume {
  const { consume } = channel as { consume: Consume & { __original?: Consume } };
  return (consume.__original ?? consume).bind(channel);
}
