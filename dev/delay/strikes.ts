import { setTimeout as pause } from 'node:timers/promises';
import type { Chance } from '../faults/seed.ts';
import type { PrivateBroker } from '../stack/private-broker.ts';
import type { Consumer } from './consumer.ts';
import type { Outage } from './count.ts';
import type { Sender } from './sender-process.ts';

export interface Struck {
  broker: PrivateBroker;
  sender: Sender;
  consumer: Consumer;
  /** Number of messages in all. */
  messages: number;
  chance: Chance;
  brokerKills: number;
  publisherKills: number;
  say: (text: string) => void;
}

/** Parts of the messages that are published at the first kill, and at the last one. */
const [first, last] = [0.05, 0.95];
/** Milliseconds for a moment to come. It has passed for good if the sender has ended. */
const patienceMs = 30_000;

/**
 * Kills the publisher and the broker in a random order, each at a moment at which the kill has an effect: the publisher between a publish and
 * its confirm, and the broker while messages wait.
 *
 * @returns the outages of the broker.
 */
export async function strike({ chance, say, ...struck }: Struck): Promise<Outage[]> {
  const { broker, sender, consumer, messages, brokerKills, publisherKills } = struck;
  const outages: Outage[] = [];
  const kinds = [
    ...Array.from({ length: publisherKills }, () => 'publisher' as const),
    ...Array.from({ length: brokerKills }, () => 'broker' as const),
  ];
  const kills = kinds.map((what) => ({ what, at: chance.next() })).sort((a, b) => a.at - b.at);
  for (const [n, { what }] of kills.entries()) {
    const part = first + ((last - first) * (n + chance.next())) / kills.length;
    await until(async () => (await sender.progress()).begun >= part * messages);
    say(`Kill of the ${what}.`);
    if (what === 'publisher') {
      await killPublisher(broker, sender);
    } else {
      await until(async () => (await sender.progress()).confirmed > consumer.arrived);
      outages.push(await killBroker(broker));
    }
  }
  return outages;
}

/** The broker is suspended, so that a publish stays unconfirmed until the publisher is dead. */
async function killPublisher(broker: PrivateBroker, sender: Sender): Promise<void> {
  broker.signal('SIGSTOP');
  try {
    await until(async () => (await sender.progress()).open > 0);
    await sender.kill();
  } finally {
    broker.signal('SIGCONT');
  }
}

async function killBroker(broker: PrivateBroker): Promise<Outage> {
  const from = Date.now();
  await broker.kill();
  await broker.start();
  return { from, until: Date.now() };
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + patienceMs; Date.now() < end && !(await isSo()); ) await pause(25);
}
