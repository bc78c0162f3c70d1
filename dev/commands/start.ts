import type { Command } from 'commander';
import { portList } from '../stack/ports.ts';
import { dataDir } from '../stack/read-stack-env.ts';

const help = `
What is set is used as it is, and not started:
  AMQP_URL, AMQP_MANAGEMENT_URL      the broker; else a RabbitMQ of our own (installed first where there is none)
  WARREN_RABBITMQ                    the path of the rabbitmq-server to start, with rabbitmqctl beside it; else one is looked for
  DATABASE_URL                       PostgreSQL; else one of our own
  S3_ENDPOINT, S3_BUCKET, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
                                     storage; else minio where it is installed, else s3rver (WARREN_STORAGE decides)
  SMTP_URL, MAILBOX_URL              mail; else MailDev, which shows mails on a page and delivers none
  WARREN_DATA                        the data folder, as --data

Ports, all on 127.0.0.1:
${portList.map(({ variable, port, what }) => `  ${variable.padEnd(25)} ${String(port).padStart(5)}  ${what}`).join('\n')}

Examples:
  warren start
  WARREN_HTTP_PORT=8080 warren start
  AMQP_URL=amqp://me:secret@broker.example.com warren start --data /tmp/warren`;

export function register(program: Command): void {
  program
    .command('start')
    .description('bring the whole system up on this machine, until Ctrl-C')
    .option('-d, --data <folder>', 'the folder for everything that is kept', dataDir())
    .option('--no-functions', 'only broker, database, storage and mailbox')
    .addHelpText('after', help)
    .action(async (options: { data: string; functions: boolean }) => {
      // Only here: these parts come from packages for development, which a container does not have.
      const { runStack } = await import('../stack/run.ts');
      await runStack({ dataDir: options.data, functions: options.functions });
    });
}
