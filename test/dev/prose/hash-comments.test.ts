import { describe, expect, it } from 'vitest';
import { shellPassages, yamlPassages } from '../../../dev/prose/hash-comments.ts';
import type { Passage } from '../../../dev/prose/passage.ts';

function texts(passages: readonly Passage[]): string[] {
  return passages.map(({ prose }) => prose.replace(/\s+/g, ' ').trim());
}

describe('the prose check: comments of shell scripts', () => {
  it.each([
    ['quotes', `echo "a # b" 'c # d' # found`],
    ['an escaped quote', String.raw`echo "a \" # b" \' # found`],
    ['a variable', `echo $# \${#a} a#b # found`],
    ['a here-document', 'cat <<EOF\n# none\nEOF\n# found'],
    ['the first line', '#!/bin/sh\n# found'],
  ])('finds a comment behind %s, and no other', (_, source) => {
    expect(texts(shellPassages(source))).toEqual(['found']);
  });
});

describe('the prose check: comments of YAML', () => {
  it('finds comments behind quotes, anchors and flow collections', () => {
    const source = 'a: "x # no" # one\nb: &c [1, "#"] # two\nd: e#f\n# three\n# lines\n';
    expect(texts(yamlPassages(source))).toEqual(['one', 'two', 'three lines']);
  });

  it('finds the comments of a script in a block scalar, at their place', () => {
    const source = 'é: |\n  # first\n  echo "# no" # second\nnext: 1\n';
    const passages = yamlPassages(source);
    expect(texts(passages)).toEqual(['first', 'second']);
    expect(passages.map(({ start }) => start)).toEqual([
      source.indexOf('# first'),
      source.indexOf('# second'),
    ]);
  });
});
