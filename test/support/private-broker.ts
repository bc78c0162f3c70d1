import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brokerDefinitions } from '../../dev/stack/broker.ts';
import { findBrokerProgram } from '../../dev/stack/broker-install.ts';
import { choosePorts } from '../../dev/stack/ports.ts';
import { type StackChild, startChild } from '../../dev/stack/process.ts';
import { waitUntil } from '../../dev/stack/wait.ts';
import { BrokerConnection } from '../../runtime/amqp/connection.ts';

/** A RabbitMQ that a test may stop, kill and starve; its data outlives each of that. */
export interface PrivateBroker {
  url: string;
  port: number;
  /** Where its nodes find each other. */
  epmd: number;
  /** Of TLS, where the settings name it. */
  tlsPort: number;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** As a power failure does. */
  kill(): Promise<void>;
  /** Runs `rabbitmqctl`, and gives what it prints. */
  control(...args: string[]): Promise<string>;
  close(): Promise<void>;
}

/** A node of a cluster; the first to start is there for the others to join. */
export interface Member {
  name: string;
  /** Names of all members. */
  all: readonly string[];
  /** The port of an epmd that another member has started. */
  epmd?: number | undefined;
}

/**
 * @param settings lines for rabbitmq.conf, made of the port for TLS.
 * @param erlang parameters of applications that rabbitmq.conf has no name for.
 * @param member default a node of its own.
 */
export async function privateBroker(
  settings: (tlsPort: number) => readonly string[] = () => [],
  erlang = '',
  member: Member = { name: 'private', all: [] },
): Promise<PrivateBroker> {
  const program = await findBrokerProgram(() => undefined);
  if (program.kind === 'docker')
    throw new Error('these tests need RabbitMQ installed: apt-get install rabbitmq-server');
  const folder = await mkdtemp(join(tmpdir(), 'warren-broker-'));
  const ports = await choosePorts('free', {});
  const epmdPort = member.epmd ?? ports.epmd;
  const { amqp: port, management: tlsPort } = ports;
  const [config, plugins, definitions] = ['rabbitmq.conf', 'plugins', 'definitions.json'].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  await mkdir(join(folder, 'log'));
  const lines = [
    ...[`listeners.tcp.local = 127.0.0.1:${port}`, `load_definitions = ${definitions}`],
    ...(member.all.length > 0 ? ['cluster_formation.peer_discovery_backend = classic_config'] : []),
    ...member.all.map((name, n) => `cluster_formation.classic_config.nodes.${n + 1} = ${name}@localhost`),
  ];
  await writeFile(config, `${[...lines, ...settings(tlsPort)].join('\n')}\n`);
  await writeFile(plugins, '[].\n');
  await writeFile(definitions, JSON.stringify(brokerDefinitions('secret')));
  await writeFile(join(folder, '.erlang.cookie'), 'private');
  await chmod(join(folder, '.erlang.cookie'), 0o400);
  const env = {
    ...{ PATH: process.env['PATH'], LANG: 'C.UTF-8', HOME: folder },
    ...{ ERL_EPMD_ADDRESS: '127.0.0.1', ERL_EPMD_PORT: String(epmdPort) },
    ...{ RABBITMQ_NODENAME: `${member.name}@localhost`, RABBITMQ_NODE_PORT: String(port) },
    ...{ RABBITMQ_DIST_PORT: String(ports.erlang), RABBITMQ_MNESIA_BASE: join(folder, 'mnesia') },
    ...{ RABBITMQ_LOG_BASE: join(folder, 'log'), RABBITMQ_LOGS: '-' },
    ERL_CRASH_DUMP: join(folder, 'erl_crash.dump'),
    ...{ RABBITMQ_PID_FILE: join(folder, 'pid'), RABBITMQ_CONFIG_FILE: config },
    ...{ RABBITMQ_ENABLED_PLUGINS_FILE: plugins, RABBITMQ_CONF_ENV_FILE: join(folder, 'none') },
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-kernel inet_dist_use_interface {127,0,0,1} ${erlang}`,
  };
  const child = (name: string, command: string, graceMs?: number) =>
    startChild({
      name,
      command,
      args: [],
      env,
      logFile: join(folder, `${name}.log`),
      ...(graceMs && { graceMs }),
    });
  const epmd = member.epmd === undefined ? child('epmd', 'epmd') : undefined;
  const url = `amqp://warren:secret@127.0.0.1:${port}`;
  let node: StackChild | undefined;

  const broker: PrivateBroker = {
    ...{ url, port, tlsPort, epmd: epmdPort },
    async start() {
      node = child('node', program.command, 30_000);
      const { signal } = new AbortController();
      const hint = `see ${folder}/node.log`;
      await waitUntil('RabbitMQ', () => answers(url), { signal, child: node, hint });
    },
    async stop() {
      await node?.stop();
    },
    async kill() {
      if (!node) return;
      process.kill(-node.pid, 'SIGKILL');
      await node.exited;
    },
    async control(...args) {
      const command = program.command.replace(/rabbitmq-server$/, 'rabbitmqctl');
      const { stdout } = await promisify(execFile)(command, args, { env });
      return stdout;
    },
    async close() {
      await node?.stop();
      await epmd?.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await broker.start();
  return broker;
}

async function answers(url: string): Promise<boolean> {
  const connection = new BrokerConnection({ url, name: 'test: is it there' });
  try {
    await connection.channel();
    return true;
  } finally {
    await connection.close();
  }
}
