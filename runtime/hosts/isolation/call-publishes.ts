import { AsyncLocalStorage } from 'node:async_hooks';
import { onClientEvent } from '../../amqp/client-events.ts';

/** The result of a call, and where it has published messages: for each confirmed one its exchange and routing key. */
export interface PublishingResult {
  result?: unknown;
  published: string[];
}

/** Finds out what each of the calls in flight publishes. It listens from now on. */
export function observePublishes(): <T>(
  call: () => Promise<T>,
) => Promise<{ value: T; published: string[] }> {
  // The publisher goes on in the context of its call, also after the broker's confirm.
  const calls = new AsyncLocalStorage<string[]>();
  onClientEvent((event) => {
    if (event.kind === 'published' && event.outcome === 'confirmed') calls.getStore()?.push(event.to);
  });
  return async (call) => {
    const published: string[] = [];
    return { value: await calls.run(published, call), published };
  };
}

/** Makes calls without such a list. */
export const ignorePublishes = async <T>(
  call: () => Promise<T>,
): Promise<{ value: T; published?: string[] }> => ({
  value: await call(),
});
