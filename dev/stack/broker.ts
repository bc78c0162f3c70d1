import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BrokerConnection } from '../../runtime/amqp/connection.ts';
import { brokerUrls } from '../../runtime/amqp/urls.ts';
import { isNetworkError, UnavailableError, WarrenError } from '../../runtime/base/errors.ts';
import { dataFolderOf, findBrokerProgram } from './broker-install.ts';
import type { Part, StackContext } from './context.ts';
import type { StackChild } from './process.ts';
import { StackError } from './stack-error.ts';
import { answers, waitUntil } from './wait.ts';

/**
 * The broker: the user's own where AMQP_URL says so, else a RabbitMQ of our own in the data folder.
 *
 * @throws StackError when the user's broker is away or refuses the login, or ours can't be installed or started.
 */
export async function startBroker(context: StackContext): Promise<Part> {
  const url = context.given['AMQP_URL'];
  if (url) return givenBroker(context, url);

  const { ports, secrets, report, signal, dataDir } = context;
  const program = await findBrokerProgram(report);
  signal.throwIfAborted();
  report('broker', `no AMQP_URL: starting a RabbitMQ of our own with ${program.description}`);
  const folder = join(dataDir, 'rabbitmq');
  const files = await writeBrokerFiles(context, folder, program.kind === 'docker');
  const { broker, stop } =
    program.kind === 'docker'
      ? startInDocker(context, folder, program.command)
      : await startNode(context, folder, files, program.command);

  const amqp = `amqp://warren:${secrets.broker}@127.0.0.1:${ports.amqp}`;
  const management = `http://warren:${secrets.broker}@127.0.0.1:${ports.management}`;
  const hint = `see ${context.dataDir}/logs/rabbitmq.log`;
  await waitUntil('RabbitMQ', () => canLogIn(amqp), { signal, child: broker, hint });
  await waitUntil('RabbitMQ management', () => managementAnswers(management), {
    signal,
    child: broker,
    hint,
  });
  return {
    env: { AMQP_URL: amqp, AMQP_MANAGEMENT_URL: management },
    address: `amqp://127.0.0.1:${ports.amqp}, management page http://127.0.0.1:${ports.management}`,
    stop,
  };
}

async function givenBroker({ given, report }: StackContext, url: string): Promise<Part> {
  report('broker', 'using the broker of AMQP_URL');
  try {
    await canLogIn(url);
  } catch (cause) {
    if (!(cause instanceof WarrenError)) throw cause;
    throw new StackError(`AMQP_URL: ${cause.message}`, { cause });
  }
  const hosts = brokerUrls(url)
    .map((each) => new URL(each).host)
    .join(', ');
  const env = { AMQP_URL: url, AMQP_MANAGEMENT_URL: given['AMQP_MANAGEMENT_URL'] ?? '' };
  return { env, address: hosts, stop: async () => undefined };
}

async function canLogIn(url: string): Promise<boolean> {
  const connection = new BrokerConnection({ url, name: 'warren start' });
  try {
    await connection.channel();
    return true;
  } finally {
    await connection.close();
  }
}

async function managementAnswers(url: string): Promise<boolean> {
  const { username, password, origin } = new URL(url);
  const login = Buffer.from(`${username}:${password}`).toString('base64');
  try {
    return await answers(`${origin}/api/overview`, { authorization: `Basic ${login}` });
  } catch (cause) {
    if (isNetworkError(cause)) throw new UnavailableError('broker', 'not listening yet', { cause });
    throw cause;
  }
}

async function startNode(
  context: StackContext,
  folder: string,
  files: { config: string; plugins: string },
  command: string,
): Promise<{ broker: StackChild; stop: () => Promise<void> }> {
  const { ports, dataDir } = context;
  const logFile = join(dataDir, 'logs', 'rabbitmq.log');
  const data = await dataFolderOf(command);
  const env = {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    // Erlang takes the cookie, the password between nodes, from the home folder.
    HOME: folder,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(ports.epmd),
  };
  // Without one to be found, Erlang starts a port mapper that outlives it.
  const epmd = context.spawn({
    name: 'epmd',
    command: 'epmd',
    args: [],
    env,
    logFile: join(dataDir, 'logs', 'epmd.log'),
  });
  const broker = context.spawn({
    name: 'rabbitmq',
    command,
    args: [],
    logFile,
    graceMs: 30_000,
    env: {
      ...env,
      RABBITMQ_NODENAME: 'warren@localhost',
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: String(ports.amqp),
      RABBITMQ_DIST_PORT: String(ports.erlang),
      RABBITMQ_MNESIA_BASE: join(folder, data),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      // Otherwise it goes wherever we were started.
      ERL_CRASH_DUMP: join(folder, 'log', 'erl_crash.dump'),
      RABBITMQ_LOGS: '-',
      RABBITMQ_PID_FILE: join(folder, 'rabbitmq.pid'),
      RABBITMQ_CONFIG_FILE: files.config,
      RABBITMQ_ENABLED_PLUGINS_FILE: files.plugins,
      // The machine's own settings are for the machine's own broker.
      RABBITMQ_CONF_ENV_FILE: join(folder, 'none.conf'),
      // Listen on this machine only, and don't keep the processor busy with waiting.
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
        '-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none ' +
        // The management API counts every second, not every five: somebody watches.
        '-rabbit collect_statistics_interval 1000 -rabbit quorum_tick_interval 1000',
    },
  });
  return {
    broker,
    async stop() {
      await broker.stop();
      await epmd.stop();
    },
  };
}

