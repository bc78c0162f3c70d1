import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectDir, projectFile } from '../../dev/stack/project.ts';
import { writeStackEnv } from '../../dev/stack/stack-env.ts';
import { openBroker } from '../support/broker.ts';
import { stack } from '../support/stack.ts';

type Edit =
  | { do: 'add'; file: string; below: string; text: string }
  | { do: 'write' | 'change'; file: string; text: string };

/** What the page has its reader do, in its order. */
type Step =
  | Edit
  | { do: 'end' }
  | { do: 'run'; command: string; expected: string }
  | { do: 'start'; command: string; expected: string };

const directive =
  /^<!-- (?:(add) to (\S+) below "(.+)"|(write|change) (\S+)|(in another terminal)|(end) the other terminal's command) -->$/;

/** The fenced blocks, and the comments before them that say what they are; a block in `sh` is not for this test. */
function readSteps(page: string): Step[] {
  const steps: Step[] = [];
  let said: RegExpExecArray | null = null;
  for (const part of page.matchAll(/^<!-- .* -->$|^```(\w+)\n([\s\S]*?)^```$/gm)) {
    const [whole, language, text = ''] = part;
    if (language === undefined) {
      const found = directive.exec(whole);
      if (!found) throw new Error(`the tutorial says what this test does not understand: ${whole}`);
      if (found[7]) steps.push({ do: 'end' });
      else said = found;
      continue;
    }
    const [, , addTo = '', below = '', verb, file = '', elsewhere] = said ?? [];
    said = null;
    if (below) steps.push({ do: 'add', file: addTo, below, text });
    else if (verb === 'write' || verb === 'change') steps.push({ do: verb, file, text });
    else if (language === 'console') {
      for (const [, command = '', expected = ''] of text.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
        steps.push({ do: elsewhere ? 'start' : 'run', command, expected });
      }
    } else if (language !== 'sh') throw new Error(`the tutorial has a block of ${language} for nothing`);
  }
  return steps;
}

/** The expected text as a pattern: `…` is anything within a line, and as a line of its own, any lines. */
function pattern(expected: string): RegExp {
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

/** Does as npx does with what is installed, without the second that it takes to start, or what npm has to say of itself. */
const npx =
  'npx() { name=$1; shift; if [ $name = warren ]; then node dev/warren.mjs "$@"; else node_modules/.bin/$name "$@"; fi; }';

describe('docs/tutorial.md', () => {
  let folder: string;
  let other: { child: ChildProcess; ended: Promise<unknown> } | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'warren-tutorial-'));
    const left = new Set(['node_modules', '.git', '.data', '.esbuild', '.serverless', 'dist']);
    const parts = {
      recursive: true,
      filter: (path: string) => !left.has(basename(path)) || path.includes('/test/'),
    };
    await cp(projectDir, folder, parts);
    await symlink(projectFile('node_modules'), join(folder, 'node_modules'));
    // What `npm start` leaves there; this run's parts stand in for it.
    await writeStackEnv(join(folder, '.data'), stack);
  });
  afterAll(async () => {
    await end();
    const broker = await openBroker();
    for (const queue of ['dog-treat', 'warren.retry.2s']) await broker.channel.deleteQueue(queue);
    await broker.channel.deleteExchange('warren.retry.2s');
    await broker.close();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const start = (command: string) => {
    const ours = Object.entries(process.env).filter(
      ([name]) => !/^(VITEST|NODE_ENV|WARREN_|npm_)/.test(name),
    );
    const { MAILBOX_URL } = stack;
    const env = {
      ...Object.fromEntries(ours),
      NO_COLOR: '1',
      npm_config_update_notifier: 'false',
      MAILBOX_URL,
    };
    const child = spawn('bash', ['-c', `${npx}\n${command}`], {
      cwd: folder,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        printed += stripVTControlCharacters(data.toString());
      });
    }
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    return { child, ended, printed: () => printed };
  };
  const end = async () => {
    if (!other) return;
    const { child, ended } = other;
    other = undefined;
    // As Ctrl-C does: to all that the terminal runs.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGINT');
    await ended;
  };

  const edit = async (step: Edit): Promise<void> => {
    const path = join(folder, step.file);
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
  };

  const follow = async (step: Step): Promise<void> => {
    if (step.do === 'end') return end();
    if (step.do === 'start') {
      const started = start(step.command);
      other = started;
      await expect.poll(started.printed, { timeout: 60_000, interval: 50 }).toMatch(pattern(step.expected));
      return;
    }
    if (step.do === 'run') {
      const run = async () => {
        const { ended, printed } = start(step.command);
        await ended;
        return printed();
      };
      // What others do meanwhile is looked at until it is there, as a reader would.
      const looks = /^(curl|npx warren dead-letters (list|show)) /.test(step.command);
      if (looks) await expect.poll(run, { timeout: 20_000, interval: 50 }).toMatch(pattern(step.expected));
      else expect(await run(), step.command).toMatch(pattern(step.expected));
      return;
    }
    await edit(step);
  };

  it('does what it says, step by step', async () => {
    const steps = readSteps(await readFile(projectFile('docs/tutorial.md'), 'utf8'));
    expect(steps.filter((step) => step.do === 'run')).not.toHaveLength(0);
    for (const step of steps) await follow(step);
  }, 240_000);

  it('leaves a project that keeps to its own rules', async () => {
    const checks = ['biome check functions/bookings test/functions/bookings', 'tsc -p .'];
    for (const check of checks) {
      const { child, ended, printed } = start(`npx ${check}`);
      await ended;
      expect([child.exitCode, printed()]).toEqual([0, expect.anything()]);
    }
  }, 120_000);
});
