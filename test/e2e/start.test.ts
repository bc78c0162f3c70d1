import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { portNames } from '../../dev/stack/ports.ts';
import { copyProject, portVariables } from '../../dev/stack/project-copy.ts';
import { readStackEnv } from '../../dev/stack/read-stack-env.ts';
import { onFreePorts } from '../../runtime/local/free-port.ts';
import { processesWith } from '../support/processes.ts';
import { save } from '../support/save.ts';

/** The tests beside this one use the `serverless offline` of `npm start -- --no-reload`. */
describe('npm start', () => {
  let folder: string;
  let child: ChildProcess;
  let output = '';
  let url: string;
  let amqpUrl: string;
  /** Gets its temporary folders. */
  let temporary: string;
  let ended: Promise<number | null>;

  const end = async () => {
    if (child?.exitCode === null && child.signalCode === null)
      process.kill(-(child.pid as number), 'SIGKILL');
    await ended;
  };
  beforeAll(async () => {
    folder = await copyProject();
    const data = join(folder, '.data');
    temporary = join(folder, '.tmp');
    await mkdir(temporary);
    url = await onFreePorts(portNames, async (ports) => {
      output = '';
      child = spawn(process.execPath, ['dev/warren.mjs', 'start', '--data', data], {
        cwd: folder,
        env: { ...process.env, ...portVariables(ports), WARREN_STORAGE: 's3rver', TMPDIR: temporary },
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
      amqpUrl = readStackEnv(data)['AMQP_URL'] ?? '';
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

  it('the board is served beside the functions, at the address that the summary shows', async () => {
    const [, board = ''] = /Board +(http:\S+)/.exec(output) ?? [];
    const status = async () =>
      fetch(board).then(
        (response) => response.status,
        () => undefined,
      );
    // It starts after the functions, because its page is bundled first.
    await expect.poll(status, { timeout: 120_000 }).toBe(200);
  }, 180_000);

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

  const printed = (text: RegExp) => expect.poll(() => output, { timeout: 120_000 }).toMatch(text);
  const printing = (text: string) =>
    `export const handler = async (): Promise<void> => console.log('${text}');`;

  it('a saved function runs its new code with the next message and at the next time of its schedule', async () => {
    await save(join(folder, 'functions/operations/watch-queues.ts'), printing('watched by new code'));
    const model = await connect(amqpUrl);
    try {
      const channel = await model.createConfirmChannel();
      const send = () =>
        channel.sendToQueue('log-upload', Buffer.from('{}'), { contentType: 'application/json' });
      // Its process starts with the first message, so that the save gives it another one.
      send();
      await printed(/log-upload +log-upload +log-upload .* ms/);
      await save(join(folder, 'functions/pictures/log.ts'), printing('logged by new code'));
      await printed(/reloaded.*log-upload/);
      send();
      await printed(/^logged by new code$/m);
    } finally {
      await model.close();
    }
    await printed(/^watched by new code$/m);
  }, 400_000);

  it('a syntax error is reported once with its line, and the old code answers until it is mended', async () => {
    const file = join(folder, 'functions/page/show.ts');
    const text = await readFile(file, 'utf8');
    await save(file, `${text}\nconst broken = ;\n`);
    const line = text.split('\n').length + 1;
    await printed(new RegExp(`not reloaded[\\s\\S]*functions/page/show\\.ts:${line}:15: ERROR`));
    expect(await page()).toContain('<html');
    await save(file, `export const handler = async () => ({ statusCode: 200, body: 'mended' });`);
    await expect.poll(page, { timeout: 120_000 }).toBe('mended');
    expect(output.match(/not reloaded/g)).toHaveLength(1);
  }, 400_000);

  it('the stack trace of an error in a saved function names the line of TypeScript', async () => {
    const throwing = `interface Failure {}\n\nexport const handler = async (): Promise<Failure> => {\n  throw new Error('it failed');\n};\n`;
    await save(join(folder, 'functions/page/show.ts'), throwing);
    await expect.poll(async () => (await fetch(`${url}/`)).status, { timeout: 120_000 }).toBe(500);
    await printed(/it failed[\s\S]*functions\/page\/show\.ts:4:9/);
  }, 240_000);

  it('an interrupt at the terminal ends everything without an error, and leaves no process and no temporary folder', async () => {
    const before = output.length;
    process.kill(-(child.pid as number), 'SIGINT');
    expect(await ended).toBe(0);
    const last = output.slice(before);
    expect(last).toMatch(/everything has ended/);
    expect(last).not.toMatch(/starting another|not started|error/i);
    expect(processesWith(temporary)).toEqual([]);
    // What tsx has compiled is for the next start.
    expect((await readdir(temporary)).filter((name) => !name.startsWith('tsx-'))).toEqual([]);
  }, 120_000);
});
