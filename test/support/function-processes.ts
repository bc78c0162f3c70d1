import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectFile } from '../../dev/stack/project.ts';
import { silentLog } from '../../runtime/base/log.ts';
import type { Invoke } from '../../runtime/event-source/invoke.ts';
import type { Mapping } from '../../runtime/event-source/mapping.ts';
import {
  FunctionProcesses,
  type FunctionProcessesOptions,
} from '../../runtime/hosts/isolation/function-processes.ts';
import { type RabbitMQEvent, toEvent } from '../../runtime/messages/event.ts';

/** The program of a function's process. */
export const program = { file: projectFile('dev/warren.mjs'), args: ['function-process'] };

const source = { functionName: 'work', queue: 'q', vhost: '/', arn: 'arn', batchSize: 1, windowMs: 0 };

/** The event with one message for each body. */
export function eventOf(...bodies: readonly unknown[]): RabbitMQEvent {
  const deliveries = bodies.map((body) => ({
    content: Buffer.from(JSON.stringify(body)),
    fields: { exchange: '', routingKey: 'q', redelivered: false },
    properties: { contentType: 'application/json', replyTo: 'r' },
  }));
  return toEvent(source, deliveries);
}

export interface Started {
  processes: FunctionProcesses;
  invoke: Invoke;
}

/** A folder with one function, `work`, for processes without a broker. Its module notes what it does as lines of the file `notes`. */
export class FunctionFolder {
  readonly path: string;
  readonly #started: FunctionProcesses[] = [];
  readonly #marks: string[] = [];

  private constructor(path: string) {
    this.path = path;
  }

  /** @param module text of the function's module. */
  static async make(module: string): Promise<FunctionFolder> {
    // Inside the project, so that the module finds its packages.
    const folder = new FunctionFolder(await mkdtemp(join(projectFile('node_modules'), '.function-test-')));
    await folder.write(module);
    return folder;
  }

  async write(module: string): Promise<void> {
    await writeFile(join(this.path, 'work.mjs'), module);
  }

  async start(
    mapping: Partial<Mapping> = {},
    {
      handler = 'work.handler',
      timeout = 20,
      ...options
    }: Partial<FunctionProcessesOptions> & {
      handler?: string;
      timeout?: number;
    } = {},
  ): Promise<Started> {
    const whole = { ...source, concurrency: 9, ...mapping };
    const processes = new FunctionProcesses({
      ...program,
      folder: this.path,
      env: process.env,
      manifest: { functions: { work: { handler, timeout } } },
      mappings: [whole],
      blockedMs: 10_000,
      log: silentLog,
      observer: {},
      ...options,
    });
    this.#started.push(processes);
    await processes.start();
    return { processes, invoke: processes.invoke(whole) };
  }

  /** What the function has noted, parsed as JSON. */
  async notes<Note>(): Promise<Note[]> {
    const text = await readFile(join(this.path, 'notes'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Note);
  }

  /** Creates an empty file. */
  async mark(name: string): Promise<void> {
    this.#marks.push(name);
    await writeFile(join(this.path, name), '');
  }

  /** Ends the processes, and forgets the notes and the marks. */
  async clear(): Promise<void> {
    await Promise.all(this.#started.splice(0).map((processes) => processes.stop()));
    const files = ['notes', ...this.#marks.splice(0)];
    await Promise.all(files.map((file) => rm(join(this.path, file), { force: true })));
  }

  async remove(): Promise<void> {
    await this.clear();
    await rm(this.path, { recursive: true });
  }
}