function startInDocker(
  context: StackContext,
  folder: string,
  command: string,
): { broker: StackChild; stop: () => Promise<void> } {
  const { ports, dataDir } = context;
  const id = createHash('sha256').update(dataDir).digest('hex').slice(0, 8);
  const user = process.getuid && process.getgid ? [`--user=${process.getuid()}:${process.getgid()}`] : [];
  const broker = context.spawn({
    name: 'rabbitmq (Docker)',
    command,
    // In the foreground, Docker's client passes our signal on to the broker and ends with it.
    args: [
      ...['run', '--rm', '--init', '--name', `warren-rabbitmq-${id}`, '--hostname', 'warren', ...user],
      ...['-p', `127.0.0.1:${ports.amqp}:5672`, '-p', `127.0.0.1:${ports.management}:15672`],
      ...['-v', `${join(folder, 'docker')}:/var/lib/rabbitmq`],
      ...['-v', `${join(folder, 'rabbitmq.conf')}:/etc/rabbitmq/conf.d/90-warren.conf:ro`],
      ...['-v', `${join(folder, 'definitions.json')}:/etc/rabbitmq/definitions.json:ro`],
      'rabbitmq:4-management',
    ],
    env: process.env,
    logFile: join(dataDir, 'logs', 'rabbitmq.log'),
    graceMs: 30_000,
  });
  return { broker, stop: () => broker.stop() };
}

async function writeBrokerFiles(
  { ports, secrets }: StackContext,
  folder: string,
  inDocker: boolean,
): Promise<{ config: string; plugins: string }> {
  await mkdir(join(folder, inDocker ? 'docker' : 'log'), { recursive: true });
  const files = {
    config: join(folder, 'rabbitmq.conf'),
    plugins: join(folder, 'enabled_plugins'),
    definitions: join(folder, 'definitions.json'),
    cookie: join(folder, '.erlang.cookie'),
  };
  const listeners = [
    `listeners.tcp.local = 127.0.0.1:${ports.amqp}`,
    'management.tcp.ip = 127.0.0.1',
    `management.tcp.port = ${ports.management}`,
  ];
  const config = [
    ...(inDocker ? [] : listeners),
    `load_definitions = ${inDocker ? '/etc/rabbitmq/definitions.json' : files.definitions}`,
  ];
  await writeFile(files.config, `${config.join('\n')}\n`);
  await writeFile(files.plugins, '[rabbitmq_management].\n');
  // Loading definitions instead of the defaults also means that no user `guest` comes into being.
  await writeFile(files.definitions, JSON.stringify(brokerDefinitions(secrets.broker)), { mode: 0o600 });
  if (!existsSync(files.cookie)) await writeFile(files.cookie, secrets.erlangCookie);
  await chmod(files.cookie, 0o400);
  return files;
}

/**
 * The users of our own broker: the administrator, and one for each kind of foreign client with just its rights
 * (rabbitmq.com/docs/access-control).
 */
export function brokerDefinitions(adminPassword: string): Record<string, unknown> {
  const user = (name: string, password: string, tags: string[]) => ({
    name,
    password_hash: passwordHash(password),
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags: tags.join(','),
    limits: {},
  });
  const permission = (name: string, configure: string, write: string, read: string) => ({
    ...{ user: name, vhost: '/', configure, write, read },
  });
  return {
    users: [
      user('warren', adminPassword, ['administrator']),
      user('alert_user', 'alertme', []),
      user('rpc_user', 'rpcme', []),
    ],
    vhosts: [{ name: '/' }],
    permissions: [
      permission('warren', '.*', '.*', '.*'),
      permission('alert_user', '^$', '^alerts$', '^$'),
      // Its own reply queue, named by the broker, or the direct reply-to.
      permission('rpc_user', '^amq\\.gen.*$', '^rpc$', '^(amq\\.gen.*|amq\\.rabbitmq\\.reply-to.*)$'),
    ],
  };
}

/** As rabbitmq.com/docs/passwords says: salt, then SHA-256 over salt and password. */
function passwordHash(password: string): string {
  const salt = randomBytes(4);
  const hash = createHash('sha256').update(salt).update(password).digest();
  return Buffer.concat([salt, hash]).toString('base64');
}
