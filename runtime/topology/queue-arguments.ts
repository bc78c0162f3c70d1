/** Of a queue of work: what it gives up goes to the exchange for dead letters under its name. */
export function workArguments(queue: string, deadExchange: string): Record<string, unknown> {
  return {
    'x-queue-type': 'quorum',
    'x-delivery-limit': 20,
    'x-dead-letter-exchange': deadExchange,
    'x-dead-letter-routing-key': queue,
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  };
}

/** Of a queue in which messages wait: they go home by the default exchange, which knows queues by their names. */
export function retryArguments(seconds: number): Record<string, unknown> {
  return {
    'x-queue-type': 'quorum',
    'x-message-ttl': seconds * 1000,
    'x-dead-letter-exchange': '',
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  };
}

/**
 * Reading a letter and putting it back counts as a delivery, so this queue must not have a delivery limit. RabbitMQ 4
 * gives every quorum queue one of 20, which -1 switches off; 3.x has none unless told, and refuses -1.
 */
export function deadLetterArguments(brokerVersion: string): Record<string, unknown> {
  const unlimited = Number.parseInt(brokerVersion, 10) >= 4 ? { 'x-delivery-limit': -1 } : {};
  return { 'x-queue-type': 'quorum', ...unlimited };
}
