import type { Command } from 'commander';
import { portList } from '../stack/ports.ts';
import { dataDir } from '../stack/read-stack-env.ts';

const help = `
What is set is used as it is, and not started:
  AMQP_URL, AMQP_MANAGEMENT_URL      the broker; else a RabbitMQ of our own (installed first where there is none)
  WARREN_RABBITMQ                    the path of the rabbitmq-server to start, with rabbitmqctl beside it; else one is looked for
  DATABASE_URL                       PostgreSQL; else one of our own
  S3_ENDPOINT, S3_BUCKET, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
                                     storage; else versitygw where it is installed, else s3rver (WARREN_STORAGE decides)
  SMTP_URL, MAILBOX_URL              mail; else MailDev, which shows mails on a page and delivers none
  BOARD_URL                          the board to which the page links; else one of our own, with the functions
  WARREN_DATA                        the data folder, as --data

Ports, all on 127.0.0.1:
${portList.map(({ variable, port, what }) => `  ${variable.padEnd(25)} ${String(port).padStart(5)}  ${what}`).join('\n')}

A saved file runs with the next call: each function has a process of its own, which starts with its first call. With --no-reload,
serverless offline runs the functions: they keep their code until the next start, and can be called through its Lambda API, too.

Examples:
  warren start
  warren start --no-reload
  WARREN_HTTP_PORT=8080 warren start
  AMQP_URL=amqp://me:secret@broker.example.com warren start --data /tmp/warren`;

interface Options {
  data: string;
  functions: boolean;
  reload: boolean;
}

export function register(program: Command): void {
  program
    .command('start')
    .description('bring the whole system up on this machine, until Ctrl-C')
    .option('-d, --data <folder>', 'the folder for everything that is kept', dataDir())
    .option('--no-functions', 'only broker, database, storage and mailbox')
    .option('--no-reload', 'run the functions in serverless offline, with their code of the start')
    .addHelpText('after', help)
    .action(async ({ data, functions, reload }: Options) => {
      // Only here: these parts come from packages for development, which a container does not have.
      const { runStack } = await import('../stack/run.ts');
      const host = reload ? 'dev' : 'offline';
      await runStack({ dataDir: data, functions: functions ? host : undefined });
    });
}
