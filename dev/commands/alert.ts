import type { Command } from 'commander';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { UnroutableError } from '../../runtime/base/errors.ts';
import { jsonOrText, print, required } from '../../runtime/cli/context.ts';

interface Options {
  routingKey: string;
  message: string;
  dedupKey?: string;
  transient?: boolean;
  wait?: boolean;
}

const aDay = 86_400_000;

export function register(program: Command): void {
  program
    .command('alert')
    .description('raise an alert on the topic exchange "alerts"')
    .requiredOption('-r, --routing-key <key>', '<severity>.<type>, such as critical.mywebapp')
    .requiredOption('-m, --message <text>', 'what happened: a text or JSON')
    .option('--dedup-key <key>', 'what it is the same as others by: one mail at once, then summaries')
    .option('--transient', 'do not keep the alert over a restart of the broker (default: persistent)')
    .option('--wait', 'while the broker holds publishers back, wait for it (default: give up after 5 s)')
    .addHelpText(
      'after',
      `
Examples:
  warren alert -r critical.mywebapp -m "the web application is down"
  warren alert -r info.rate_limit -m '{"client": 42, "limit": 1000}' --transient
  warren alert -r critical.disk -m "disk full" --dedup-key disk-7`,
    )
    .action(async ({ routingKey, message, dedupKey, transient, wait }: Options, command: Command) => {
      const publisher = new Publisher({
        url: required('AMQP_URL'),
        name: 'warren alert',
        ...(wait && { deadlineMs: aDay }),
      });
      try {
        const body = jsonOrText(message);
        const sent = await publisher.publish({
          exchange: 'alerts',
          routingKey,
          body,
          ...(dedupKey !== undefined && { headers: { dedup_key: dedupKey } }),
          persistent: !transient,
        });
        const result = { ...sent, routing_key: routingKey };
        print(command, result, () => `raised ${routingKey} (message id ${sent.messageId})`);
      } catch (error) {
        if (!(error instanceof UnroutableError)) throw error;
        print(
          command,
          { error: 'no route', routing_key: routingKey },
          () => `no route: no queue takes ${routingKey}`,
        );
        process.exitCode = 1;
      } finally {
        await publisher.close();
      }
    });
}
