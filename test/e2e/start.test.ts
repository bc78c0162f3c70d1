import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { portNames } from '../../dev/stack/ports.ts';
import { copyProject, portVariables } from '../../dev/stack/project-copy.ts';
import { onFreePorts } from '../../runtime/local/free-port.ts';
import { save } from '../support/save.ts';

/** The tests beside this one use `serverless offline`. */
describe('npm start -- --reload', () => {
  let folder: string;
  let child: ChildProcess;
  let output = '';
  let url: string;
  let ended: Promise<number | null>;

  const end = async () => {
    if (child?.exitCode === null && child.signalCode === null)
      process.kill(-(child.pid as number), 'SIGKILL');
    await ended;
  };
  beforeAll(async () => {
    folder = await copyProject();
    url = await onFreePorts(portNames, async (ports) => {
      output = '';
      child = spawn(process.execPath, ['dev/warren.mjs', 'start', '--reload'], {
        cwd: folder,
        env: { ...process.env, ...portVariables(ports), WARREN_STORAGE: 's3rver' },
        // As in a terminal, an interrupt reaches the whole group.
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (output += data));
      ended = new Promise((resolve) => child.once('close', resolve));
      const isUp = () => expect(child.exitCode !== null || output.includes('Warren is up')).toBe(true);
      await vi.waitFor(isUp, { timeout: 170_000, interval: 100 }).catch(async (error) => {
        await end();
        throw error;
      });
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(output);
      return `http://127.0.0.1:${ports.http}`;
    });
  }, 180_000);
  afterAll(async () => {
    await end();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const page = async () => (await fetch(`${url}/`)).text();

  it('the functions of the sample answer in the hosts of warren dev, with the environment that they need', async () => {
    expect(await page()).toContain('<html');
    const health = async () => (await fetch(new URL('/health', url))).status;
    await expect.poll(health, { timeout: 60_000 }).toBe(200);
  }, 120_000);

  it('a saved handler and a saved file that it imports answer the next request with their new code', async () => {
    const file = join(folder, 'functions/page/show.ts');
    const text = await readFile(file, 'utf8');
    const answer = (body: string) =>
      `export const handler = async () => ({ statusCode: 200, body: ${body} });`;
    await save(join(folder, 'functions/page/show-text.ts'), `export const text: string = 'imported';`);
    await save(file, `import { text } from './show-text.ts';\n${answer('text')}`);
    await expect.poll(page, { timeout: 120_000 }).toBe('imported');
    await save(join(folder, 'functions/page/show-text.ts'), `export const text: string = 'saved';`);
    await expect.poll(page, { timeout: 120_000 }).toBe('saved');
    await save(file, text);
    await expect.poll(page, { timeout: 120_000 }).toContain('<html');
  }, 400_000);

  it('an interrupt at the terminal ends everything, and reports no process of a function as ended', async () => {
    process.kill(-(child.pid as number), 'SIGINT');
    expect(await ended).toBe(0);
    expect(output).toMatch(/everything has ended/);
    expect(output).not.toMatch(/starting another/);
  }, 120_000);
});
