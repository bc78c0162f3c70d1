import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { projectFile } from '../../../../dev/stack/project.ts';
import { isAlive } from '../../../support/worker-process.ts';

const handlers = `
import { existsSync, writeFileSync } from 'node:fs';
export const pid = async () => ({ statusCode: 200, body: String(process.pid) });
export const exit = async () => process.exit(4);
export const spin = async () => { for (;;); };
export const slow = async () => {
  writeFileSync(new URL('begun', import.meta.url), '');
  while (!existsSync(new URL('release', import.meta.url))) await new Promise((done) => setTimeout(done, 20));
  return { statusCode: 200, body: 'slow' };
};
`;
const names = ['pid', 'exit', 'spin', 'slow'];

interface Line {
  msg: string;
  port?: number;
  metricsPort?: number;
  pid?: number;
}

describe('warren serve --processes', () => {
  let folder: string;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-serve-'));
    await writeFile(join(folder, 'work.mjs'), handlers);
    const functions = Object.fromEntries(
      names.map((name) => [
        name,
        { handler: `work.${name}`, timeout: name === 'spin' ? 1 : 20, events: [{ httpApi: `GET /${name}` }] },
      ]),
    );
    await writeFile(join(folder, 'warren.json'), JSON.stringify({ functions }));
    const spinning = { functions: { pid: functions['pid'], spin: functions['spin'] } };
    spinning.functions.pid = { ...(functions['pid'] as object), timeout: 1 } as never;
    await writeFile(join(folder, 'spinning.json'), JSON.stringify(spinning));
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const serve = async (manifest: string, ...args: string[]) => {
    const ports = ['--port', '0', '--metrics-port', '0'];
    const command = [projectFile('dev/warren.mjs'), 'serve', '-m', join(folder, manifest), ...ports, ...args];
    const env = { ...process.env, WARREN_DATA: '/nowhere', LOG_LEVEL: 'info' };
    const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    const lines: Line[] = [];
    let errors = '';
    createInterface({ input: child.stdout }).on('line', (text) => void lines.push(JSON.parse(text) as Line));
    child.stderr.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    const exited = new Promise<number | string>((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? signal ?? ''));
    });
    const up = () => lines.find(({ msg }) => msg === 'serving');
    await Promise.race([expect.poll(up, { timeout: 60_000 }).toBeDefined(), exited]);
    // Without a kept connection, each request may reach another process.
    const get = async (path: string) =>
      fetch(`http://127.0.0.1:${up()?.port}${path}`, { headers: { connection: 'close' } });
    const probe = async (path: string) => fetch(`http://127.0.0.1:${up()?.metricsPort}${path}`);
    const pids = async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, async () => (await get('/pid')).text()));
      return new Set(answers.map(Number));
    };
    const requests = async () => {
      const text = await (await probe('/metrics')).text();
      const counts = [
        ...text.matchAll(/^warren_http_request_duration_seconds_count\{.*route="\/pid".*\} (\d+)$/gm),
      ];
      return counts.reduce((sum, [, count]) => sum + Number(count), 0);
    };
    return { child, lines, exited, get, probe, pids, requests, errors: () => errors };
  };

  it('several processes share one port, one health endpoint and one sum of metrics, which a killed process does not lower', async () => {
    const { child, get, probe, pids, requests } = await serve('warren.json', '--processes', '2');
    const first = await pids();
    expect(first.size).toBe(2);
    expect(first).not.toContain(child.pid);
    await expect.poll(requests, { timeout: 10_000 }).toBe(8);
    await expect(get('/exit')).rejects.toThrow();
    // The other one serves meanwhile.
    expect((await get('/pid')).status).toBe(200);
    expect((await probe('/readyz')).status).toBe(200);
    const restarts = async () => (await probe('/metrics')).text();
    await expect.poll(restarts, { timeout: 30_000 }).toContain('warren_http_process_restarts_total 1');
    await expect.poll(async () => (await pids()).size, { timeout: 30_000 }).toBe(2);
    expect(await requests()).toBeGreaterThanOrEqual(17);
    expect([...(await pids())].filter((pid) => first.has(pid))).toHaveLength(1);
  }, 90_000);

  it('a process whose event loop stays blocked is replaced, while health and metrics answer and the other one serves', async () => {
    const { lines, get, probe, pids } = await serve('spinning.json', '--processes', '2');
    const first = await pids();
    const blocked = get('/spin').catch((error: unknown) => error);
    const ended = () => lines.filter(({ msg }) => msg.startsWith('a call blocked the event loop'));
    await expect.poll(ended, { timeout: 30_000 }).toHaveLength(1);
    expect((await probe('/readyz')).status).toBe(200);
    expect((await probe('/metrics')).status).toBe(200);
    expect(await blocked).toBeInstanceOf(Error);
    await expect.poll(async () => (await pids()).size, { timeout: 30_000 }).toBe(2);
    expect([...(await pids())].filter((pid) => first.has(pid))).toHaveLength(1);
  }, 90_000);

  it('SIGTERM drains all processes, the exit code is 0, and none is left', async () => {
    const { child, exited, get, pids } = await serve('warren.json', '--processes', '2');
    const all = [...(await pids())];
    const slow = get('/slow');
    const { existsSync } = await import('node:fs');
    await expect.poll(() => existsSync(join(folder, 'begun'))).toBe(true);
    // Each request of a client that goes on has an answer or an error, also those that arrive while the processes close their servers.
    let isRefused = false;
    const client = async () => {
      while (!isRefused) {
        await get('/pid').catch((error: Error) => {
          isRefused = (error.cause as NodeJS.ErrnoException).code === 'ECONNREFUSED';
        });
      }
    };
    const clients = Promise.all(Array.from({ length: 20 }, client));
    child.kill('SIGTERM');
    await clients;
    await writeFile(join(folder, 'release'), '');
    expect(await (await slow).text()).toBe('slow');
    expect(await exited).toBe(0);
    expect(all.filter(isAlive)).toEqual([]);
  }, 60_000);

  it('no process outlives the first one, even if it computes without end', async () => {
    const { child, get, pids } = await serve('warren.json', '--processes', '2');
    const all = [...(await pids())];
    void get('/spin').catch(() => undefined);
    child.kill('SIGKILL');
    await expect.poll(() => all.filter(isAlive), { timeout: 20_000 }).toEqual([]);
  }, 60_000);

  it('a taken port is an error at the start, of all processes together', async () => {
    const { port } = (await serve('warren.json')).lines.find(({ msg }) => msg === 'serving') ?? {};
    const { exited, errors } = await serve('warren.json', '--processes', '2', '--port', String(port));
    expect(await exited).toBe(1);
    expect(errors().trim()).toBe(
      `warren: port ${port} is taken: choose another one with --port, or 0 for any`,
    );
  }, 60_000);
});
