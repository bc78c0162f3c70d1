// Contestants for publishing: each returns `one`, which publishes one message and waits for its confirm, and `end`.
import { randomUUID } from 'node:crypto';
import amqplib from 'amqplib';
import { body, warren } from './shared.mjs';

export const publishing = {
  async 'amqplib, confirm channel'({ url, queue }) {
    const connection = await amqplib.connect(url, { noDelay: true });
    const channel = await connection.createConfirmChannel();
    let n = 0;
    const options = { persistent: true, contentType: 'application/json', mandatory: true };
    return {
      one: () =>
        new Promise((resolve, reject) => {
          n += 1;
          const content = Buffer.from(JSON.stringify(body(n)));
          const properties = {
            ...options,
            messageId: randomUUID(),
            timestamp: Math.floor(Date.now() / 1000),
          };
          channel.publish('', queue, content, properties, (error) => (error ? reject(error) : resolve()));
        }),
      end: () => connection.close(),
    };
  },

  async Warren({ url, queue }) {
    const { Publisher } = await warren();
    const publisher = new Publisher({ url, name: 'bench', deadlineMs: 60_000 });
    let n = 0;
    return {
      one() {
        n += 1;
        return publisher.publish({ exchange: '', routingKey: queue, body: body(n) });
      },
      end: () => publisher.close(),
    };
  },

  async 'rabbitmq-client'({ url, queue }) {
    const { Connection } = await import('rabbitmq-client');
    const connection = new Connection({ url, noDelay: true });
    const publisher = connection.createPublisher({ confirm: true, maxAttempts: 1 });
    let n = 0;
    return {
      one() {
        n += 1;
        return publisher.send(
          { routingKey: queue, durable: true, mandatory: true, messageId: randomUUID() },
          body(n),
        );
      },
      async end() {
        await publisher.close();
        await connection.close();
      },
    };
  },

  async 'amqp-connection-manager'({ url, queue }) {
    const manager = await import('amqp-connection-manager');
    const connection = manager.connect([url], { connectionOptions: { noDelay: true } });
    const channel = connection.createChannel({ json: true });
    await channel.waitForConnect();
    let n = 0;
    return {
      one() {
        n += 1;
        const options = {
          persistent: true,
          contentType: 'application/json',
          mandatory: true,
          messageId: randomUUID(),
        };
        return channel.sendToQueue(queue, body(n), options);
      },
      end: () => connection.close(),
    };
  },
};
