/** The tables of docs/guarantees.md name tests that exist. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';

const page = readFileSync(projectFile('docs/guarantees.md'), 'utf8');

/** The cells of the rows of a section. */
const rowsOf = (title: string): string[][] => {
  const [, section = ''] = page.split(`## ${title}\n`);
  const [rows = ''] = section.split('\n## ');
  return rows
    .split('\n')
    .filter((line) => /^\| (?!-)/.test(line))
    .slice(1)
    .map((line) => line.slice(2, -2).split(' | '));
};

it('guarantees: each answer of a dependency has a test, whose file exists', () => {
  const rows = rowsOf('Whose fault it is');
  const dependencies = ['broker', 'PostgreSQL', 'storage', 'SMTP', 'webhook', 'Lambda API'];
  expect([...new Set(rows.map(([dependency]) => dependency))]).toEqual(dependencies);
  for (const row of rows) {
    const files = [...(row[3] ?? '').matchAll(/`([^`]+)`/g)].map(([, name]) => `test/${name}.test.ts`);
    expect(files, row.join(' | ')).not.toEqual([]);
    expect(files.filter((file) => !existsSync(projectFile(file)))).toEqual([]);
  }
});

it('guarantees: each kind of input has a test, whose file or folder exists', () => {
  for (const row of rowsOf('Kinds of input, what happens, and since when')) {
    const paths = [...(row[3] ?? '').matchAll(/`([^`]+)`/g)].map(([, path = '']) => path);
    expect(paths, row.join(' | ')).not.toEqual([]);
    expect(paths.filter((path) => !existsSync(projectFile(path)))).toEqual([]);
  }
});
