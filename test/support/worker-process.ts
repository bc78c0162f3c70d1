import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { vi } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { stack } from './stack.ts';

/** Does what its message requests, and notes when each call begins and ends. */
const handler = `
import { appendFileSync } from 'node:fs';
const notes = new URL('notes', import.meta.url);
export async function handler(event) {
  for (const message of Object.values(event.rmqMessagesByQueue).flat()) {
    const body = JSON.parse(Buffer.from(message.data, 'base64').toString());
    const { redelivered, basicProperties } = message;
    const deliveries = basicProperties.headers?.['x-delivery-count'] ?? 0;
    const note = (step) => appendFileSync(notes, JSON.stringify({
      step, n: body.n, pid: process.pid, redelivered, deliveries, function: process.env.AWS_LAMBDA_FUNCTION_NAME, table: process.env.TABLE,
    }) + '\\n');
    note('begin');
    if (body.ms) await new Promise((resolve) => setTimeout(resolve, body.ms));
    if (body.spinMs) for (const end = Date.now() + body.spinMs; Date.now() < end; );
    if (body.print) process.stdout.write(body.print + '\\n');
    if (body.die === 'exit') process.exit(0);
    if (body.die === 'kill') process.kill(process.pid, 'SIGKILL');
    if (body.die === 'memory') for (const all = []; ; ) all.push(new Array(1e5).fill(Math.random()));
    if (body.die === 'stray') {
      Promise.reject(new Error('a stray rejection'));
      await new Promise((resolve) => setTimeout(resolve, 10_000));
    }
    note('end');
  }
}
`;

/** The same, and its process ends soon after it has loaded while there is a file `fragile`. */
const fragile = `
import { existsSync } from 'node:fs';
export { handler } from './work.mjs';
if (existsSync(new URL('fragile', import.meta.url))) setTimeout(() => process.exit(3), 50);
`;

export interface Note {
  step: 'begin' | 'end';
  n: unknown;
  pid: number;
  redelivered: boolean;
  /** Earlier deliveries that the broker counted. */
  deliveries: number;
  function: string;
  table?: string;
}

export interface LogLine {
  level: number;
  msg: string;
  port?: number;
  metricsPort?: number;
  function?: string;
  functions?: string[];
  err?: { message: string };
}

/** A folder with functions that do what their messages request, for workers in processes of their own. */
export class WorkerFolder {
  readonly path: string;
  readonly #children: ChildProcess[] = [];

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<WorkerFolder> {
    const folder = new WorkerFolder(await mkdtemp(join(projectFile('node_modules'), '.worker-test-')));
    await writeFile(join(folder.path, 'work.mjs'), handler);
    await writeFile(join(folder.path, 'fragile.mjs'), fragile);
    await folder.clear();
    return folder;
  }

  /** Writes another module with handlers. */
  async write(file: string, text: string): Promise<void> {
    await writeFile(join(this.path, file), text);
  }

  /** Forgets the notes, and kills the workers. */
  async clear(): Promise<void> {
    for (const child of this.#children.splice(0)) child.kill('SIGKILL');
    await writeFile(join(this.path, 'notes'), '');
  }

  async remove(): Promise<void> {
    await this.clear();
    await rm(this.path, { recursive: true, force: true });
  }

  async manifest(functions: Record<string, object>, custom: object = {}): Promise<void> {
    const definitions = Object.entries(functions).map(([name, definition]) => [
      name,
      { handler: 'work.handler', timeout: 20, ...definition },
    ]);
    const manifest = { functions: Object.fromEntries(definitions), custom: { warren: custom } };
    await writeFile(join(this.path, 'warren.json'), JSON.stringify(manifest));
  }

  /** Creates an empty file, and returns what removes it. */
  async mark(name: string): Promise<() => Promise<void>> {
    const file = join(this.path, name);
    await writeFile(file, '');
    return () => rm(file);
  }

  notes(): Note[] {
    const lines = readFileSync(join(this.path, 'notes'), 'utf8').trim().split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Note);
  }

  /** The steps of a message, in order. */
  steps(n: unknown): string[] {
    return this.notes()
      .filter((note) => note.n === n)
      .map(({ step }) => step);
  }

  /** Starts `warren worker`, or `warren serve`, and resolves when it is up or has ended. */
  async start(
    args: readonly string[] = [],
    given: NodeJS.ProcessEnv = {},
    name: 'worker' | 'serve' = 'worker',
  ) {
    const ports = name === 'serve' ? ['--port', '0', '--metrics-port', '0'] : ['--port', '0'];
    const manifest = ['--manifest', join(this.path, 'warren.json'), ...ports];
    const env = {
      ...process.env,
      AMQP_URL: stack.AMQP_URL,
      WARREN_DATA: '/nowhere',
      LOG_LEVEL: 'info',
      ...given,
    };
    const command = [projectFile('dev/warren.mjs'), name, ...manifest, ...args];
    const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.push(child);
    const lines: LogLine[] = [];
    const texts: string[] = [];
    let errors = '';
    createInterface({ input: child.stdout }).on('line', (text) => {
      texts.push(text);
      if (text.startsWith('{')) lines.push(JSON.parse(text) as LogLine);
    });
    child.stderr.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    const exited = new Promise<number | string>((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? signal ?? ''));
    });
    const up = () => lines.find(({ msg }) => msg === 'worker is up' || msg === 'serving');
    await Promise.race([vi.waitUntil(up, { timeout: 60_000 }), exited]);
    const at = (port?: number) => `http://127.0.0.1:${port}`;
    const get = (path: string) => fetch(`${at(up()?.metricsPort ?? up()?.port)}${path}`);
    const metrics = async () => (await get('/metrics')).text();
    return { child, lines, texts, exited, get, metrics, url: () => at(up()?.port), errors: () => errors };
  }
}

/** Whether a process runs. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
