import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../runtime/local/free-port.ts';
import { type BrokerPolicy, canRetryInQueue } from '../../runtime/topology/queue-retry.ts';
import type { PrivateBroker } from '../stack/private-broker.ts';
import { startStack } from '../stack/stack.ts';
import type { StackEnv } from '../stack/stack-env.ts';
import { startBroker } from './cluster.ts';
import { type Hook, startHook } from './hook.ts';
import { type Links, linked } from './link.ts';
import { type Mailbox, startMailbox } from './mailbox.ts';
import { type Prepared, prepareManifest } from './manifest.ts';
import { declareReplies } from './replies.ts';

/** What the functions work with, all of it real, and the network in between. */
export interface Parts extends Prepared {
  folder: string;
  broker: PrivateBroker;
  mailbox: Mailbox;
  hook: Hook;
  /** The ways that the functions take to the parts. */
  links: Record<'broker' | 'database' | 'storage' | 'mail', Links>;
  /** The addresses for the functions, through the links. */
  env: StackEnv;
  /** Addresses that bypass the links, for the counts. */
  direct: StackEnv;
  stop(): Promise<void>;
}

/** Starts everything but the functions; the broker with so many nodes. */
export async function startParts(nodes: number, say: (text: string) => void): Promise<Parts> {
  const folder = await mkdtemp(join(tmpdir(), 'warren-faults-'));
  const stops: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    say('Starting broker, database, storage and mailbox.');
    const broker = await startBroker(nodes);
    stops.push(() => broker.close());
    const smtp = await freePort();
    const mailbox = await startMailbox(smtp, join(folder, 'mails'));
    stops.push(() => mailbox.stop());
    const hook = await startHook();
    stops.push(() => hook.stop());
    const stack = await startStack({
      dataDir: join(folder, 'data'),
      ports: 'free',
      functions: undefined,
      report: () => undefined,
      given: {
        WARREN_STORAGE: process.env['WARREN_STORAGE'] || 's3rver',
        AMQP_URL: broker.url,
        SMTP_URL: `smtp://127.0.0.1:${smtp}`,
      },
    });
    stops.push(() => stack.stop());
    const direct = stack.env;
    const ways = {
      broker: await linked(direct.AMQP_URL),
      database: await linked(direct.DATABASE_URL),
      storage: await linked(direct.S3_ENDPOINT),
      mail: await linked(direct.SMTP_URL),
    };
    stops.push(() => Promise.all(Object.values(ways).map(({ links }) => links.close())));
    const env = {
      ...direct,
      AMQP_URL: ways.broker.url,
      DATABASE_URL: ways.database.url,
      S3_ENDPOINT: ways.storage.url.replace(/\/$/, ''),
      SMTP_URL: ways.mail.url,
    };
    const links = {
      broker: ways.broker.links,
      database: ways.database.links,
      storage: ways.storage.links,
      mail: ways.mail.links,
    };
    const prepared = await prepareManifest(folder, broker.url, hook.url);
    await declareReplies(broker.url);
    const delay = await setRetryPolicy(broker, prepared.retryPolicies);
    // The real limit would cost twenty processes for each deadly message; `faults-deadly` has it.
    const few = JSON.stringify({ ...delay, 'delivery-limit': 3 });
    await broker.control('set_policy', '--apply-to', 'queues', 'few', '^faults-(work|beside)$', few);
    return { folder, ...prepared, broker, mailbox, hook, links, env, direct, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Sets one policy for all queues, because their delays are the same and each run of rabbitmqctl takes a second. The broker has no
 * management API.
 *
 * @returns its definition; undefined if the broker has no retries in the queue.
 */
async function setRetryPolicy(
  broker: PrivateBroker,
  policies: readonly BrokerPolicy[],
): Promise<BrokerPolicy['definition'] | undefined> {
  const [first] = policies;
  const version = await broker.control('version');
  if (!first || !canRetryInQueue(version.trim())) return undefined;
  const pattern = policies.map((each) => each.pattern).join('|');
  const options = ['--apply-to', 'quorum_queues', '--priority', String(first.priority)];
  await broker.control('set_policy', ...options, 'retries', pattern, JSON.stringify(first.definition));
  return first.definition;
}
