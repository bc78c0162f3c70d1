import { type Command, Option } from 'commander';
import { indexFile } from '../../dead-letters/index-file.ts';
import { cacheFolder } from '../context.ts';
import { hostLog, untilSignal, wholeNumber } from '../hosting.ts';
import { brokerUrl, vhostOption } from '../vhosts.ts';

export function register(program: Command): void {
  program
    .command('board')
    .description(
      'serve the dead letters of a virtual host as JSON to programs of this machine, until SIGTERM',
    )
    .addOption(new Option('-u, --url <url>', 'AMQP URL of the broker, in place of AMQP_URL'))
    .addOption(vhostOption())
    .option('-p, --port <port>', 'its port; 0 for any', wholeNumber(0, 65_535), 9470)
    .addHelpText(
      'after',
      `
It has no sign-in yet, so it listens to 127.0.0.1 only. The broker needs the index of the dead letters:
custom.warren.deadLetterIndex: true. A password in --url is in the list of processes; AMQP_URL is not.

Examples:
  warren board
  curl 'http://localhost:9470/api/groups?intervals=24'
  curl 'http://localhost:9470/api/letters?queue=ship-parcel&text=4711'`,
    )
    .action(async ({ url: given, vhost, port }: { url?: string; vhost?: string; port: number }) => {
      const url = brokerUrl(vhost, given);
      const log = hostLog('board');
      const stopAtSignal = untilSignal(log, 0);
      const { Board } = await import('../../board/board.ts');
      const folder = cacheFolder();
      const board = new Board({ url, port, log, file: folder && indexFile(folder, url) });
      await board.start();
      log.info({ port: board.port }, 'serving');
      await stopAtSignal(board, 'jobs were stopped');
    });
}
