import type { Command } from 'commander';
import { Publisher } from '../../amqp/publisher.ts';
import { jsonOrText, print, required } from '../context.ts';

export function register(program: Command): void {
  program
    .command('publish')
    .description('publish a message, persistent, and wait until the broker has it')
    .argument('<exchange>', 'such as chihuahua_scheduling')
    .argument('<key>', 'routing key')
    .argument('<message>', 'a text or JSON')
    .option('-i, --id <id>', 'message id, by which a copy can be told (default: a new one)')
    .addHelpText(
      'after',
      `
Example:
  warren publish alerts info.deploy '"version 3 is out"' --id deploy-3`,
    )
    .action(
      async (
        exchange: string,
        routingKey: string,
        message: string,
        { id }: { id?: string },
        command: Command,
      ) => {
        const publisher = new Publisher({ url: required('AMQP_URL'), name: 'warren publish' });
        try {
          const body = jsonOrText(message);
          const sent = await publisher.publish({ exchange, routingKey, body, messageId: id });
          print(command, sent, () => `published with the message id ${sent.messageId}`);
        } finally {
          await publisher.close();
        }
      },
    );
}
