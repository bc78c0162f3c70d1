import { type ChannelModel, type ConfirmChannel, connect, type GetMessage } from 'amqplib';
import { vi } from 'vitest';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { management, unique } from './broker.ts';
import { stack } from './stack.ts';

/** A virtual host of one test file. The broker deletes it, with its queues, when it is closed. */
export interface TestVhost {
  name: string;
  url: string;
  model: ChannelModel;
  channel: ConfirmChannel;
  /** Messages that are ready. */
  count(queue: string): Promise<number>;
  /** Waits for a message and takes it. */
  take(queue: string): Promise<GetMessage>;
  close(): Promise<void>;
}

/** The URL of the test broker with another virtual host. */
export const urlOf = (vhost: string): string =>
  Object.assign(new URL(stack.AMQP_URL), { pathname: encodeURIComponent(vhost) }).href;

/** Makes a virtual host with the topology of a `custom.warren`. */
export async function openVhost(section: object): Promise<TestVhost> {
  const name = unique('vhost');
  const url = urlOf(name);
  await management('PUT', `/vhosts/${name}`);
  await applyTopology(url, compileTopology(readSection(section)));
  const model = await connect(url);
  const channel = await model.createConfirmChannel();
  return {
    name,
    url,
    model,
    channel,
    async count(queue) {
      return (await channel.checkQueue(queue)).messageCount;
    },
    take: (queue) =>
      vi.waitFor(
        async () => {
          const message = await channel.get(queue, { noAck: true });
          if (!message) throw new Error(`no message in ${queue} of ${name}`);
          return message;
        },
        { timeout: 20_000, interval: 50 },
      ),
    async close() {
      await model.close();
      await management('DELETE', `/vhosts/${name}`);
    },
  };
}
