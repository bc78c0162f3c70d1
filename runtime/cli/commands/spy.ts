import { once } from 'node:events';
import type { ConsumeMessage } from 'amqplib';
import { type Command, InvalidArgumentError } from 'commander';
import pc from 'picocolors';
import { BrokerConnection } from '../../amqp/connection.ts';
import { copyQueue } from '../../amqp/copy-queue.ts';
import { escapeControls, escapeInLine } from '../../base/visible.ts';
import { onSignal } from '../signals.ts';
import { brokerUrl, vhostOption } from '../vhosts.ts';

interface SpyOptions {
  count?: number;
  vhost?: string;
}

export function register(program: Command): void {
  program
    .command('spy')
    .description('print the messages of an exchange until Ctrl-C; the temporary queue is deleted afterwards')
    .argument('<exchange>', 'name of the exchange, such as orders or rpc')
    .argument('[key]', 'binding key; the default matches every message of topic and fanout exchanges', '#')
    .option('-n, --count <messages>', 'stop after this number of messages', count)
    .addOption(vhostOption())
    .addHelpText(
      'after',
      `
Examples:
  warren spy orders
  warren spy orders 'order.*'
  warren spy rpc ping --json`,
    )
    .action(async (exchange: string, key: string, { count: max, vhost }: SpyOptions, command: Command) => {
      const { json } = command.optsWithGlobals<{ json?: boolean }>();
      const connection = new BrokerConnection({ url: brokerUrl(vhost), name: `warren spy ${exchange}` });
      let ignoreSignals: (() => void) | undefined;
      try {
        const channel = await connection.channel();
        const queue = await copyQueue(channel, [{ exchange, routingKey: key }]);
        let seen = 0;
        const stop = new AbortController();
        await channel.consume(
          queue,
          (message) => {
            if (!message) return stop.abort();
            console.log(json ? escapeControls(JSON.stringify(toJson(message))) : toText(message));
            seen += 1;
            if (seen === max) stop.abort();
          },
          { noAck: true },
        );
        // On stderr, so that a pipe receives only messages.
        console.error(pc.dim(`listening to ${exchange} (${key}); Ctrl-C ends it`));
        channel.once('close', () => stop.abort());
        ignoreSignals = onSignal(() => stop.abort());
        if (!stop.signal.aborted) await once(stop.signal, 'abort');
      } finally {
        // An open connection would keep the process alive.
        await connection.close();
        ignoreSignals?.();
      }
    });
}

function toJson({ fields, properties, content }: ConsumeMessage) {
  const { exchange, routingKey } = fields;
  return { exchange, routingKey, properties, body: content.toString() };
}

function toText({ fields, properties, content }: ConsumeMessage): string {
  const time = new Date().toISOString().slice(11, 23);
  const id = properties.messageId ? pc.dim(` ${escapeInLine(properties.messageId)}`) : '';
  const key = pc.cyan(escapeInLine(fields.routingKey) || '(no key)');
  return `${pc.dim(time)} ${key} ${escapeControls(content.toString())}${id}`;
}

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError('expected a whole number above 0');
}
