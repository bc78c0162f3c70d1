import { describe, expect, it } from 'vitest';
import type { DeadLetter } from '../../../runtime/dead-letters/dead-letter.ts';
import { failureOf } from '../../../runtime/dead-letters/failure.ts';

const letter = (error: string | undefined): DeadLetter => ({
  id: 'a',
  queue: 'shop',
  reason: 'rejected',
  error,
  headers: {},
  bytes: 0,
  body: '',
  bodyEncoding: 'utf-8',
});

describe('failureOf', () => {
  it('failure: it has the first line of the error and the first line of its stack in the project', () => {
    expect(failureOf(letter('Error: no\n    at pay (/srv/pay.ts:1:2)'))).toEqual({
      queue: 'shop',
      reason: 'rejected',
      error: 'Error: no',
      place: 'pay (/srv/pay.ts:1:2)',
    });
  });

  it('failure: a long line is cut, so that the address of a group has room for it, and not within a character', () => {
    const { error, place } = failureOf(letter(`${'x'.repeat(499)}🐇\n    at ${'p'.repeat(3000)}`));
    expect(error).toBe('x'.repeat(499));
    expect(place).toHaveLength(500);
    expect(new URLSearchParams({ error: error ?? '' }).get('error')).toBe(error);
  });

  it('failure: an error without a first line is none', () => {
    expect(failureOf(letter('\nmore')).error).toBeUndefined();
    expect(failureOf(letter(undefined)).error).toBeUndefined();
  });
});
