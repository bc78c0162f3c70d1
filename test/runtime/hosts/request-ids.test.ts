import { describe, expect, it } from 'vitest';
import { RequestIds } from '../../../runtime/hosts/request-ids.ts';

describe('request ids', () => {
  it('each is a UUID of its own, also beside those of another process', () => {
    const [one, other] = [new RequestIds(), new RequestIds()];
    const ids = Array.from({ length: 1000 }, (_, n) => (n % 2 === 0 ? one : other).next());
    expect(new Set(ids).size).toBe(1000);
    for (const id of ids)
      expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  });
});
