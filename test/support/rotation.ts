import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { management, unique } from './broker.ts';
import { stack } from './stack.ts';

/** A secret in a file, as Kubernetes mounts it: a rotation replaces the file. */
export interface SecretFile {
  path: string;
  write(value: string): Promise<void>;
  remove(): Promise<void>;
}

export async function secretFile(value: string): Promise<SecretFile> {
  const folder = await mkdtemp(join(tmpdir(), 'warren-secret-'));
  const path = join(folder, 'value');
  const write = async (text: string) => {
    await writeFile(`${path}.next`, `${text}\n`);
    await rename(`${path}.next`, path);
  };
  await write(value);
  return { path, write, remove: () => rm(folder, { recursive: true }) };
}

/** A user of the broker whose password a test changes, as an operator does. */
export interface RotatedUser {
  url: string;
  /**
   * Changes the password, closes the user's connections, and returns the URL with the new password.
   *
   * @param connections number of the user's connections; the broker lists a new one after a moment.
   */
  rotate(connections: number): Promise<string>;
  remove(): Promise<void>;
}

export async function rotatedUser(): Promise<RotatedUser> {
  const name = unique('rotated');
  const setPassword = async () => {
    const password = unique('password');
    await management('PUT', `/users/${name}`, { password, tags: '' });
    return Object.assign(new URL(stack.AMQP_URL), { username: name, password }).href;
  };
  const url = await setPassword();
  await management('PUT', `/permissions/%2F/${name}`, { configure: '.*', write: '.*', read: '.*' });
  return {
    url,
    async rotate(connections) {
      const open = await vi.waitFor(() => connectionsOf(name, connections), {
        timeout: 20_000,
        interval: 100,
      });
      const renewed = await setPassword();
      await Promise.all(open.map((each) => management('DELETE', `/connections/${encodeURIComponent(each)}`)));
      return renewed;
    },
    remove: () => management('DELETE', `/users/${name}`),
  };
}

async function connectionsOf(user: string, expected: number): Promise<string[]> {
  const all = await management<{ name: string; user: string }[]>('GET', '/connections');
  const own = all.filter((each) => each.user === user);
  if (own.length !== expected)
    throw new Error(`${own.length} of ${expected} connections of ${user} are listed`);
  return own.map(({ name }) => name);
}
