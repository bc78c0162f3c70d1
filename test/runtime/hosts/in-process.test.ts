import { describe, expect, it } from 'vitest';
import {
  FunctionFailedError,
  FunctionLateError,
  HostUnavailableError,
} from '../../../runtime/event-source/invoke.ts';
import { type Handler, inProcess } from '../../../runtime/hosts/in-process.ts';

/** A module that has loaded when `give` is called. */
const coming = () => {
  let give: (handler: Handler) => void = () => undefined;
  const handler = new Promise<Handler>((resolve) => {
    give = resolve;
  });
  return { give, load: () => handler };
};

describe('a function called in this process', () => {
  it("a call is late if its module has not loaded in time; the module's function is called when it has", async () => {
    const { give, load } = coming();
    const events: unknown[] = [];
    const call = inProcess({ functionName: 'slow', load, timeoutMs: 20 });
    await expect(call(1)).rejects.toThrow(FunctionLateError);
    give(async (event) => events.push(event));
    await expect(call(2)).resolves.toBe(1);
    expect(events).toEqual([2]);
  });

  it('a call that never ends is late, and leaves no unhandled rejection', async () => {
    let fail: (error: Error) => void = () => undefined;
    const never = new Promise((_, reject) => {
      fail = reject;
    });
    const call = inProcess({ functionName: 'endless', load: async () => () => never, timeoutMs: 20 });
    await expect(call(1)).rejects.toThrow(FunctionLateError);
    fail(new Error('after all'));
  });

  it('a call whose deadline has passed is late and not made', async () => {
    const events: unknown[] = [];
    const load = async () => (event: unknown) => events.push(event);
    const call = inProcess({ functionName: 'paid', load, timeoutMs: 5000 });
    await expect(call.callUntil(1, Date.now() - 1)).rejects.toThrow(FunctionLateError);
    await call.callUntil(2, Date.now() + 5000);
    expect(events).toEqual([2]);
  });

  it('UnavailableError of any bundle means that the function is unavailable', async () => {
    const load = async () => () => Promise.reject(Object.assign(new Error('x'), { code: 'ERR_UNAVAILABLE' }));
    await expect(inProcess({ functionName: 'f', load, timeoutMs: 5000 })(1)).rejects.toThrow(
      HostUnavailableError,
    );
  });

  it('a module that could not be loaded is loaded again at the next call', async () => {
    let loads = 0;
    const load = async (): Promise<Handler> => {
      loads += 1;
      if (loads === 1) throw new Error('no such module');
      return () => 'done';
    };
    const call = inProcess({ functionName: 'broken', load, timeoutMs: 5000 });
    await expect(call(1)).rejects.toThrow(FunctionFailedError);
    await expect(call(2)).resolves.toBe('done');
  });
});
