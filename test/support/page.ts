import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';

type Edit =
  | { do: 'add'; file: string; below: string; text: string }
  | { do: 'write' | 'change'; file: string; text: string };

/** One thing that a page asks its reader to do. */
export type Step =
  | Edit
  | { do: 'end' }
  | { do: 'run'; command: string; expected: string }
  | { do: 'start'; command: string; expected: string }
  | { do: 'deploy'; command: string; expected: string }
  | { do: 'see'; expected: string };

const directive =
  /^<!-- (?:(add) to (\S+) below "(.+)"|(write|change) (\S+)|(in another terminal)|(end) the other terminal's command|(the other terminal shows)|(on AWS)) -->$/;

/**
 * Reads the steps of a page from its fenced blocks and from the comments before them, which specify what a block is for. A
 * block in `console` has commands with their output; a block in `sh` is only for the reader.
 *
 * @throws Error if a comment or a block is of an unknown kind.
 */
export function readSteps(page: string): Step[] {
  const steps: Step[] = [];
  let pending: RegExpExecArray | null = null;
  for (const part of page.matchAll(/^<!-- .* -->$|^```(\w+)\n([\s\S]*?)^```$/gm)) {
    const [whole, language, text = ''] = part;
    if (language === undefined) {
      const found = directive.exec(whole);
      if (!found) throw new Error(`expected a known comment, got ${whole}`);
      if (found[7]) steps.push({ do: 'end' });
      else pending = found;
      continue;
    }
    const [, , addTo = '', below = '', verb, file = '', elsewhere, , shown, onAws] = pending ?? [];
    pending = null;
    if (below) steps.push({ do: 'add', file: addTo, below, text });
    else if (verb === 'write' || verb === 'change') steps.push({ do: verb, file, text });
    else if (shown) steps.push({ do: 'see', expected: text });
    else if (language === 'console') {
      for (const [, command = '', expected = ''] of text.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
        steps.push({ do: elsewhere ? 'start' : onAws ? 'deploy' : 'run', command, expected });
      }
    } else if (language !== 'sh') throw new Error(`expected a comment before a block of ${language}`);
  }
  return steps;
}

/** The expected output as a pattern: `…` matches anything within a line, and as a line of its own, any lines. */
export function pattern(expected: string): RegExp {
  const lines = expected.trimEnd().split('\n');
  const escaped = lines.map((line) => {
    if (line === '…') return '(?:.*\n)*?';
    return `${line
      .split('…')
      .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}\\s*?\n`;
  });
  return new RegExp(`^${expected === '' ? '' : escaped.join('')}`, 'm');
}

export interface ReaderOptions {
  folder: string;
  env: Record<string, string | undefined>;
  /** Shell code that runs before each command, such as a function. */
  prelude?: string;
  /** Commands whose output changes by itself: the reader repeats them until it is as expected. */
  repeated: RegExp;
}

/** A reader of a page, who follows its steps in a folder. */
export class PageReader {
  readonly #options: ReaderOptions;
  #other: { child: ChildProcess; ended: Promise<unknown>; printed(): string } | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Does one step, and expects the output that the page shows. */
  async follow(step: Step): Promise<void> {
    if (step.do === 'end') return this.end();
    if (step.do === 'start') {
      const started = this.start(step.command);
      this.#other = started;
      return this.#see(step.expected);
    }
    if (step.do === 'see') return this.#see(step.expected);
    if (step.do === 'deploy') throw new Error(`${step.command}: expected a test of a deployment`);
    if (step.do !== 'run') return this.#edit(step);
    const run = async () => {
      const { child, ended, printed } = this.start(step.command);
      await ended;
      return { output: printed(), exitCode: child.exitCode };
    };
    if (!this.#options.repeated.test(step.command)) {
      const { output, exitCode } = await run();
      expect(output, step.command).toMatch(pattern(step.expected));
      expect(exitCode, `${step.command}\n${output}`).toBe(0);
      return;
    }
    const output = async () => (await run()).output;
    await expect.poll(output, { timeout: 20_000, interval: 50 }).toMatch(pattern(step.expected));
  }

  async #see(expected: string): Promise<void> {
    const patience = { timeout: 60_000, interval: 50 };
    await expect.poll(() => this.#other?.printed(), patience).toMatch(pattern(expected));
  }

  /** Ends the command in the other terminal as Ctrl-C does: with a signal to every process that the terminal runs. */
  async end(): Promise<void> {
    if (!this.#other) return;
    const { child, ended } = this.#other;
    this.#other = undefined;
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT');
    await ended;
  }

  /** Starts a command in the folder. */
  start(command: string) {
    const { folder, env, prelude = '' } = this.#options;
    const child = spawn('bash', ['-c', `${prelude}\n${command}`], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        output += stripVTControlCharacters(data.toString());
      });
    }
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    return { child, ended, printed: () => output };
  }

  async #edit(step: Edit): Promise<void> {
    const path = join(this.#options.folder, step.file);
    if (step.do === 'write') return writeFile(path, step.text);
    const before = await readFile(path, 'utf8');
    if (step.do === 'add') {
      const lines = before.split('\n');
      const places = lines.flatMap((line, n) => (line === step.below ? [n] : []));
      expect(places, `lines "${step.below}" in ${step.file}`).toHaveLength(1);
      lines.splice((places[0] ?? 0) + 1, 0, step.text.trimEnd());
      return writeFile(path, lines.join('\n'));
    }
    const [, removed = '', added = ''] = /^-(.*)\n\+(.*)\n$/.exec(step.text) ?? [];
    expect(before.split(removed)).toHaveLength(2);
    await writeFile(path, before.replace(removed, added));
  }
}

/**
 * Follows a page about the package in a folder of its own, in which the packages of this project are installed.
 *
 * @param page path from the project's root.
 */
export async function followPage(page: string, env: Record<string, string | undefined>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'warren-page-'));
  try {
    await symlink(projectFile('node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    // The workspace has sources, and the package has compiled files.
    const own = { ...env, NODE_OPTIONS: '--import tsx' };
    const reader = new PageReader({ folder, env: terminalEnv(own), repeated: /^never$/ });
    for (const step of readSteps(await readFile(projectFile(page), 'utf8'))) await reader.follow(step);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The environment of a terminal: without the variables that the test runner and `npm run` add. */
export function terminalEnv(own: Record<string, string | undefined>): Record<string, string | undefined> {
  const added = /^(VITEST|NODE_ENV|FORCE_COLOR|WARREN_|npm_(?!config_)|npm_config_local_prefix)/;
  const others = Object.entries(process.env).filter(([name]) => !added.test(name));
  return { ...Object.fromEntries(others), NO_COLOR: '1', npm_config_update_notifier: 'false', ...own };
}
