import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCheck } from '../../../dev/prose/command.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warren-prose-'));
  execFileSync('git', ['init', '--quiet'], { cwd: folder });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function add(path: string, text: string) {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

async function check(...args: string[]): Promise<{ code: number; output: string }> {
  let output = '';
  const code = await runCheck(args, { folder, write: (text) => (output += text) });
  return { code, output };
}

const fine = 'The broker returns the message if no queue is bound. '.repeat(40);

describe('the prose check: exit code', () => {
  it('is 1 above a limit, with file, line, word and sentence of each occurrence', async () => {
    add('docs/a.md', 'Fine here.\n\nIt stays. The queue\nis kept where it is. The end.\n');
    const { code, output } = await check();
    expect(code).toBe(1);
    expect(output).toContain('docs/a.md:4: where "where" in docs: The queue is kept where it is.\n');
  });

  it('is 0 if the rate is within the limit, and nothing is listed', async () => {
    add('a.md', `${fine}It stays where it is.`);
    const { code, output } = await check();
    expect(code).toBe(0);
    expect(output).not.toContain('a.md:');
  });

  it('is 1 with a banned word at any rate', async () => {
    add('a.md', `${fine.repeat(20)}It takes two at the most.`);
    const { code, output } = await check();
    expect(code).toBe(1);
    expect(output).toContain('banned "at the most" in docs: It takes two at the most.');
  });

  it('is 1 if one category is above its limit, however much good prose another has', async () => {
    add('a.md', fine.repeat(20));
    add('b.ts', '// It says so.\n');
    const { code, output } = await check();
    expect(code).toBe(1);
    expect(output).toContain('b.ts:1: tell/say "says" in comments: It says so.');
  });

  it('is 2 if there is nothing to measure', async () => {
    expect(await check()).toEqual({ code: 2, output: 'no file to measure\n' });
  });

  it('is that of the process', async () => {
    add('a.md', 'It says so.');
    const entry = join(import.meta.dirname, '../../../dev/prose/check.ts');
    const args = ['--import', import.meta.resolve('tsx'), entry];
    const code = await new Promise((resolve) => {
      const child = execFile(process.execPath, args, { cwd: folder });
      child.on('exit', resolve);
    });
    expect(code).toBe(1);
  });
});

describe('the prose check: options', () => {
  it('--all lists what is within the limits too', async () => {
    add('a.md', `${fine}It stays where it is.`);
    const { code, output } = await check('--all');
    expect(code).toBe(0);
    expect(output).toContain('a.md:1: where "where" in docs: It stays where it is.');
  });

  it('--files measures only these paths and lists everything in them', async () => {
    add('a/x.md', `${fine}It stays where it is.`);
    add('a/y.md', fine);
    add('b.md', 'It says so.');
    const { code, output } = await check('--files', 'a/*x.md', 'a/y.md');
    expect(code).toBe(0);
    expect(output).toContain('a/x.md:1: where');
    expect(output).not.toContain('b.md');
  });

  it('--json prints limits, rates and occurrences', async () => {
    add('a.md', 'It says so to you.');
    const { code, output } = await check('--json');
    expect(code).toBe(1);
    expect(JSON.parse(output)).toMatchObject({
      failed: true,
      limits: { where: 3.6, nobody: 0.4, 'tell/say': 1.2 },
      categories: { docs: { words: 5, rates: { where: 0, 'tell/say': 200 }, above: ['tell/say'] } },
      folders: { '.': { words: 5 } },
      findings: [{ file: 'a.md', line: 1, word: 'says', sentence: 'It says so to you.' }],
    });
  });

  it('the table has a line for each category and top folder, and marks what is above a limit', async () => {
    add('docs/a.md', 'It says so to you.');
    add('dev/a.ts', '// Fine.\n');
    const { output } = await check();
    expect(output).toMatch(/^comments +1 +0\.0 +0\.0 +0\.0 +0\.0$/m);
    expect(output).toMatch(/^docs +5 +0\.0 +0\.0 +200\.0! +0\.0$/m);
    expect(output).toMatch(/^dev +1 /m);
  });

  it('a file that Git ignores is not read', async () => {
    add('.gitignore', 'out/\n');
    add('out/a.md', 'It says so.');
    add('b.md', fine);
    expect((await check()).code).toBe(0);
  });
});
