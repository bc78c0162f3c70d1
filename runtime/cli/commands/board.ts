import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { WarrenError } from '../../base/errors.ts';
import { indexFile, vhostKey } from '../../dead-letters/index-file.ts';
import { cacheFolder } from '../context.ts';
import { hostLog, readManifestFile, untilSignal, wholeNumber } from '../hosting.ts';
import { brokerUrl, vhostOption } from '../vhosts.ts';

interface BoardCommandOptions {
  url?: string;
  vhost?: string;
  host: string;
  port: number;
  manifest?: string;
  managementUrl?: string;
  metrics?: string[];
  page?: string;
  queue?: string[];
}

export function register(program: Command): void {
  program
    .command('board')
    .description('serve a page with the dead letters of a virtual host and what runs there, until SIGTERM')
    .addOption(new Option('-u, --url <url>', 'AMQP URL of the broker, in place of AMQP_URL'))
    .addOption(vhostOption())
    .option('--host <address>', 'its address; another one than 127.0.0.1 needs BOARD_ISSUER', '127.0.0.1')
    .option('-p, --port <port>', 'its port; 0 for any', wholeNumber(0, 65_535), 9470)
    .addOption(
      new Option(
        '-m, --manifest <file>',
        'what `warren manifest` wrote: functions and topology; default none',
      ).env('WARREN_MANIFEST'),
    )
    .addOption(
      new Option('--management-url <url>', 'URL of the management API with its login; default no rates').env(
        'AMQP_MANAGEMENT_URL',
      ),
    )
    .option(
      '--queue <name...>',
      'queues of dead letters of other clients; default the index of the project, or without one the queues to which others dead-letter',
    )
    .option('--metrics <url...>', "workers' metrics, such as http://worker:9464/metrics; default none")
    .addOption(new Option('--page <folder>', 'folder of the built page').env('WARREN_BOARD_PAGE').hideHelp())
    .addHelpText(
      'after',
      `
Without BOARD_ISSUER it checks no user and listens to this machine only. A Warren project needs the index of the dead letters:
custom.warren.deadLetterIndex: true. Other queues need the management API, by default at port 15672 of the broker. A password in
--url is in the list of processes; AMQP_URL is not.

Examples:
  warren board
  warren board --queue orders.dlq payments.dlq
  AMQP_MANAGEMENT_URL=http://guest:guest@localhost:15672 warren board --manifest warren.json
  curl 'http://localhost:9470/api/groups?intervals=24'
  curl 'http://localhost:9470/api/letters?queue=ship-parcel&text=4711'`,
    )
    .action(async (options: BoardCommandOptions) => {
      const { url: given, vhost, host, port, manifest, managementUrl, metrics } = options;
      const url = brokerUrl(vhost, given);
      const access = await boardAccess();
      if (!access && !['127.0.0.1', '::1', 'localhost'].includes(host)) {
        const why = 'because any user of the network could drop dead letters';
        throw new WarrenError('ERR_CONFIG', `--host ${host}: expected BOARD_ISSUER beside it, ${why}`);
      }
      const log = hostLog('board');
      const stopAtSignal = untilSignal(log, 0);
      const { Board } = await import('../../board/board.ts');
      const folder = cacheFolder();
      const board = new Board({
        url,
        host,
        port,
        log,
        letters: await boardLetters(url, options, folder && indexFile(folder, url)),
        auditFile: folder && join(folder, `board-audit-${vhostKey(url)}.jsonl`),
        access,
        page: options.page === undefined ? undefined : await boardPage(options.page),
        managementUrl,
        service: manifest === undefined ? undefined : await boardService(url, manifest),
        metrics,
      });
      await board.start();
      log.info({ port: board.port }, 'serving');
      await stopAtSignal(board, 'jobs were stopped');
    });
}

/** @returns undefined without an issuer. */
async function boardAccess() {
  const [{ boardSettings }, { issuerAccess }, { loadSettings }] = await Promise.all([
    import('../../board/access-settings.ts'),
    import('../../board/access.ts'),
    import('../../settings/read.ts'),
  ]);
  const { board } = await loadSettings({ board: boardSettings });
  return board.BOARD_ISSUER === undefined ? undefined : issuerAccess(board.BOARD_ISSUER, board);
}

async function boardLetters(
  url: string,
  { queue, managementUrl }: BoardCommandOptions,
  file: string | undefined,
) {
  const { lettersOf } = await import('../../board/letters.ts');
  return lettersOf(url, { managementUrl, queues: queue, file });
}

async function boardPage(folder: string) {
  const { readPage } = await import('../../board/page-files.ts');
  return readPage(folder);
}

async function boardService(url: string, manifest: string) {
  const { viewService } = await import('../../board/live/service-view.ts');
  return viewService(url, await readManifestFile(manifest));
}
