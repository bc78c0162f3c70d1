import { expect, it } from 'vitest';
import { formerOf, recorded, restored } from '../../../../runtime/serverless/release/history.ts';

const at = (day: number) => new Date(Date.UTC(2026, 10, day));
const deploy = (...all: Record<string, string>[]) =>
  all.reduce<ReturnType<typeof recorded>>(
    (history, versions, day) => recorded(history, versions, at(day + 1)),
    [],
  );

it('history: a deployment that changes nothing, or fails, is none', () => {
  expect(deploy({ a: '1' }, { a: '1' })).toEqual([{ at: '2026-11-01T00:00:00.000Z', versions: { a: '1' } }]);
});

it('history: what was live before is all functions as they were, also those that the last deployment did not change', () => {
  const history = deploy({ a: '1', b: '1' }, { a: '2', b: '1' }, { a: '2', b: '4' });
  expect(formerOf(history, { a: '2', b: '4' })?.versions).toEqual({ a: '2', b: '1' });
});

it('history: a version of a deployment that failed is never restored', () => {
  // Version 2 was published, its canary failed, and the alias went on to name version 1.
  const history = deploy({ a: '1' }, { a: '1' }, { a: '3' });
  expect(formerOf(history, { a: '3' })?.versions).toEqual({ a: '1' });
});

it('history: what was restored is not left again, but followed by what was before it', () => {
  const history = deploy({ a: '1' }, { a: '2' }, { a: '3' });
  const first = formerOf(history, { a: '3' });
  expect(first?.versions).toEqual({ a: '2' });
  const left = first ? restored(history, first) : [];
  const second = formerOf(left, { a: '2' });
  expect(second?.versions).toEqual({ a: '1' });
  expect(formerOf(second ? restored(left, second) : [], { a: '1' })).toBeUndefined();
});

it('history: a function that is new or was removed has no former version', () => {
  const history = deploy({ a: '1', gone: '7' }, { a: '1', fresh: '1' });
  expect(formerOf(history, { a: '1', fresh: '1' })).toBeUndefined();
  expect(formerOf(deploy({ a: '1' }, { a: '2', fresh: '1' }), { a: '2', fresh: '1' })?.versions).toEqual({
    a: '1',
  });
});

it('history: ten deployments are kept', () => {
  const history = deploy(...Array.from({ length: 12 }, (_, version) => ({ a: String(version) })));
  expect(history.map(({ versions }) => versions['a'])).toEqual([
    '2',
    '3',
    '4',
    '5',
    '6',
    '7',
    '8',
    '9',
    '10',
    '11',
  ]);
});
