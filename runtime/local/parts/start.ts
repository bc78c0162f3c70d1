import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DevPart } from '../../topology/dev-field.ts';
import { onFreePorts } from '../free-port.ts';
import { type Rabbitmq, startRabbitmq } from '../rabbitmq.ts';
import { startMailbox } from './mailbox.ts';
import type { PartOptions, StartedPart } from './part.ts';
import { startPostgres } from './postgres.ts';
import { makeBucket, startStorage } from './storage.ts';

export interface PartsOptions extends PartOptions {
  /** Parts of the project beside the broker. */
  wanted: readonly DevPart[];
  /** A part whose variable is set here is not started. */
  env: Readonly<Record<string, string | undefined>>;
}

/** The started parts. */
export interface Parts {
  /** Undefined if `AMQP_URL` names one. */
  broker: Rabbitmq | undefined;
  /** The addresses and keys of all, by variable. */
  env: Record<string, string>;
  /** Lines about the parts, for people. */
  lines: string[];
  stop(): Promise<void>;
}

interface StartOptions extends PartOptions {
  password: string;
  bucket: string;
  /** Of the storage. */
  program: string | undefined;
}

type Start = (options: StartOptions) => Promise<StartedPart<string>>;

/** How each part starts if its variable is not set. */
const starts: Record<DevPart, { variable: string; start: Start }> = {
  postgres: {
    variable: 'DATABASE_URL',
    start: (options) => onFreePorts(['port'], ({ port }) => startPostgres({ ...options, port })),
  },
  storage: {
    variable: 'S3_ENDPOINT',
    async start(options) {
      const storage = await onFreePorts(['port'], ({ port }) => startStorage({ ...options, port }));
      await makeBucket(storage);
      return storage;
    },
  },
  mailbox: {
    variable: 'SMTP_URL',
    start: (options) => onFreePorts(['smtp', 'mailbox'], (ports) => startMailbox({ ...options, ports })),
  },
};

/**
 * Starts the broker and the other parts of a project at the same time, each if its variable is not set.
 *
 * @throws StackError if one of them cannot be started. The others are stopped before, except for programs that were still starting.
 */
export async function startParts({ wanted, env, ...options }: PartsOptions): Promise<Parts> {
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => void (await Promise.all(stops.map((each) => each())));
  const started = async <Part extends { stop(): Promise<void> }>(starting: Promise<Part>) => {
    try {
      const part = await starting;
      stops.push(() => part.stop());
      return part;
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  };
  const needed = [...new Set(wanted)].map((name) => starts[name]).filter(({ variable }) => !env[variable]);
  const settings = {
    ...options,
    signal,
    password: needed.length > 0 ? await keptPassword(options.dataDir) : '',
    bucket: env['S3_BUCKET'] ?? 'warren-dev',
    program: env['WARREN_STORAGE'],
  };
  const broker = env['AMQP_URL'] ? undefined : started(startBroker(settings));
  const others = needed.map(({ start }) => started(start(settings)));
  await Promise.allSettled([broker, ...others]);
  if (failure.signal.aborted) {
    await stop();
    throw failure.signal.reason;
  }
  const [rabbitmq, parts] = [await broker, await Promise.all(others)];
  const own: Record<string, string> = Object.assign({}, ...parts.map((part) => part.env));
  return {
    broker: rabbitmq,
    env: { ...(rabbitmq && { AMQP_URL: rabbitmq.url }), ...own },
    lines: [
      ...(rabbitmq ? [`AMQP_URL=${rabbitmq.url}`, `RabbitMQ's page: ${rabbitmq.managementUrl}`] : []),
      ...Object.entries(own).map(([name, value]) => `${name}=${value}`),
    ],
    stop,
  };
}

function startBroker(options: PartOptions): Promise<Rabbitmq> {
  const password = randomBytes(12).toString('hex');
  const erlangCookie = randomBytes(24).toString('hex');
  return onFreePorts(['amqp', 'management', 'erlang', 'epmd'], (ports) =>
    startRabbitmq({ ...options, ports, password, erlangCookie }),
  );
}

/** The password that the data of the first start has. */
async function keptPassword(dataDir: string): Promise<string> {
  const path = join(dataDir, 'password');
  const kept = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  if (kept !== '') return kept;
  const password = randomBytes(12).toString('hex');
  await writeFile(path, password, { mode: 0o600 });
  return password;
}
