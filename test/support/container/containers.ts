import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, vi } from 'vitest';
import type { StackEnv } from '../../../dev/stack/stack-env.ts';
import { composeEnvironments, readCompose } from '../compose.ts';
import type { Built } from './dockerfile.ts';

/** A service of compose.yaml, running as a process of this machine. */
export interface Container {
  name: string;
  /** Address of the routes, if it has any. */
  port: number;
  /** Address of its metrics and probes. */
  metrics: string;
  output(): string;
  /** The exit code of the image's HEALTHCHECK. */
  health(): Promise<number>;
  /** Sends SIGTERM, and gives the exit code. */
  stop(): Promise<number | string>;
}

/**
 * Runs services of compose.yaml from the files of the image, as its user: their own commands, their own logins at the broker,
 * with the addresses and passwords of a stack's parts in place of the containers' ones.
 *
 * @param environments those of another installation than compose.yaml.
 */
export function createContainers(image: Built, stack: StackEnv, environments = composeEnvironments()) {
  const { services } = readCompose();
  const app = (path: string) => path.replace(/^\/(?=app\b)/, `${image.root}/`);
  const [, ...entry] = image.entrypoint.map(app);
  const running = new Map<ChildProcess, Container>();
  // It has one login and no policies; other storages have accounts for the services beside the administrator's.
  const isS3rver = stack.AWS_ACCESS_KEY_ID === 'S3RVER';
  // Only root may change the user.
  const user = process.getuid?.() === 0 ? image.user : {};

  const envOf = (name: string): Record<string, string> => {
    const env = environments.of(name);
    const isOwn = !isS3rver && env['AWS_ACCESS_KEY_ID'] !== 'warren';
    const keys = isOwn ? [] : (['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const);
    for (const key of ['S3_ENDPOINT', 'S3_BUCKET', 'SMTP_URL', ...keys] as const) {
      if (env[key] !== undefined) env[key] = stack[key];
    }
    if (env['S3_PUBLIC_ENDPOINT']) env['S3_PUBLIC_ENDPOINT'] = stack.S3_ENDPOINT;
    for (const key of ['AMQP_URL', 'AMQP_MANAGEMENT_URL'] as const) {
      const own = new URL(env[key] ?? stack[key]);
      const there = new URL(stack[key]);
      own.host = there.host;
      if (own.username === 'admin')
        Object.assign(own, { username: there.username, password: there.password });
      if (env[key] !== undefined) env[key] = own.href;
    }
    for (const key of ['DATABASE_URL', 'FUNCTIONS_DATABASE_URL'] as const) {
      if (env[key]) env[key] = ownLogin(env[key], stack.DATABASE_URL);
    }
    const settings = Object.entries(image.env).map(([key, value]) => [key, app(value)]);
    return { ...Object.fromEntries(settings), ...env, WARREN_HOST: '127.0.0.1', PATH: '/nowhere' };
  };
  const spawnOne = (name: string, command: readonly string[]) => {
    const cwd = join(image.root, image.workdir);
    const stdio = ['ignore', 'pipe', 'pipe'] as const;
    const child = spawn(process.execPath, [...entry, ...command], {
      cwd,
      env: envOf(name),
      ...user,
      stdio: [...stdio],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        output += data.toString();
      });
    }
    const exited = new Promise<number | string>((resolve) => {
      child.once('close', (code, signal) => resolve(code ?? signal ?? ''));
    });
    return { child, exited, output: () => output };
  };
  const commandOf = (name: string) => {
    const command = services[name]?.command ?? [];
    const anyPort = command[0] === 'serve' ? ['--port', '0', '--metrics-port', '0'] : ['--port', '0'];
    return [...command, ...anyPort];
  };
  const endingCommandOf = (name: string) =>
    (services[name]?.command ?? []).filter((word) => !isS3rver || word !== '--accounts');

  return {
    /** Passwords and keys by variable. */
    env: environments.secrets,
    running: () => [...running.values()],
    async start(name: string): Promise<Container> {
      const { child, exited, output } = spawnOne(name, commandOf(name));
      const lines: { msg: string; port?: number; metricsPort?: number }[] = [];
      if (child.stdout)
        createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
      const up = () => lines.find(({ msg }) => ['worker is up', 'serving', 'scheduler is up'].includes(msg));
      let ended = false;
      void exited.then(() => {
        ended = true;
      });
      // Also called before the tests.
      await vi.waitFor(() => expect(up() !== undefined || ended, `${name}: ${output()}`).toBe(true), {
        timeout: 150_000,
      });
      expect(up(), output()).toBeDefined();
      const { port = 0, metricsPort = port } = up() ?? {};
      const container: Container = {
        name,
        port,
        metrics: `http://127.0.0.1:${metricsPort}`,
        output,
        async health() {
          const [, ...args] = image.healthcheck.map(app);
          const env = { ...envOf(name), WARREN_METRICS_PORT: String(metricsPort) };
          return promisify(execFile)(process.execPath, args, { env, ...user }).then(
            () => 0,
            (error: { code: number }) => error.code,
          );
        },
        async stop() {
          running.delete(child);
          child.kill('SIGTERM');
          return exited;
        },
      };
      running.set(child, container);
      return container;
    },
    /** Runs a service that ends by itself and returns its output; throws if it fails. */
    async runToEnd(name: string, command = endingCommandOf(name)): Promise<string> {
      const { exited, output } = spawnOne(name, command);
      const code = await exited;
      expect(code, output()).toBe(0);
      return output();
    },
    async stopAll(): Promise<void> {
      const codes = await Promise.all([...running.values()].map((each) => each.stop()));
      expect(codes.filter((code) => code !== 0)).toEqual([]);
    },
    /** What each takes at most so far, for people. */
    memory: () =>
      [...running].map(([child, { name }]) => {
        const [, kilobytes] =
          /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? [];
        return `${name}: ${Math.round(Number(kilobytes) / 1024)} MiB at most`;
      }),
  };
}

/** The database of a stack, with the functions' login if the URL has it, else with the owner's. */
function ownLogin(url: string, there: string): string {
  const { username, password } = new URL(url);
  return username === 'functions' ? Object.assign(new URL(there), { username, password }).href : there;
}
