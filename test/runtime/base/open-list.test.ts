import { describe, expect, it } from 'vitest';
import { type Listed, OpenList } from '../../../runtime/base/open-list.ts';

interface Item extends Listed {
  name: string;
}

const listOf = (...names: string[]) => {
  const list = new OpenList<Item>();
  const items = names.map((name): Item => ({ name }));
  for (const item of items) list.add(item);
  return { list, items };
};
const namesIn = (list: OpenList<Item>) => [...list].map(({ name }) => name);

describe('list of work in flight', () => {
  it('list of work in flight: items stay in their order, whichever of them are deleted', () => {
    for (const [deleted, left] of [
      [0, ['b', 'c']],
      [1, ['a', 'c']],
      [2, ['a', 'b']],
    ] as const) {
      const { list, items } = listOf('a', 'b', 'c');
      expect(list.delete(items[deleted] as Item)).toBe(true);
      expect([namesIn(list), list.first?.name, list.size]).toEqual([left, left[0], 2]);
    }
  });

  it('list of work in flight: an item that was deleted can be deleted again without harm, and added at the end', () => {
    const { list, items } = listOf('a', 'b');
    const [first] = items as [Item];
    list.delete(first);
    expect(list.delete(first)).toBe(false);
    list.add(first);
    expect([namesIn(list), list.size]).toEqual([['b', 'a'], 2]);
  });

  it('list of work in flight: a deleted item refers to no other, so that it keeps none in memory', () => {
    const { list, items } = listOf('a', 'b', 'c');
    list.delete(items[1] as Item);
    expect(items[1]).toEqual({ name: 'b', isListed: false, before: undefined, after: undefined });
    list.clear();
    expect([list.size, list.first, namesIn(list)]).toEqual([0, undefined, []]);
    expect(items.every(({ before, after }) => !before && !after)).toBe(true);
  });

  it('list of work in flight: an item may be deleted while it is visited', () => {
    const { list } = listOf('a', 'b', 'c');
    const visited: string[] = [];
    for (const item of list) {
      visited.push(item.name);
      list.delete(item);
    }
    expect([visited, list.size]).toEqual([['a', 'b', 'c'], 0]);
  });
});
