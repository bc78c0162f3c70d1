import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { parseAddress } from '../../amqp/address.ts';
import { Publisher } from '../../amqp/publisher.ts';
import { brokerUrls } from '../../amqp/urls.ts';
import { WarrenError } from '../../base/errors.ts';
import { toFixture } from '../../fixtures/fixture.ts';
import { type ReplayOptions, replayFixture } from '../../fixtures/replay.ts';
import { print } from '../context.ts';
import { warn } from '../dead-letters/reports.ts';
import { brokerUrl, vhostOption } from '../vhosts.ts';

interface Options extends ReplayOptions {
  vhost?: string;
}

export function register(program: Command): void {
  program
    .command('replay')
    .description('publish the messages of a fixture to the queue that they were recorded from')
    .argument('<file>', 'what `warren record` printed')
    .option('-t, --to <queue>', 'publish to this queue instead')
    .option(
      '--to-exchange',
      'publish to the exchange of each message, so that every bound queue gets it',
      false,
    )
    .option('--new-ids', 'give each message a new id, for functions that ignore a known one', false)
    .addOption(vhostOption())
    .addHelpText(
      'after',
      `
Examples:
  warren replay parcel.json
  warren replay parcel.json --to parcels-v2 --new-ids`,
    )
    .action(async (file: string, { vhost, ...options }: Options, command: Command) => {
      const fixture = toFixture(await readJson(file));
      const url = brokerUrl(vhost);
      const target = parseAddress(brokerUrls(url)[0] ?? '').vhost;
      if (vhost === undefined && target !== fixture.vhost) {
        warn(`recorded in the vhost "${fixture.vhost}", published to "${target}"; --vhost chooses another`);
      }
      const publisher = new Publisher({ url, name: 'warren replay' });
      try {
        const ids = await replayFixture(publisher, fixture, options);
        print(command, { replayed: ids }, () => `published ${ids.length}`);
      } finally {
        await publisher.close();
      }
    });
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new WarrenError('ERR_CONFIG', `${file}: can't be read (${cause.code})`, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WarrenError('ERR_CONFIG', `${file}: expected JSON`, { cause });
  }
}
