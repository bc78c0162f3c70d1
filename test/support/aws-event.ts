import type { RabbitMQEvent } from '../../runtime/messages/event.ts';

interface AwsMessage {
  queue: string;
  messageId: string | null;
  body: unknown;
}

/** An event as AWS's mapping makes it of messages of a plain AMQP client: without any header, and with null for each missing property. */
export function awsEvent(messages: readonly AwsMessage[]): RabbitMQEvent {
  const rmqMessagesByQueue: RabbitMQEvent['rmqMessagesByQueue'] = {};
  for (const { queue, messageId, body } of messages) {
    const data = Buffer.from(JSON.stringify(body));
    const list = rmqMessagesByQueue[`${queue}::/`] ?? [];
    rmqMessagesByQueue[`${queue}::/`] = list;
    list.push({
      basicProperties: {
        contentType: 'application/json',
        contentEncoding: null,
        headers: null,
        deliveryMode: 1,
        priority: null,
        correlationId: null,
        replyTo: null,
        expiration: null,
        messageId,
        timestamp: null,
        type: null,
        userId: null,
        appId: null,
        clusterId: null,
        bodySize: data.length,
      },
      redelivered: false,
      data: data.toString('base64'),
    });
  }
  const eventSourceArn = 'arn:aws:mq:us-east-1:1:broker:orders:b-1';
  return { eventSource: 'aws:rmq', eventSourceArn, rmqMessagesByQueue };
}
