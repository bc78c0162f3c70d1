import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type LazyCommand, runProgram } from '../../../runtime/cli/program.ts';

const { argv } = process;
let loaded: string[];
let ran: string[];
beforeEach(() => {
  [loaded, ran] = [[], []];
});
afterEach(() => {
  process.argv = argv;
  vi.restoreAllMocks();
});

const lazy = (name: string): LazyCommand => ({
  name,
  async load() {
    loaded.push(name);
    return { register: (program) => void program.command(name).action(() => void ran.push(name)) };
  },
});
const run = (...words: string[]) => {
  process.argv = ['node', 'warren', ...words];
  return runProgram('Test.', [lazy('serve'), (program) => void program.command('eager'), lazy('spy')]);
};

it.each([[['spy']], [['--json', 'spy']]])('%j loads the named command and no other', async (words) => {
  await run(...words);
  expect([loaded, ran]).toEqual([['spy'], ['spy']]);
});

it('the help loads and lists every command in its order', async () => {
  const written: string[] = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  vi.spyOn(process, 'exit').mockImplementation(() => {
    throw new Error('exit');
  });
  await run('--help');
  expect(loaded).toEqual(['serve', 'spy']);
  expect(written.join('')).toMatch(/serve.*eager.*spy/s);
});
