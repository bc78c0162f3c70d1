import { type BrokerSettings, settingArguments } from './broker-settings.ts';
import { deadExchange, homeExchange } from './names.ts';

/** Returns of a message to a work queue after which the broker dead-letters it. */
export const deliveryLimit = 20;

/** Arguments of a work queue: it dead-letters to the dead-letter exchange, with its name as routing key. */
export function workArguments(queue: string, settings: BrokerSettings): Record<string, unknown> {
  return {
    'x-queue-type': 'quorum',
    'x-delivery-limit': deliveryLimit,
    'x-dead-letter-exchange': deadExchange,
    'x-dead-letter-routing-key': queue,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
    ...settingArguments(settings),
  };
}

/**
 * Arguments of a retry queue. At-least-once dead-lettering keeps a message that its target does not take, and stops at 32 of
 * them. So each work queue has retry queues of its own: only they stop if it is full. If it was deleted, the alternate of the
 * home exchange takes its messages.
 */
export function retryArguments(queue: string, seconds: number): Record<string, unknown> {
  return {
    'x-queue-type': 'quorum',
    'x-message-ttl': seconds * 1000,
    'x-dead-letter-exchange': homeExchange,
    'x-dead-letter-routing-key': queue,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  };
}

/**
 * Arguments of a queue at a broker. Reading and requeueing a dead letter counts as a delivery, for example, so that its queue must
 * have no delivery limit. RabbitMQ 4 gives every quorum queue a limit of 20, which -1 switches off; 3.x has no default limit, and
 * refuses -1.
 */
export function argumentsAt(
  brokerVersion: string,
  { arguments: own, isUnlimited = false }: { arguments: Record<string, unknown>; isUnlimited?: boolean },
): Record<string, unknown> {
  const unlimited = isUnlimited && Number.parseInt(brokerVersion, 10) >= 4;
  return unlimited ? { ...own, 'x-delivery-limit': -1 } : own;
}

/** Whether a queue has priorities that a broker would ignore: quorum queues have them from RabbitMQ 4.0 on. */
export const lacksPriorities = (
  brokerVersion: string,
  { priorities }: { priorities?: boolean | undefined },
): boolean => priorities === true && Number.parseInt(brokerVersion, 10) < 4;
