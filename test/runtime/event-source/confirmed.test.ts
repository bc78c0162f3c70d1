import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { confirmedUntil } from '../../../runtime/event-source/confirmed.ts';

describe('the wait for a confirm', () => {
  it('confirmed: a signal that outlives the wait keeps nothing of it', async () => {
    const { signal } = new AbortController();
    expect(await confirmedUntil(Promise.resolve(), signal, 1000)).toBe(true);
    await expect(confirmedUntil(Promise.reject(new Error('refused')), signal, 1000)).rejects.toThrow(
      'refused',
    );
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('confirmed: the wait ends some time after the signal, and the confirm may still come', async () => {
    const ended = new AbortController();
    let confirm: () => void = () => undefined;
    const confirmed = new Promise<void>((resolve) => {
      confirm = resolve;
    });
    const wait = confirmedUntil(confirmed, ended.signal, 20);
    ended.abort();
    expect(await wait).toBe(false);
    confirm();
    expect(await confirmedUntil(confirmed, ended.signal, 1000)).toBe(true);
  });
});
