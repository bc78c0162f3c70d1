import type { RabbitMQEvent, RabbitMQMessage } from '../../messages/event.ts';

/**
 * Whether a message of the event may have ended a process: it was delivered again more than once. One return is usual, such as
 * after a connection was lost. A classic queue does not count. RabbitMQ 4.3 and later count a message that its host returned for
 * a retry in another header only.
 */
export function isSuspect({ rmqMessagesByQueue }: RabbitMQEvent): boolean {
  return Object.values(rmqMessagesByQueue).some((messages) => messages.some(hasReturned));
}

function hasReturned({ redelivered, basicProperties: { headers } }: RabbitMQMessage): boolean {
  if (!redelivered) return false;
  const count =
    headers?.['x-delivery-count'] ?? (headers?.['x-acquired-count'] === undefined ? undefined : 0);
  return typeof count !== 'number' || count > 1;
}
