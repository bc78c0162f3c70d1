import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBrokerProgram } from '../../runtime/local/broker-install.ts';
import { onFreePorts } from '../../runtime/local/free-port.ts';
import { startChild } from '../../runtime/local/process.ts';
import { canLogIn, RabbitmqNode } from '../../runtime/local/rabbitmq-node.ts';
import { StackError } from '../../runtime/local/stack-error.ts';
import { waitUntil } from '../../runtime/local/wait.ts';

/** A RabbitMQ in a temporary folder that tests may stop, kill and starve. Its data survives until `close`. */
export interface PrivateBroker {
  url: string;
  port: number;
  /** Port of the Erlang port mapper, for further nodes of a cluster. */
  epmd: number;
  /** Free port; the broker listens on it only if the settings contain it. */
  tlsPort: number;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Kills the node without warning, like a power failure. */
  kill(): Promise<void>;
  /** Suspends the node, or lets it continue: it keeps its connections and answers nothing meanwhile. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** What the node has printed since its start. */
  output(): Promise<string>;
  /** Runs `rabbitmqctl` and returns its output. */
  control(...args: string[]): Promise<string>;
  /** Stops the broker and removes its data. */
  close(): Promise<void>;
}

/** A node of a cluster. The others join the node that starts first. */
export interface Member {
  name: string;
  /** Names of all members. */
  all: readonly string[];
  /** The port of an epmd that another member has started. */
  epmd?: number | undefined;
}

/**
 * @param settings returns lines for rabbitmq.conf, given a free port, such as for TLS.
 * @param erlang parameters of applications that rabbitmq.conf has no name for.
 * @param member default: a node outside any cluster.
 * @param plugins names of the enabled plugins, default the one that the sample's topology needs.
 * @throws StackError if RabbitMQ is not installed on this machine, or does not start.
 */
export async function privateBroker(
  settings: (tlsPort: number) => readonly string[] = () => [],
  erlang = '',
  member: Member = { name: 'private', all: [] },
  plugins: readonly string[] = ['rabbitmq_consistent_hash_exchange'],
): Promise<PrivateBroker> {
  const program = await findBrokerProgram(() => undefined);
  if (program.kind === 'docker')
    throw new StackError('these tests need RabbitMQ installed: apt-get install rabbitmq-server');
  return onFreePorts(['amqp', 'erlang', 'epmd', 'tls'], (free) =>
    startBroker(program.command, free, { settings, erlang, member, plugins }),
  );
}

interface BrokerOptions {
  settings: (tlsPort: number) => readonly string[];
  erlang: string;
  member: Member;
  plugins: readonly string[];
}

async function startBroker(
  command: string,
  { tls: tlsPort, ...free }: Record<'amqp' | 'erlang' | 'epmd' | 'tls', number>,
  { settings, erlang, member, plugins }: BrokerOptions,
): Promise<PrivateBroker> {
  const folder = await mkdtemp(join(tmpdir(), 'warren-broker-'));
  const ports = { ...free, epmd: member.epmd ?? free.epmd };
  const cluster = [
    'cluster_formation.peer_discovery_backend = classic_config',
    ...member.all.map((name, n) => `cluster_formation.classic_config.nodes.${n + 1} = ${name}@localhost`),
  ];
  const node = new RabbitmqNode({
    command,
    name: member.name,
    folder,
    data: 'mnesia',
    logs: folder,
    ports,
    startEpmd: member.epmd === undefined,
    cookie: 'private',
    password: 'secret',
    config: [...(member.all.length > 0 ? cluster : []), ...settings(tlsPort)],
    plugins,
    erlang,
    spawn: startChild,
  });
  const url = `amqp://warren:secret@127.0.0.1:${ports.amqp}`;
  const { signal } = new AbortController();
  const broker: PrivateBroker = {
    url,
    port: ports.amqp,
    tlsPort,
    epmd: ports.epmd,
    async start() {
      const child = await node.start();
      const hint = `see ${folder}/rabbitmq.log`;
      await waitUntil('RabbitMQ', () => canLogIn(url, 'private broker'), { signal, child, hint });
    },
    stop: () => node.stop(),
    kill: () => node.kill(),
    signal: (signal) => node.signal(signal),
    output: () => readFile(join(folder, 'rabbitmq.log'), 'utf8'),
    control: (...args) => node.control(...args),
    async close() {
      await node.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await broker.start();
  } catch (error) {
    await broker.close();
    throw error;
  }
  return broker;
}
