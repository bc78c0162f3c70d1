import { getEventListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { anySignal } from '../../../runtime/base/any-signal.ts';

describe('a signal of several', () => {
  it('any signal: the first source that is aborted aborts it with its reason, and the sources are left', () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const signal = anySignal(one.signal, other.signal);
    const heard: unknown[] = [];
    signal.addEventListener('abort', () => heard.push(signal.reason));
    other.abort('other');
    one.abort('one');
    expect([signal.aborted, heard]).toEqual([true, ['other']]);
    for (const source of [one, other]) expect(getEventListeners(source.signal, 'abort')).toEqual([]);
  });

  it('any signal: a source that is aborted already aborts it at once', () => {
    const [one, aborted] = [new AbortController(), AbortSignal.abort('before')];
    const signal = anySignal(one.signal, aborted);
    expect([signal.aborted, signal.reason]).toEqual([true, 'before']);
    expect(getEventListeners(one.signal, 'abort')).toEqual([]);
  });

  it('any signal: many signals of one source are not reported as a leak', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const source = new AbortController();
    const all = Array.from({ length: 100 }, () => anySignal(source.signal));
    await turn();
    source.abort();
    process.off('warning', note);
    expect(all.every(({ aborted }) => aborted)).toBe(true);
    expect(warnings).toEqual([]);
  });
});
