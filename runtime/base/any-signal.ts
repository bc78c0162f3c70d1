import { setMaxListeners } from 'node:events';

/**
 * As `AbortSignal.any`, for a signal that lives shorter than one of its sources. Node 20 and 22 keep a part of each signal that
 * `AbortSignal.any` has made until all of its sources are gone; this one leaves them as soon as one of them is aborted.
 *
 * @param sources one of them has to be aborted when the signal is no longer needed.
 */
export function anySignal(...sources: readonly AbortSignal[]): AbortSignal {
  const controller = new AbortController();
  const abort = () => {
    for (const source of sources) source.removeEventListener('abort', abort);
    controller.abort(sources.find(({ aborted }) => aborted)?.reason);
  };
  // A source may have a signal for each message in hand, which is no leak.
  setMaxListeners(0, ...sources);
  if (sources.some(({ aborted }) => aborted)) abort();
  else for (const source of sources) source.addEventListener('abort', abort);
  return controller.signal;
}
