import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printManifest } from '../../runtime/cli/manifest.ts';
import { readMappings } from '../../runtime/event-source/mapping.ts';
import { readManifest } from '../../runtime/hosts/manifest.ts';
import { policiesText, policiesVariable } from '../../runtime/messages/policies.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology, consumedQueues } from '../../runtime/topology/compile.ts';
import { queueSettings } from '../../runtime/topology/queue-settings.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { alertSettings } from '../../shared/alerts/alert-routes.ts';
import { choosePorts } from '../stack/ports.ts';
import type { PrivateBroker } from '../stack/private-broker.ts';
import { projectFile } from '../stack/project.ts';
import { startStack } from '../stack/stack.ts';
import type { StackEnv } from '../stack/stack-env.ts';
import { startBroker } from './cluster.ts';
import { type Links, linked } from './link.ts';
import { type Mailbox, startMailbox } from './mailbox.ts';

/** What the functions work with, all of it real, and the network in between. */
export interface Parts {
  folder: string;
  /** The manifest that the workers are started with. */
  manifestFile: string;
  /** How many queues feed each function. */
  queues: ReadonlyMap<string, number>;
  broker: PrivateBroker;
  mailbox: Mailbox;
  /** The ways that the functions take to the parts. */
  links: Record<'broker' | 'database' | 'storage' | 'mail', Links>;
  /** The addresses for the functions, through the links. */
  env: StackEnv;
  /** Addresses that bypass the links, for the counts. */
  direct: StackEnv;
  stop(): Promise<void>;
}

/** Seconds; production's would keep us waiting for an hour. */
const retryDelays = [1, 3, 9, 20];

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
    const { smtp } = await choosePorts('free', {});
    const mailbox = await startMailbox(smtp, join(folder, 'mails'));
    stops.push(() => mailbox.stop());
    const stack = await startStack({
      dataDir: join(folder, 'data'),
      ports: 'free',
      functions: false,
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
    const { manifestFile, queues } = await prepareManifest(folder, broker.url);
    return { folder, manifestFile, queues, broker, mailbox, links, env, direct, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** serverless.yml as it is, but for the waits between tries and between summaries. */
async function prepareManifest(folder: string, url: string): Promise<Pick<Parts, 'manifestFile' | 'queues'>> {
  const manifest = readManifest(await printManifest());
  const section = { ...(manifest.custom?.['warren'] as object), retryDelays };
  await applyTopology(url, compileTopology(readSection(section), consumedQueues(manifest.functions)));
  // Replaces the plugin, which passes the settings of serverless.yml to the functions.
  const policies = policiesText(queueSettings(readSection(section)));
  for (const each of Object.values(manifest.functions)) {
    const routes = each.environment?.['ALERT_ROUTES'] && oftenSummarized(each.environment);
    each.environment = {
      ...each.environment,
      ...(policies && { [policiesVariable]: policies }),
      ...(routes && { ALERT_ROUTES: routes }),
    };
  }
  const manifestFile = join(folder, 'warren.json');
  await writeFile(manifestFile, JSON.stringify({ ...manifest, custom: { warren: section } }));
  // A manifest names handlers from its own folder on.
  await symlink(projectFile('functions'), join(folder, 'functions'));
  const queues = new Map<string, number>();
  for (const { functionName } of readMappings(manifest.functions, readSection(section))) {
    queues.set(functionName, (queues.get(functionName) ?? 0) + 1);
  }
  return { manifestFile, queues };
}

/** As often as may be, in seconds. */
const summaryInterval = 60;

function oftenSummarized(environment: Record<string, string | undefined>): string {
  const routes = readSettings({ alerts: alertSettings }, environment).alerts.ALERT_ROUTES;
  const often = Object.entries(routes).map(([queue, route]) => [
    queue,
    { ...route, summary_interval: summaryInterval },
  ]);
  return JSON.stringify(Object.fromEntries(often));
}
