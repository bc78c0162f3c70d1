import { describe, expect, it } from 'vitest';
import type { Category } from '../../../dev/prose/passage.ts';
import { scriptPassages } from '../../../dev/prose/script.ts';

function read(category: Category, source: string, file = 'a.ts'): string[] {
  return scriptPassages(file, source)
    .filter((passage) => passage.category === category)
    .map(({ prose }) => prose.replace(/\s+/g, ' ').trim());
}

describe('the prose check: comments of scripts', () => {
  it.each([
    ['a string', `const a = 'no // comment'; // found`],
    ['a template', `const a = \`no // comment \${b /* found */} /* none */\`;`],
    ['a template inside a template', `const a = \`x \${\`// \${1}\` /* found */} // y\`;`],
    ['a regular expression', String.raw`const a = /[/*]\/\/ x/.test(b); // found`],
    ['a division', 'const a = b / c; /* found */ const d = e / f;'],
    ['a type', 'const a = <T,>(b: T): b is T & string => true; // found'],
    ['characters of two UTF-16 units', "const a = '🐶🐶'; // found"],
  ])('finds a comment behind %s, and no other', (_, source) => {
    expect(read('comments', source)).toEqual(['found']);
  });

  it('reads comments on consecutive lines as one passage', () => {
    const source = '// A sentence\n// on two lines.\nlet a = 1; // x\n\n// y\n';
    expect(read('comments', source)).toEqual(['A sentence on two lines.', 'x', 'y']);
  });

  it('leaves out code, links, tags and the names of parameters', () => {
    const source =
      '/**\n * Runs `where()`, see {@link where}.\n * @param where place\n * ```ts\n * where(a);\n * ```\n */';
    expect(read('comments', source)).toEqual(['Runs , see . place']);
  });

  it('keeps the length and the lines of the source', () => {
    const source = '/**\n * One `b`.\n * @throws Error https://a.test/b\n */\nlet a;';
    const [passage] = scriptPassages('a.ts', source);
    expect(passage?.prose).toHaveLength(passage?.text.length ?? 0);
    expect(passage?.prose.split('\n')).toHaveLength(4);
  });

  it('refuses a file with a syntax error and names it', () => {
    expect(() => scriptPassages('broken.ts', 'const = 1;')).toThrow(/^broken\.ts: /);
  });
});

describe('the prose check: test titles', () => {
  const source = "describe('a b', () => { it.each([1])('c d %s', () => { /x y/.test('e f'); }); });";

  it('reads the titles of tests, also of those with a table', () => {
    expect(read('test titles', source, 'test/a.test.ts')).toEqual(['a b', 'c d']);
  });

  it('reads no titles outside of tests', () => {
    expect(read('test titles', source, 'runtime/a.ts')).toEqual([]);
  });
});

describe('the prose check: messages', () => {
  it.each([
    ['an error', "throw new TypeError('some text');"],
    ['an error with a placeholder', `throw new TypeError(\`some \${b ? '' : c} text\`);`],
    ['a constructor of an error', "class A extends BaseError { constructor() { super('some text'); } }"],
    ['a problem', "throw new Problem(404, 'some text');"],
    ['a description', "program.command('a b').description('some text');"],
    ['an option', "program.option('--a-b', 'some text');"],
    ['an argument', "program.argument('<ab>', 'some text');"],
    ['help', "program.addHelpText('after', '\\nsome text');"],
    ['a log line', "this.#log.warn({ a: 'b' }, 'some text');"],
    ['a line of the terminal', "process.stderr.write('some text\\n');"],
    ['a schema', "z.string({ error: 'some text' });"],
  ])('reads the text of %s', (_, source) => {
    expect(read('messages', source)).toEqual(['some text']);
  });

  it('leaves out codes, functions and strings of other calls', () => {
    const source = "new AError('ERR_A', () => 'a b'); math.log('a b'); f('c d'); const a = { name: 'e f' };";
    expect(read('messages', source)).toEqual([]);
  });
});
