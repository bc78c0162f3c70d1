import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { expect } from 'vitest';
import { parse } from 'yaml';
import { projectFile } from '../../dev/stack/project.ts';
import { renderedContainer } from './helm/chart.ts';

const run = promisify(execFile);

/** What a pod of the chart runs, and the limit for its memory. */
export interface Limited {
  args: string[];
  bytes: number;
  /** Default the command of the image. */
  program?: string;
}

/** Reads the container of a group of functions in the chart, such as `alerts`. */
export function containerOf(group: string): Limited {
  const { args, resources } = renderedContainer(group);
  const [, number, unit] = /^(\d+)(Mi|Gi)$/.exec(resources.limits.memory) ?? [];
  return { args, bytes: Number(number) * (unit === 'Gi' ? 1024 ** 3 : 1024 ** 2) };
}

/** Bundles the functions and the command as the image contains them. */
export async function buildImage(): Promise<void> {
  await run(process.execPath, [projectFile('dev/pack/image.mjs')], { cwd: projectFile('.') });
}

/**
 * Bundles a program of test/support that calls a function, to run it with the memory that serverless.yml gives to the function.
 *
 * @param name of the function.
 * @param source the program's name without its extension.
 */
export async function lambdaOf(name: string, source: string, args: string[]): Promise<Limited> {
  const yml = parse(readFileSync(projectFile('serverless.yml'), 'utf8'), { merge: true }) as {
    provider: { memorySize: number };
    functions: Record<string, { memorySize?: number }>;
    custom: { esbuild: { target: string; banner: Record<string, string> } };
  };
  const { target, banner } = yml.custom.esbuild;
  const program = projectFile(`dist/test/${source}.mjs`);
  const entry = projectFile(`test/support/${source}.ts`);
  await build({
    entryPoints: [entry],
    outfile: program,
    target,
    banner,
    bundle: true,
    platform: 'node',
    format: 'esm',
  });
  const { memorySize = yml.provider.memorySize } = yml.functions[name] ?? {};
  return { program, args, bytes: memorySize * 1024 ** 2 };
}

/** The kernel's limit for the memory of a group of processes, by the version of cgroups that this machine lets us use. */
const versions = [
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
  { root: '/sys/fs/cgroup', limit: 'memory.max' },
];

/** Makes a group with a limit; undefined if the machine does not allow it. */
function makeGroup(bytes: number): string | undefined {
  for (const { root, limit } of versions) {
    const group = join(root, `warren-test-${randomUUID()}`);
    try {
      mkdirSync(group);
    } catch {
      continue;
    }
    try {
      writeFileSync(join(group, limit), String(bytes), { flag: 'r+' });
      return group;
    } catch {
      rmdirSync(group);
    }
  }
  return undefined;
}

interface Line {
  msg: string;
  port?: number;
  /** Of a long poll. */
  messages?: number;
}

/** A process of the image's content under a limit for its memory. */
export class LimitedProcess {
  readonly lines: Line[] = [];
  readonly texts: string[] = [];
  readonly #child: ChildProcess;
  readonly #group: string | undefined;
  readonly #exited: Promise<string>;
  #end: string | undefined;

  /**
   * Starts `warren` in a control group with the limit, so that the kernel ends a process that takes more. If the machine gives us
   * no such group, `peak` shows the same. V8's heap is limited to half of the memory in both cases.
   */
  constructor(
    { args, bytes, program = projectFile('dist/image/warren.mjs') }: Limited,
    env: NodeJS.ProcessEnv,
  ) {
    this.#group = makeGroup(bytes);
    const node = [process.execPath, program, ...args];
    const inGroup = ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', this.#group ?? ''];
    const [command = '', ...rest] = this.#group === undefined ? node : [...inGroup, ...node];
    const heap = { NODE_OPTIONS: `--max-old-space-size=${bytes / 2 / 1024 ** 2}` };
    this.#child = spawn(command, rest, {
      cwd: projectFile('dist/image'),
      env: {
        ...process.env,
        ...env,
        ...heap,
        WARREN_MANIFEST: projectFile('dist/image/warren.json'),
        LOG_LEVEL: 'info',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      if (stream) createInterface({ input: stream }).on('line', (text) => this.#read(text));
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve(String(signal ?? code)));
    });
    void this.#exited.then((end) => {
      this.#end = end;
    });
  }

  /** Waits for the line with the port. */
  async up(message: string, timeout = 30_000): Promise<Line> {
    const found = () => this.lines.find(({ msg }) => msg === message);
    await expect.poll(() => found() ?? this.#end, { timeout }).toBeDefined();
    return found() ?? expect.fail(`the process ended with ${this.#end}: ${this.texts.join('\n')}`);
  }

  /** Largest memory so far in bytes, as resident set; fails if the process has ended. */
  peak(): number {
    expect(this.#end, this.texts.slice(-20).join('\n')).toBeUndefined();
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
  }

  /** Milliseconds of a processor that it has used. */
  cpuMs(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    // Fields 14 and 15 of proc(5), in hundredths of a second.
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
    if (this.#group === undefined) return;
    const group = this.#group;
    await expect.poll(() => tryTo(() => rmdirSync(group)), { timeout: 5000 }).toBe(true);
  }

  #read(text: string): void {
    this.texts.push(text);
    if (text.startsWith('{')) this.lines.push(JSON.parse(text) as Line);
  }
}

function tryTo(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}
