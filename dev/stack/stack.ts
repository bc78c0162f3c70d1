import { resolve } from 'node:path';
import { brokerSettings } from 'warren/functions';
import { lockDataDir } from '../../runtime/local/lock.ts';
import { type StackChild, startChild } from '../../runtime/local/process.ts';
import type { Report } from '../../runtime/local/report.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { databaseSettings } from '../../shared/database/resource.ts';
import { mailSettings } from '../../shared/delivery/mail.ts';
import { storageSettings } from '../../shared/storage/settings.ts';
import { linkSettings, unsubscribeSettings } from '../../shared/users/resources.ts';
import { startBroker } from './broker.ts';
import type { Part, StackContext } from './context.ts';
import { startDevFunctions } from './dev-functions.ts';
import { type Functions, type FunctionsHost, startFunctions } from './functions.ts';
import { startMailbox } from './mailbox.ts';
import { assertPortsFree, choosePorts, type PortName, type Ports } from './ports.ts';
import { startPostgres } from './postgres.ts';
import { prepare } from './prepare.ts';
import { keepSecrets } from './secrets.ts';
import { removeStackEnv, type StackEnv, stackEnvNames, writeStackEnv } from './stack-env.ts';
import { defaultBucket, startStorage } from './storage.ts';

export interface StackOptions {
  /** The folder for everything that is kept, default `.data`. */
  dataDir?: string;
  /** The default ports (or those of the WARREN_…_PORT variables), or any free ones. */
  ports: 'default' | 'free';
  /** What runs the functions: the hosts of `warren dev`, or `serverless offline`; undefined for neither. */
  functions: FunctionsHost | undefined;
  report: Report;
  /** The user's own parts and ports, default the environment. */
  given?: Record<string, string | undefined>;
  /** Calls a start off. */
  signal?: AbortSignal;
}

export interface Stack {
  env: StackEnv;
  /** Resolves with a message if a program ends unexpectedly. */
  failed: Promise<string>;
  /** Drains and ends everything that was started. */
  stop(): Promise<void>;
}

type Starter = (context: StackContext) => Promise<Part>;

const starters: Record<string, Starter> = {
  broker: startBroker,
  database: startPostgres,
  storage: startStorage,
  mail: startMailbox,
};

/**
 * Brings the system up: broker, database, storage, mailbox and the host of the functions at the same time, then topology,
 * migrations and sample users, then the functions. When one of them fails, what was started is ended before the error comes out.
 *
 * @throws StackError with one line that contains the remedy.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { report, given = process.env } = options;
  checkGiven(given);
  const dataDir = resolve(options.dataDir ?? '.data');
  const ports = await choosePorts(options.ports, given);
  const lock = await lockDataDir(dataDir, report, ['stack.env']);
  const children: StackChild[] = [];
  const parts: Part[] = [];
  const failure = new AbortController();

  const stop = async () => {
    await removeStackEnv(dataDir);
    // The functions first, last to come: they drain while all they work with is still there.
    for (const part of parts.splice(Object.keys(starters).length)) await part.stop();
    await Promise.all(parts.map((part) => part.stop()));
    // Those of a part that did not come up.
    await Promise.all(children.map((child) => child.stop()));
    await lock.release();
  };

  try {
    await assertPortsFree(ports, neededPorts(given, options.functions));
    const context: StackContext = {
      dataDir,
      ports,
      given,
      report,
      secrets: await keepSecrets(dataDir),
      signal: options.signal ? AbortSignal.any([failure.signal, options.signal]) : failure.signal,
      spawn(settings) {
        const child = startChild(settings);
        children.push(child);
        lock.add(child);
        return child;
      },
    };
    const start = async (name: string, starter: Starter) => {
      const begun = performance.now();
      const part = await starter(context);
      parts.push(part);
      report(name, `ready after ${((performance.now() - begun) / 1000).toFixed(1)} s: ${part.address}`);
      return part.env;
    };
    const abort = (error: unknown) => failure.abort(error);
    const functions = options.functions && beginFunctions(options.functions, context);
    functions?.catch(abort);
    const starts = Object.entries(starters).map(([name, starter]) => start(name, starter));
    for (const each of starts) each.catch(abort);
    const results = await Promise.allSettled(starts);
    await functions?.catch(() => undefined);
    context.signal.throwIfAborted();
    const found = results.map((result) => (result.status === 'fulfilled' ? result.value : {}));
    const env = stackEnv(context, found);
    await prepare(env, report);
    const joining = await functions;
    if (joining) await start('functions', () => joining.join(env));
    await writeStackEnv(dataDir, env);
    let stopping: Promise<void> | undefined;
    return {
      env,
      failed: Promise.race(
        children.map(async (child) => `${child.name} ended (${await child.exited}); see ${dataDir}/logs`),
      ),
      stop() {
        stopping ??= stop();
        return stopping;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function beginFunctions(host: FunctionsHost, context: StackContext): Promise<Functions> {
  const options = { ...context, print: (line: string) => context.report('functions', line) };
  const urls = httpUrls(context.ports);
  return host === 'dev' ? startDevFunctions(urls, options) : startFunctions(urls, options);
}

const at = (port: number) => `http://127.0.0.1:${port}`;
const httpUrls = ({ http, lambda }: Ports) => ({ HTTP_URL: at(http), LAMBDA_URL: at(lambda) });

function stackEnv({ ports, secrets, given }: StackContext, found: readonly Partial<StackEnv>[]): StackEnv {
  const env: Partial<StackEnv> = Object.assign(
    {
      ...httpUrls(ports),
      AUTH_JWT_SECRET: secrets.jwt,
      UNSUBSCRIBE_SECRET: given['UNSUBSCRIBE_SECRET'] || secrets.unsubscribe,
      PUBLIC_URL: given['PUBLIC_URL'] || at(ports.http),
    },
    ...found,
  );
  return Object.fromEntries(stackEnvNames.map((name) => [name, env[name] ?? ''])) as StackEnv;
}

/** Before anything is started: URLs of the wrong form, all of them at once. */
function checkGiven(given: StackContext['given']): void {
  const sections = {
    AMQP_URL: brokerSettings,
    DATABASE_URL: databaseSettings,
    S3_ENDPOINT: storageSettings,
    SMTP_URL: mailSettings,
    PUBLIC_URL: linkSettings,
    UNSUBSCRIBE_SECRET: unsubscribeSettings,
  };
  const set = Object.entries(sections).filter(([variable]) => given[variable]);
  readSettings(Object.fromEntries(set), { S3_BUCKET: defaultBucket, ...given });
}

function neededPorts(given: StackContext['given'], functions: FunctionsHost | undefined): PortName[] {
  return [
    ...(functions ? (['http'] as const) : []),
    ...(functions === 'offline' ? (['lambda'] as const) : []),
    ...(given['AMQP_URL'] ? [] : (['amqp', 'management', 'erlang', 'epmd'] as const)),
    ...(given['DATABASE_URL'] ? [] : (['database'] as const)),
    ...(given['S3_ENDPOINT'] ? [] : (['s3'] as const)),
    ...(given['SMTP_URL'] ? [] : (['smtp', 'mailbox'] as const)),
  ];
}
