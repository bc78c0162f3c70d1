import { describe, expect, it } from 'vitest';
import { bannedIn, countWords, families, matchesOf } from '../../../dev/prose/families.ts';

function count(prose: string): Record<string, number> {
  return Object.fromEntries(families.map((family) => [family.name, matchesOf(family, prose).length]));
}

describe('the prose check: words', () => {
  it('counts a free `where`, also at the start of a sentence', () => {
    expect(count('Where it fails, it stays where it is.')['where']).toBe(2);
  });

  it.each([
    'WHERE id = 1',
    'query.where(a)',
    'where(a)',
    '$where',
    'x-where',
    'where_clause',
    'a/where/b',
    'whereas',
    'anywhere',
    'where.id',
  ])('does not count `where` in %j', (prose) => {
    expect(count(prose)['where']).toBe(0);
  });

  it('counts each family by itself', () => {
    const prose = 'Nobody told somebody. He says so if asked; whoever asks is told when it ends. tellOnce';
    expect(count(prose)).toEqual({ where: 0, nobody: 3, 'tell/say': 3, 'if/when': 2 });
  });

  it('finds banned phrases, also across a line break', () => {
    const found = bannedIn('At the\nmost ten, whoever asks for the how manieth.');
    expect(found.map(({ word }) => word)).toEqual(['At the\nmost', 'whoever', 'manieth']);
  });

  it("counts don't, dead-lettered and AMQP_URL as one word each", () => {
    expect(countWords("don't – dead-lettered; AMQP_URL | 12")).toBe(4);
  });
});
