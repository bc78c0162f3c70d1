import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { brokerUrls } from '../../runtime/amqp/urls.ts';
import { isNetworkError, UnavailableError, WarrenError } from '../../runtime/base/errors.ts';
import { basicAuthorization } from '../../runtime/topology/management.ts';
import { findBrokerProgram, keptDataFolderOf } from './broker-install.ts';
import type { Part, StackContext } from './context.ts';
import type { StackChild } from './process.ts';
import { canLogIn, RabbitmqNode, writeBrokerFiles } from './rabbitmq-node.ts';
import { StackError } from './stack-error.ts';
import { answers, waitUntil } from './wait.ts';

/** Started broker program, and the function that ends everything it needed. */
interface Started {
  child: StackChild;
  stop(): Promise<void>;
}

/**
 * Starts the broker: uses the user's own if AMQP_URL is set, otherwise a private RabbitMQ in the data folder.
 *
 * @throws StackError if the user's broker is unavailable or refuses the login, or if ours cannot be installed or started.
 */
export async function startBroker(context: StackContext): Promise<Part> {
  const url = context.given['AMQP_URL'];
  if (url) return givenBroker(context, url);

  const { ports, secrets, report, signal } = context;
  const program = await findBrokerProgram(report);
  signal.throwIfAborted();
  report('broker', `AMQP_URL is not set: starting a private RabbitMQ with ${program.description}`);
  const start = program.kind === 'docker' ? startInDocker : startNode;
  const { child, stop } = await start(context, program.command);

  const amqp = `amqp://warren:${secrets.broker}@127.0.0.1:${ports.amqp}`;
  const management = `http://warren:${secrets.broker}@127.0.0.1:${ports.management}`;
  const wait = { signal, child, hint: `see ${context.dataDir}/logs/rabbitmq.log` };
  await waitUntil('RabbitMQ', () => canLogIn(amqp, 'warren start'), wait);
  await waitUntil('RabbitMQ management', () => managementAnswers(management), wait);
  return {
    env: { AMQP_URL: amqp, AMQP_MANAGEMENT_URL: management },
    address: `amqp://127.0.0.1:${ports.amqp}, management page http://127.0.0.1:${ports.management}`,
    stop,
  };
}

async function givenBroker({ given, report }: StackContext, url: string): Promise<Part> {
  report('broker', 'using the broker of AMQP_URL');
  try {
    await canLogIn(url, 'warren start');
  } catch (cause) {
    if (!(cause instanceof WarrenError)) throw cause;
    throw new StackError(`AMQP_URL: ${cause.message}`, { cause });
  }
  const hosts = brokerUrls(url).map((each) => new URL(each).host);
  const env = { AMQP_URL: url, AMQP_MANAGEMENT_URL: given['AMQP_MANAGEMENT_URL'] ?? '' };
  return { env, address: hosts.join(', '), stop: async () => undefined };
}

async function managementAnswers(url: string): Promise<boolean> {
  try {
    return await answers(`${new URL(url).origin}/api/overview`, { authorization: basicAuthorization(url) });
  } catch (cause) {
    if (isNetworkError(cause)) throw new UnavailableError('broker', 'not listening yet', { cause });
    throw cause;
  }
}

async function startNode(context: StackContext, command: string): Promise<Started> {
  const { dataDir, ports, secrets, spawn } = context;
  const folder = join(dataDir, 'rabbitmq');
  await mkdir(folder, { recursive: true });
  const node = new RabbitmqNode({
    command,
    name: 'warren',
    folder,
    data: await keptDataFolderOf(command, folder),
    logs: join(dataDir, 'logs'),
    ports,
    startEpmd: true,
    cookie: secrets.erlangCookie,
    password: secrets.broker,
    config: ['management.tcp.ip = 127.0.0.1', `management.tcp.port = ${ports.management}`],
    plugins: ['rabbitmq_management'],
    erlang:
      // Idle schedulers sleep instead of spinning.
      '+sbwt none +sbwtdcpu none +sbwtdio none ' +
      // Counts of the management API are at most one second old instead of five, because developers watch them.
      '-rabbit collect_statistics_interval 1000 -rabbit quorum_tick_interval 1000',
    spawn,
  });
  return { child: await node.start(), stop: () => node.close() };
}

async function startInDocker(context: StackContext, command: string): Promise<Started> {
  const { dataDir, ports, secrets } = context;
  const folder = join(dataDir, 'rabbitmq');
  await mkdir(join(folder, 'docker'), { recursive: true });
  await writeBrokerFiles({
    folder,
    cookie: secrets.erlangCookie,
    password: secrets.broker,
    plugins: ['rabbitmq_management'],
    config: ['load_definitions = /etc/rabbitmq/definitions.json'],
  });
  const id = createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
  const user = process.getuid && process.getgid ? [`--user=${process.getuid()}:${process.getgid()}`] : [];
  const child = context.spawn({
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
