// Contestants for RPC: each returns `one`, which makes one call, and `end`, which closes everything.
import { randomUUID } from 'node:crypto';
import amqplib from 'amqplib';
import { z } from 'zod';
import { startWorker, warren } from './shared.mjs';

/** What the function `ping` checks its calls with. */
const ping = z.object({ client_name: z.string().optional(), time: z.number() });
const request = { client_name: 'bench', time: 1288111236.43 };

/** Serves a method as plainly as amqplib can; the clients are measured against this one. */
async function bareServer({ url, method }) {
  const connection = await amqplib.connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.prefetch(300);
  await channel.consume(method, (message) => {
    const { time } = JSON.parse(message.content.toString());
    const { replyTo, correlationId } = message.properties;
    channel.publish('', replyTo, Buffer.from(`Pong!${time}`), { correlationId, contentType: 'text/plain' });
    channel.ack(message);
  });
  return () => connection.close();
}

/** The function `ping` as `warren worker` runs it: checked, answered with a confirm, then acknowledged. */
const warrenServer = ({ url, method }) =>
  startWorker(
    { url, queues: [method], kind: 'rpc', batchSize: 1, windowMs: 0, concurrency: 50 },
    ({ onCalls, publisher }) =>
      onCalls({ schema: ping, publisher }, async ({ body: { time } }) => `Pong!${time}`),
  );

async function bareClient({ url, method }) {
  const connection = await amqplib.connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
  const waiting = new Map();
  await channel.consume(
    queue,
    (message) => {
      waiting.get(message.properties.correlationId)?.(message.content.toString());
      waiting.delete(message.properties.correlationId);
    },
    { noAck: true },
  );
  return {
    one: () =>
      new Promise((resolve) => {
        const correlationId = randomUUID();
        waiting.set(correlationId, resolve);
        const content = Buffer.from(JSON.stringify(request));
        channel.publish('rpc', method, content, { correlationId, replyTo: queue, expiration: 5000 });
      }),
    end: () => connection.close(),
  };
}

async function warrenClient({ url, method }) {
  const { RpcClient } = await warren();
  const client = new RpcClient({ url, name: 'bench' });
  return { one: () => client.call(method, request), end: () => client.close() };
}

async function rabbitmqClient({ url, method }) {
  const { Connection } = await import('rabbitmq-client');
  const connection = new Connection({ url, noDelay: true });
  const client = connection.createRPCClient({ timeout: 5000 });
  return {
    one: () => client.send({ exchange: 'rpc', routingKey: method }, request),
    async end() {
      await client.close();
      await connection.close();
    },
  };
}

async function rabbitmqServer({ url, method }) {
  const { Connection } = await import('rabbitmq-client');
  const connection = new Connection({ url, noDelay: true });
  const server = connection.createConsumer(
    { queue: method, queueOptions: { passive: true }, qos: { prefetchCount: 300 } },
    async (message, reply) => {
      await reply(`Pong!${message.body.time}`);
    },
  );
  server.on('error', () => undefined);
  return async () => {
    await server.close();
    await connection.close();
  };
}

/** A client and a server in one process, and how to end both. */
const pair = (makeClient, makeServer) => async (settings) => {
  const stop = await makeServer(settings);
  const { one, end } = await makeClient(settings);
  return {
    one,
    async end() {
      await end();
      await stop();
    },
  };
};

export const rpc = {
  'amqplib, one reply queue': pair(bareClient, bareServer),
  "Warren's client": pair(warrenClient, bareServer),
  'rabbitmq-client': pair(rabbitmqClient, bareServer),
  "Warren's function": pair(bareClient, warrenServer),
  "rabbitmq-client's server": pair(bareClient, rabbitmqServer),
  "Warren's client and function": pair(warrenClient, warrenServer),
  "rabbitmq-client's both": pair(rabbitmqClient, rabbitmqServer),
};
