import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type StackChild, signalTo, startChild } from '../../runtime/local/process.ts';
import { projectFile } from '../stack/project.ts';
import type { Note, Planned } from './plan.ts';

/** How far the process is, by its notes. */
export interface Progress {
  /** Messages that were published, or are about to be. */
  begun: number;
  confirmed: number;
  /** Messages that are published and not confirmed. */
  open: number;
}

/** The process that publishes. */
export class Sender {
  readonly #folder: string;
  readonly #noteFile: string;
  readonly #plan: readonly Planned[];
  readonly #arguments: readonly string[];
  #child: StackChild | undefined;

  constructor(folder: string, plan: readonly Planned[], url: string, broken: string | undefined) {
    this.#folder = folder;
    this.#plan = plan;
    const begun = String(Date.now() + 1000);
    this.#noteFile = join(folder, 'notes');
    const files = [join(folder, 'plan.json'), this.#noteFile];
    this.#arguments = [url, ...files, begun, ...(broken === undefined ? [] : [broken])];
  }

  write(): Promise<void> {
    return writeFile(join(this.#folder, 'plan.json'), JSON.stringify(this.#plan));
  }

  start(): void {
    this.#child = startChild({
      name: 'sender',
      command: process.execPath,
      args: ['--import', 'tsx', projectFile('dev/delay/sender.ts'), ...this.#arguments],
      env: process.env,
      logFile: join(this.#folder, 'sender.log'),
    });
  }

  async kill(): Promise<void> {
    if (!this.#child) return;
    signalTo(this.#child.pid, 'SIGKILL');
    await this.#child.exited;
    this.start();
  }

  async ended(): Promise<void> {
    const how = await this.#child?.exited;
    if (how !== 'exit code 0') throw new Error(`the sender ended with ${how}: ${await this.#log()}`);
  }

  async notes(): Promise<Note[]> {
    const lines = (await readFile(this.#noteFile, 'utf8')).split('\n');
    return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Note);
  }

  async progress(): Promise<Progress> {
    const notes = existsSync(this.#noteFile) ? await this.notes() : [];
    const begun = new Set<string>();
    const open = new Set<string>();
    let confirmed = 0;
    for (const note of notes) {
      begun.add(note.id);
      if ('published' in note) open.add(note.id);
      if ('confirmed' in note && open.delete(note.id)) confirmed += 1;
    }
    return { begun: begun.size, confirmed, open: open.size };
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  async #log(): Promise<string> {
    const file = join(this.#folder, 'sender.log');
    return existsSync(file) ? readFile(file, 'utf8') : '';
  }
}
