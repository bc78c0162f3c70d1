import type { Command } from 'commander';
import { WarrenError } from '../../base/errors.ts';
import { escapeControls } from '../../base/visible.ts';
import type { Fixture } from '../../fixtures/fixture.ts';
import { type Mask, masked, readMasks } from '../../fixtures/mask.ts';
import { recordMessages } from '../../fixtures/record.ts';
import type { Section } from '../../topology/schema.ts';
import { warn } from '../dead-letters/reports.ts';
import { wholeNumber } from '../hosting.ts';
import { addServiceOptions, type ServiceOptions, selectedService } from '../service.ts';
import { onSignal } from '../signals.ts';
import { brokerUrl, vhostOption } from '../vhosts.ts';

interface RecordOptions extends ServiceOptions {
  count: number;
  mask?: Mask[];
  vhost?: string;
}

export function register(program: Command): void {
  addServiceOptions(program.command('record'))
    .description(
      'print the next messages of a queue as a fixture; they are copies, and nothing is taken from the queue',
    )
    .argument('<queue>', 'a queue of custom.warren with a binding')
    .option('-n, --count <messages>', 'number of messages to wait for', wholeNumber(1, 10_000), 1)
    .option(
      '--mask <fields>',
      'personal fields whose letters and digits are replaced: body.email,header.customer,property.userId',
      (texts: string, before: Mask[] = []) => [...before, ...readMasks(texts)],
    )
    .addOption(vhostOption())
    .addHelpText(
      'after',
      `
It records copies of what exchanges route to the queue from now on. Ctrl-C ends it with the messages that have come until then.

Examples:
  warren record parcels > parcel.json
  warren record parcels --count 20 --mask body.email,header.customer > parcel.json`,
    )
    .action(async (queue: string, { count, mask = [], vhost, ...options }: RecordOptions) => {
      const bindings = bindingsOf(queue, (await selectedService(options)).section);
      const stop = new AbortController();
      const ignoreSignals = onSignal(() => stop.abort());
      // On stderr, so that the file receives only the fixture.
      const onReady = () => console.error(`recording ${count} of queue ${queue}; Ctrl-C ends it`);
      const onLost = ({ message }: Error) => {
        warn(message);
        process.exitCode = 1;
      };
      const { signal } = stop;
      const recording = { url: brokerUrl(vhost), queue, bindings, count, signal, onReady, onLost };
      try {
        print(await recordMessages(recording), mask);
      } finally {
        ignoreSignals();
      }
    });
}

function print(fixture: Fixture, masks: readonly Mask[]): void {
  const found = new Set<Mask>();
  const messages = fixture.messages.map((message) => masked(message, masks, found));
  console.log(escapeControls(JSON.stringify({ ...fixture, messages }, null, 2)));
  for (const { text } of masks.filter((each) => !found.has(each))) {
    console.error(`--mask ${text}: no message has this field`);
  }
}

function bindingsOf(queue: string, { queues }: Section) {
  const declared = Object.hasOwn(queues, queue) ? queues[queue] : undefined;
  if (!declared) throw new WarrenError('ERR_TOPOLOGY', `custom.warren.queues: expected "${queue}", got none`);
  if (declared.bindings.length > 0) return declared.bindings;
  const advice =
    'bind it to an exchange and publish there; without a binding, only a consumer can read its messages';
  throw new WarrenError(
    'ERR_TOPOLOGY',
    `queue "${queue}" has no binding, so there can be no copies: ${advice}`,
  );
}
