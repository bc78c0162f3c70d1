import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { basicAuthorization } from '../../runtime/topology/management.ts';
import { type Stack, startStack } from '../stack/stack.ts';

/** Runs with a stack of its own, without functions, which is removed afterwards. */
export async function withStack<Result>(run: (stack: Stack) => Promise<Result>): Promise<Result> {
  const dataDir = await mkdtemp(join(tmpdir(), 'warren-course-stack-'));
  const quiet = { functions: undefined, given: {}, report: () => undefined };
  try {
    const stack = await startStack({ dataDir, ports: 'free', ...quiet });
    return await run(stack).finally(() => stack.stop());
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Makes a vhost at the broker of a stack. @returns its AMQP URL. */
export async function makeVhost({ env }: Stack, name: string): Promise<string> {
  const management = new URL(env.AMQP_MANAGEMENT_URL);
  const headers = { authorization: basicAuthorization(management) };
  const { ok } = await fetch(`${management.origin}/api/vhosts/${name}`, { method: 'PUT', headers });
  if (!ok) throw new Error(`expected RabbitMQ to make the vhost ${name}`);
  return Object.assign(new URL(env.AMQP_URL), { pathname: name }).href;
}
