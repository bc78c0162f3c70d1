import { useEffect, useState } from 'preact/hooks';
import { get } from './api.ts';

/** What was received last, and why the last request failed. */
export interface Polled<T> {
  data: T | undefined;
  problem: unknown;
}

/**
 * Requests JSON again and again, and not while the page is hidden.
 *
 * @param everyMs milliseconds between an answer and the next request.
 * @param version another value requests at once.
 */
export function usePolling<T>(path: string, everyMs: number, version: unknown = 0): Polled<T> {
  const [state, setState] = useState<Polled<T> & { path: string }>({
    path,
    data: undefined,
    problem: undefined,
  });
  // Another version requests at once.
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const request = async () => {
      clearTimeout(timer);
      if (!document.hidden) {
        try {
          const data = await get<T>(path, stop.signal);
          setState({ path, data, problem: undefined });
        } catch (problem) {
          if (stop.signal.aborted) return;
          setState((old) => ({ path, data: old.path === path ? old.data : undefined, problem }));
        }
      }
      if (!stop.signal.aborted) timer = setTimeout(request, everyMs);
    };
    const shown = () => {
      if (!document.hidden) void request();
    };
    document.addEventListener('visibilitychange', shown);
    void request();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', shown);
    };
  }, [path, everyMs, version]);
  return state.path === path ? state : { data: undefined, problem: undefined };
}
