import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isNetworkError, UnavailableError } from '../base/errors.ts';
import { basicAuthorization } from '../topology/management.ts';
import type { BrokerUser } from './broker-definitions.ts';
import { dataFolderOf, findBrokerProgram } from './broker-install.ts';
import { handOverAgain, handOverAgainMs } from './hand-over-again.ts';
import type { ChildSettings, StackChild } from './process.ts';
import { canLogIn, RabbitmqNode, writeBrokerFiles } from './rabbitmq-node.ts';
import type { Report } from './report.ts';
import { answers, waitUntil } from './wait.ts';

export interface RabbitmqOptions {
  /** Holds the data of the broker in `rabbitmq`, and its output in the existing folder `logs`. */
  dataDir: string;
  ports: { amqp: number; management: number; erlang: number; epmd: number };
  password: string;
  erlangCookie: string;
  /** Further users, default none. */
  users?: readonly BrokerUser[];
  report: Report;
  /** Calls the start off. */
  signal: AbortSignal;
  spawn(settings: ChildSettings): StackChild;
}

/** A private RabbitMQ. */
export interface Rabbitmq {
  url: string;
  managementUrl: string;
  /** Ends it and everything it needed. */
  stop(): Promise<void>;
}

/** Started broker program, and the function that ends everything it needed. */
interface Started {
  child: StackChild;
  stop(): Promise<void>;
}

/** The second divides the keys of queues with `orderBy`. */
const plugins = ['rabbitmq_management', 'rabbitmq_consistent_hash_exchange'];

/**
 * Starts a private RabbitMQ with the management plugin, which is installed first if there is none: with apt as root, or in Docker.
 *
 * @throws StackError if it cannot be installed or started; what was started is ended then.
 */
export async function startRabbitmq(options: RabbitmqOptions): Promise<Rabbitmq> {
  const { dataDir, ports, password, report, signal } = options;
  const program = await findBrokerProgram(report);
  signal.throwIfAborted();
  report('broker', `AMQP_URL is not set: starting a private RabbitMQ with ${program.description}`);
  await mkdir(join(dataDir, 'rabbitmq'), { recursive: true });
  const start = program.kind === 'docker' ? startInDocker : startNode;
  const { child, stop } = await start(options, program.command);
  const url = `amqp://warren:${password}@127.0.0.1:${ports.amqp}`;
  const managementUrl = `http://warren:${password}@127.0.0.1:${ports.management}`;
  const wait = { signal, child, hint: `see ${dataDir}/logs/rabbitmq.log` };
  try {
    await waitUntil('RabbitMQ', () => canLogIn(url, 'warren start'), wait);
    await waitUntil('RabbitMQ management', () => managementAnswers(managementUrl), wait);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, managementUrl, stop };
}

async function managementAnswers(url: string): Promise<boolean> {
  try {
    return await answers(`${new URL(url).origin}/api/overview`, { authorization: basicAuthorization(url) });
  } catch (cause) {
    if (isNetworkError(cause)) throw new UnavailableError('broker', 'not listening yet', { cause });
    throw cause;
  }
}

async function startNode(options: RabbitmqOptions, command: string): Promise<Started> {
  const { dataDir, ports, password, erlangCookie, users = [], spawn } = options;
  const folder = join(dataDir, 'rabbitmq');
  const node = new RabbitmqNode({
    command,
    name: 'warren',
    folder,
    data: await dataFolderOf(command),
    logs: join(dataDir, 'logs'),
    ports,
    startEpmd: true,
    cookie: erlangCookie,
    password,
    users,
    config: ['management.tcp.ip = 127.0.0.1', `management.tcp.port = ${ports.management}`],
    plugins,
    erlang:
      // Idle schedulers sleep instead of spinning.
      '+sbwt none +sbwtdcpu none +sbwtdio none ' +
      // Counts of the management API are at most one second old instead of five, because developers watch them.
      '-rabbit collect_statistics_interval 1000 -rabbit quorum_tick_interval 1000 ' +
      handOverAgain(handOverAgainMs),
    spawn,
  });
  return { child: await node.start(), stop: () => node.close() };
}

async function startInDocker(options: RabbitmqOptions, command: string): Promise<Started> {
  const { dataDir, ports, password, erlangCookie, users = [] } = options;
  const folder = join(dataDir, 'rabbitmq');
  await mkdir(join(folder, 'docker'), { recursive: true });
  await writeBrokerFiles({
    folder,
    cookie: erlangCookie,
    password,
    users,
    plugins,
    config: ['load_definitions = /etc/rabbitmq/definitions.json'],
  });
  const id = createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
  const user = process.getuid && process.getgid ? [`--user=${process.getuid()}:${process.getgid()}`] : [];
  const child = options.spawn({
    name: 'rabbitmq (Docker)',
    command,
    // Docker's client runs in the foreground: it passes our signal on to the broker and ends with it.
    args: [
      'run',
      '--rm',
      '--init',
      `--name=warren-rabbitmq-${id}`,
      '--hostname=warren',
      ...user,
      `--env=RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=${handOverAgain(handOverAgainMs)}`,
      `--publish=127.0.0.1:${ports.amqp}:5672`,
      `--publish=127.0.0.1:${ports.management}:15672`,
      `--volume=${join(folder, 'docker')}:/var/lib/rabbitmq`,
      `--volume=${join(folder, 'rabbitmq.conf')}:/etc/rabbitmq/conf.d/90-warren.conf:ro`,
      `--volume=${join(folder, 'definitions.json')}:/etc/rabbitmq/definitions.json:ro`,
      'rabbitmq:4-management',
    ],
    env: process.env,
    logFile: join(dataDir, 'logs', 'rabbitmq.log'),
    graceMs: 30_000,
  });
  return { child, stop: () => child.stop() };
}
