import { expect, it } from 'vitest';
import { markdownPassages } from '../../../dev/prose/markdown.ts';

function read(source: string): string {
  return markdownPassages(source)
    .map(({ prose }) => prose.replace(/\s+/g, ' ').trim())
    .join();
}

it.each([
  ['a fenced block', 'a\n\n```sh\nwhere b\n```\n\nc'],
  ['a block fenced by tildes', 'a\n\n~~~\nwhere ``` b\n~~~\n\nc'],
  ['a longer fence around a shorter one', 'a\n````\n```\nwhere\n```\n````\nc'],
  ['an empty block', 'a\n```\n```\nc'],
  ['a block in a list', 'a\n  ```ts\n  where();\n  ```\nc'],
  ['inline code', 'a `where` c'],
  ['inline code with a backtick', 'a `` where ` `` c'],
  ['inline code on two lines', 'a `select\nwhere` c'],
  ['a comment', 'a <!-- where --> c'],
  ['an address', 'a https://example.test/where c'],
])('the prose check: pages: %s is no prose', (_, source) => {
  expect(read(source)).toBe('a c');
});

it('the prose check: pages: the text of a link is prose, its target is not', () => {
  expect(read('a [b where](docs/where.md) c')).toBe('a [b where] c');
});

it('the prose check: pages: a fence without an end hides the rest, as it does when the page is shown', () => {
  expect(read('a\n```\nwhere')).toBe('a');
});

it('the prose check: pages: a single backtick hides nothing beyond its paragraph', () => {
  expect(read('a ` b\n\nc ` d')).toBe('a ` b c ` d');
});
