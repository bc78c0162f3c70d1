import type { ConsumeMessage } from 'amqplib';
import { BrokerConnection } from '../../amqp/connection.ts';
import { copyQueue } from '../../amqp/copy-queue.ts';
import { stringifyJson } from '../../base/json.ts';
import type { Spied } from '../api-live-types.ts';
import type { EventStream } from './event-stream.ts';

export interface SpyOptions {
  /** AMQP URL of the broker. */
  url: string;
  exchange: string;
  /** Binding key. */
  key: string;
  /** Only messages with this text in their key, headers or body. */
  text?: string | undefined;
}

/** Events per second. */
const maxPerSecond = 50;
/** Characters of a body, and milliseconds between two reports of skipped messages. */
const [maxPreview, reportMs] = [1000, 1000];

/**
 * Sends copies of the messages of an exchange to a client, until it goes. The temporary queue ends with the connection. Messages
 * above the limit are skipped as they come, so that neither the queue nor this process keeps them.
 *
 * @throws UnavailableError if the exchange does not exist or the broker is unavailable, WarrenError ERR_BROKER_REFUSED if it refuses
 *   the login.
 */
export async function openSpy({
  url,
  exchange,
  key,
  text,
}: SpyOptions): Promise<(events: EventStream) => void> {
  const connection = new BrokerConnection({ url, name: `warren board spy ${exchange}` });
  try {
    const channel = await connection.channel();
    const queue = await copyQueue(channel, [{ exchange, routingKey: key }]);
    return (events) => {
      let [sent, skipped] = [0, 0];
      const timer = setInterval(() => {
        if (skipped > 0 && events.send({ skipped })) skipped = 0;
        sent = 0;
      }, reportMs);
      events.onClose(() => {
        clearInterval(timer);
        void connection.close();
      });
      channel.once('close', () => events.end());
      const receive = (message: ConsumeMessage | null) => {
        if (!message) return events.end();
        const spied = spiedOf(message);
        if (text !== undefined && !hasText(message, spied, text)) return;
        if (sent < maxPerSecond && events.send(spied)) sent += 1;
        else skipped += 1;
      };
      channel.consume(queue, receive, { noAck: true }).catch(() => events.end());
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function spiedOf({ fields, properties, content }: ConsumeMessage): Spied {
  return {
    at: new Date().toISOString(),
    exchange: fields.exchange,
    routing_key: fields.routingKey,
    message_id: properties.messageId ?? null,
    headers: properties.headers ?? {},
    body_preview: preview(content),
    bytes: content.length,
  };
}

/** The beginning of a body: text if it is UTF-8, as far as the last whole character, otherwise base64. */
function preview(content: Buffer): string {
  const part = content.subarray(0, maxPreview * 4);
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(part, { stream: true });
    return text.slice(0, maxPreview);
  } catch {
    return part.toString('base64').slice(0, maxPreview);
  }
}

const hasText = ({ content }: ConsumeMessage, { routing_key: key, headers }: Spied, text: string): boolean =>
  key.includes(text) || content.includes(text) || stringifyJson(headers).includes(text);
