import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { save } from './save.ts';
import { warrenArguments, warrenEnvironment } from './warren-command.ts';

/** A project in a folder of its own, and the `warren dev` that runs there. */
export class DevProject {
  readonly root: string;
  readonly #children: ChildProcess[] = [];

  private constructor(root: string) {
    this.root = root;
  }

  /**
   * @param files their texts by their paths.
   * @param parent default a folder in which the packages of this repository are found.
   */
  static async make(
    files: Record<string, string>,
    parent = projectFile('node_modules'),
  ): Promise<DevProject> {
    const project = new DevProject(await mkdtemp(join(parent, '.dev-test-')));
    for (const [path, text] of Object.entries(files)) await project.write(path, text);
    return project;
  }

  async write(path: string, text: string): Promise<void> {
    const file = join(this.root, path);
    await mkdir(join(file, '..'), { recursive: true });
    await save(file, text);
  }

  /** Starts `warren dev` on any port. `ended` resolves with its exit code or the signal that ended it. */
  start(env: NodeJS.ProcessEnv, args: readonly string[] = []) {
    const child = spawn(process.execPath, warrenArguments(['dev', '--port', '0', ...args]), {
      cwd: this.root,
      env: { ...warrenEnvironment({}), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.push(child);
    let text = '';
    const take = (data: Buffer) => {
      text += data.toString();
    };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', take);
    // The streams end with the last process that holds them, such as that of a function.
    const ended = new Promise<number | string>((resolve) =>
      child.once('close', (code, signal) => resolve(code ?? signal ?? '')),
    );
    return {
      child,
      ended,
      text: () => text,
      printed: (part: RegExp) => expect.poll(() => text, { timeout: 60_000 }).toMatch(part),
    };
  }

  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await rm(this.root, { recursive: true, force: true });
  }
}
