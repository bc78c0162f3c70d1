import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BrokerConnection } from '../amqp/connection.ts';
import { type BrokerUser, brokerDefinitions } from './broker-definitions.ts';
import { endStatistics, thisMachineOnly } from './end-statistics.ts';
import type { ChildSettings, StackChild } from './process.ts';

export interface NodeSettings {
  /** Path of `rabbitmq-server`, with `rabbitmqctl` beside it. */
  command: string;
  /** Node name; the host is always `localhost`. */
  name: string;
  /** Holds all files of the node. */
  folder: string;
  /** Folder for the data, relative to `folder`. */
  data: string;
  /** Existing folder for the output of the node and of epmd. */
  logs: string;
  ports: { amqp: number; erlang: number; epmd: number };
  /** Whether this node starts its own epmd; members of a cluster share the epmd of the first node. */
  startEpmd: boolean;
  /** Nodes with the same cookie can join each other. */
  cookie: string;
  /** Password of the administrator `warren`. */
  password: string;
  /** Further users, default none. */
  users?: readonly BrokerUser[];
  /** Lines of rabbitmq.conf, besides the listener and the definitions. */
  config: readonly string[];
  /** Names of the enabled plugins. */
  plugins: readonly string[];
  /** Further arguments for Erlang. */
  erlang: string;
  spawn(settings: ChildSettings): StackChild;
}

/** A RabbitMQ node on this machine. It can be stopped and started again and keeps its data. */
export class RabbitmqNode {
  readonly #settings: NodeSettings;
  #epmd: StackChild | undefined;
  #child: StackChild | undefined;

  constructor(settings: NodeSettings) {
    this.#settings = settings;
  }

  /** Starts the program. It accepts connections only later: see `canLogIn`. */
  async start(): Promise<StackChild> {
    const { command, config, cookie, folder, password, users, plugins, ports, startEpmd } = this.#settings;
    if (!this.#child) {
      await mkdir(join(folder, 'log'), { recursive: true });
      await writeBrokerFiles({
        folder,
        cookie,
        password,
        users,
        plugins,
        config: [
          `listeners.tcp.local = 127.0.0.1:${ports.amqp}`,
          `load_definitions = ${join(folder, 'definitions.json')}`,
          ...config,
        ],
      });
    }
    // Without a running epmd, Erlang starts a port mapper that outlives it.
    if (startEpmd) this.#epmd ??= this.#spawn('epmd', 'epmd');
    this.#child = this.#spawn('rabbitmq', command, 30_000);
    return this.#child;
  }

  async stop(): Promise<void> {
    const isUp = this.#child?.ended() === undefined;
    if (isUp && this.#settings.plugins.includes('rabbitmq_management'))
      await endStatistics(`${this.#settings.name}@localhost`, this.#environment());
    await this.#child?.stop();
  }

  /** Kills the node without warning, like a power failure. */
  async kill(): Promise<void> {
    if (!this.#child || this.#child.ended() !== undefined) return;
    process.kill(-this.#child.pid, 'SIGKILL');
    await this.#child.exited;
  }

  /** Suspends the node, or lets it continue: it keeps its connections and answers nothing meanwhile. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#child) process.kill(-this.#child.pid, signal);
  }

  /** Runs `rabbitmqctl` and returns its output. */
  async control(...args: string[]): Promise<string> {
    const command = this.#settings.command.replace(/rabbitmq-server$/, 'rabbitmqctl');
    const { stdout } = await promisify(execFile)(command, args, { env: this.#environment() });
    return stdout;
  }

  /** Stops the node and its epmd. */
  async close(): Promise<void> {
    await this.stop();
    await this.#epmd?.stop();
  }

  #spawn(name: string, command: string, graceMs?: number): StackChild {
    const logFile = join(this.#settings.logs, `${name}.log`);
    const env = this.#environment();
    return this.#settings.spawn({ name, command, args: [], env, logFile, ...(graceMs && { graceMs }) });
  }

  #environment(): Record<string, string | undefined> {
    const { data, erlang, folder, name, ports } = this.#settings;
    return {
      PATH: process.env['PATH'],
      LANG: 'C.UTF-8',
      // Erlang reads the cookie, the password between nodes, from the home folder.
      HOME: folder,
      ERL_EPMD_ADDRESS: '127.0.0.1',
      ERL_EPMD_PORT: String(ports.epmd),
      RABBITMQ_NODENAME: `${name}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: String(ports.amqp),
      RABBITMQ_DIST_PORT: String(ports.erlang),
      RABBITMQ_MNESIA_BASE: join(folder, data),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      // The default is the current folder.
      ERL_CRASH_DUMP: join(folder, 'log', 'erl_crash.dump'),
      RABBITMQ_LOGS: '-',
      RABBITMQ_PID_FILE: join(folder, 'rabbitmq.pid'),
      RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
      // Ignore the settings of the machine's own broker.
      RABBITMQ_CONF_ENV_FILE: join(folder, 'none.conf'),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: [...thisMachineOnly, erlang].join(' '),
    };
  }
}

/** Writes the configuration of a broker into an existing folder. */
export async function writeBrokerFiles(files: {
  folder: string;
  cookie: string;
  password: string;
  users?: readonly BrokerUser[] | undefined;
  plugins: readonly string[];
  config: readonly string[];
}): Promise<void> {
  const path = (name: string) => join(files.folder, name);
  await writeFile(path('rabbitmq.conf'), `${files.config.join('\n')}\n`);
  await writeFile(path('enabled_plugins'), `[${files.plugins.join(',')}].\n`);
  // A broker that loads definitions does not create the default user `guest`.
  await writeFile(path('definitions.json'), JSON.stringify(brokerDefinitions(files.password, files.users)), {
    mode: 0o600,
  });
  if (!existsSync(path('.erlang.cookie'))) await writeFile(path('.erlang.cookie'), files.cookie);
  await chmod(path('.erlang.cookie'), 0o400);
}

/**
 * Opens a connection and a channel, and closes them again.
 *
 * @returns true.
 * @throws WarrenError if the broker is unavailable or refuses the login.
 */
export async function canLogIn(url: string, name: string): Promise<boolean> {
  const connection = new BrokerConnection({ url, name });
  try {
    await connection.channel();
    return true;
  } finally {
    await connection.close();
  }
}
