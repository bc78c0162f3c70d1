import type { Command } from 'commander';
import { Publisher } from '../../amqp/publisher.ts';
import type { Duration } from '../../base/duration.ts';
import { jsonOrText, print } from '../context.ts';
import { brokerUrl, vhostOption } from '../vhosts.ts';

export function register(program: Command): void {
  program
    .command('publish')
    .description('publish a persistent message and wait until the broker confirms it')
    .argument('<exchange>', 'name of the exchange, such as orders')
    .argument('<key>', 'routing key')
    .argument('<message>', 'body: text or JSON')
    .option(
      '-d, --delay <time>',
      'deliver it later, such as after "3 days"; the exchange needs `delays: true`',
    )
    .option('-i, --id <id>', 'message id, which identifies duplicates (default: a new id)')
    .addOption(vhostOption())
    .addHelpText(
      'after',
      `
Examples:
  warren publish orders order.created '{"id": 7}' --id order-7
  warren publish orders order.forgotten '{"id": 7}' --delay '3 days'`,
    )
    .action(
      async (
        exchange: string,
        routingKey: string,
        message: string,
        { id, vhost, delay }: { id?: string; vhost?: string; delay?: Duration },
        command: Command,
      ) => {
        const publisher = new Publisher({ url: brokerUrl(vhost), name: 'warren publish' });
        try {
          const body = jsonOrText(message);
          const sent = await publisher.publish({ exchange, routingKey, body, messageId: id, delay });
          print(command, sent, () => `published with the message id ${sent.messageId}`);
        } finally {
          await publisher.close();
        }
      },
    );
}
