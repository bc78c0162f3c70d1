// Each consumes `queue` and calls `one()` when a message is done; it resolves with a way to end.
import { createRequire } from 'node:module';
import amqplib from 'amqplib';
import { decode, order, readingInOnePass, startWorker } from './shared.mjs';

const log = (error) => console.error(error.message);

async function bare({ url, queue, one }, prefetch, acknowledge, loadChange) {
  const connection = await amqplib.connect(url, { noDelay: true });
  const change = await loadChange?.();
  change?.(connection);
  const channel = await connection.createChannel();
  await channel.prefetch(prefetch);
  let pending = 0;
  await channel.consume(queue, (message) => {
    decode(message.content);
    if (acknowledge === 1) channel.ack(message);
    else {
      // Without a timer for the last ones: more messages wait than are counted.
      pending = (pending + 1) % acknowledge;
      if (pending === 0) channel.ack(message, true);
    }
    one();
  });
  return () => connection.close();
}

const worker = ({ url, queue, one }, batchSize) =>
  startWorker({ url, queues: [queue], batchSize }, ({ onMessages, publisher }) =>
    onMessages({ schema: order, publisher }, async () => one()),
  );

export const consumers = {
  'amqplib, one by one': (settings) => bare(settings, 300, 1),
  'amqplib, 100 at once': (settings) => bare(settings, 300, 100),
  'amqplib, read in one pass, 100 at once': (settings) => bare(settings, 300, 100, readingInOnePass),
  'Warren, batch 1': (settings) => worker(settings, 1),
  'Warren, batch 10': (settings) => worker(settings, 10),
  'Warren, batch 100': (settings) => worker(settings, 100),

  async 'rabbitmq-client'({ url, queue, one }) {
    const { Connection } = await import('rabbitmq-client');
    const connection = new Connection({ url, noDelay: true });
    const consumer = connection.createConsumer(
      { queue, queueOptions: { passive: true }, qos: { prefetchCount: 300 } },
      async (message) => {
        // It parses JSON by itself.
        order.parse(message.body);
        one();
      },
    );
    consumer.on('error', log);
    connection.on('error', log);
    return async () => {
      await consumer.close();
      await connection.close();
    };
  },

  async 'amqp-connection-manager'({ url, queue, one }) {
    const manager = await import('amqp-connection-manager');
    const connection = manager.connect([url], { connectionOptions: { noDelay: true } });
    const channel = connection.createChannel({ json: false });
    await channel.consume(
      queue,
      (message) => {
        decode(message.content);
        channel.ack(message);
        one();
      },
      { prefetch: 300 },
    );
    return () => connection.close();
  },

  async 'amqp-client.js'({ url, queue, one }) {
    const { AMQPClient } = await import('@cloudamqp/amqp-client');
    const connection = await new AMQPClient(url).connect();
    const channel = await connection.channel();
    await channel.basicQos(300);
    let pending = 0;
    await channel.basicConsume(queue, { noAck: false }, (message) => {
      order.parse(JSON.parse(message.bodyString()));
      pending = (pending + 1) % 100;
      if (pending === 0) message.ack(true);
      one();
    });
    return () => connection.close();
  },

  async rascal({ url, queue, one }) {
    const { BrokerAsPromised } = createRequire(import.meta.url)('rascal');
    const broker = await BrokerAsPromised.create({
      vhosts: {
        '/': {
          connection: { url, socketOptions: { noDelay: true } },
          queues: { [queue]: { assert: false, check: false } },
          subscriptions: { bench: { queue, prefetch: 300 } },
        },
      },
    });
    const subscription = await broker.subscribe('bench');
    subscription.on('message', (_message, content, acknowledge) => {
      order.parse(content);
      acknowledge();
      one();
    });
    subscription.on('error', log);
    broker.on('error', log);
    return () => broker.shutdown();
  },

  async '@nestjs/microservices'({ url, queue, one, arguments: args }) {
    await import('reflect-metadata');
    const { Module } = await import('@nestjs/common');
    const { NestFactory } = await import('@nestjs/core');
    const { Ctx, EventPattern, Payload, Transport } = await import('@nestjs/microservices');
    class Consumer {
      work(content, context) {
        order.parse(content);
        context.getChannelRef().ack(context.getMessage());
        one();
      }
    }
    // Decorators, without a compiler for them.
    const { prototype } = Consumer;
    Payload()(prototype, 'work', 0);
    Ctx()(prototype, 'work', 1);
    EventPattern('order')(prototype, 'work', Object.getOwnPropertyDescriptor(prototype, 'work'));
    const { Controller } = await import('@nestjs/common');
    Controller()(Consumer);
    class App {}
    Module({ controllers: [Consumer] })(App);
    const app = await NestFactory.createMicroservice(App, {
      logger: false,
      transport: Transport.RMQ,
      options: {
        urls: [url],
        queue,
        noAck: false,
        prefetchCount: 300,
        queueOptions: { durable: true, arguments: args },
        socketOptions: { noDelay: true },
      },
    });
    await app.listen();
    return () => app.close();
  },
};
