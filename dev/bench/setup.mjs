import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = fileURLToPath(new URL('.', import.meta.url));

/** Writes a line of progress; results alone go to stdout. */
export const log = (text) => console.error(text);

/** Installs the libraries that Warren is compared with, if they are missing. */
export function installContestants() {
  const { dependencies } = JSON.parse(readFileSync(`${here}package.json`, 'utf8'));
  if (Object.keys(dependencies).every((name) => existsSync(`${here}node_modules/${name}`))) return;
  log('Installing the contestants (npm ci in dev/bench/).');
  execFileSync('npm', ['ci', '--legacy-peer-deps', '--no-audit', '--no-fund'], {
    cwd: here,
    stdio: 'inherit',
  });
}

/** Compiles the package that is measured. */
export function buildWarren() {
  log('Compiling Warren (npm run build).');
  const cwd = join(here, '../..');
  execFileSync('npm', ['run', '--silent', 'build'], { cwd, stdio: ['ignore', 2, 'inherit'] });
}

/** Returns the broker of AMQP_URL, or starts a private one. */
export async function useBroker() {
  const given = process.env.AMQP_URL;
  return given ? { url: given, stop: async () => undefined } : startBroker();
}

/** Starts a private broker. Needs the loader for TypeScript. */
export async function startBroker() {
  const { startStack } = await import('../stack/stack.ts');
  const dataDir = await mkdtemp(join(tmpdir(), 'warren-bench-'));
  log('Starting a RabbitMQ for this run.');
  const options = { dataDir, ports: 'free', functions: undefined, given: {}, report: () => undefined };
  const stack = await startStack(options);
  return {
    url: stack.env.AMQP_URL,
    managementUrl: stack.env.AMQP_MANAGEMENT_URL,
    async stop() {
      await stack.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
