import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { openBroker, type TestBroker } from './broker.ts';
import { WorkerFolder } from './worker-process.ts';

/**
 * Makes the broker and the folder of workers that the tests of a block share. Workers end after each test.
 *
 * @param made receives both before the first test.
 */
export function testWorkers(made: (broker: TestBroker, folder: WorkerFolder) => void) {
  let broker: TestBroker;
  let folder: WorkerFolder;
  beforeAll(async () => {
    [broker, folder] = await Promise.all([openBroker(), WorkerFolder.make()]);
    made(broker, folder);
  });
  afterEach(() => folder.clear());
  afterAll(() => Promise.all([folder.remove(), broker.close()]));
  const reaches = (step: string) => (n: unknown) =>
    expect.poll(() => folder.steps(n), { timeout: 30_000 }).toContain(step);
  return {
    /** Waits until a function has begun with a message. */
    begun: reaches('begin'),
    /** Waits until a function has ended with a message. */
    done: reaches('end'),
  };
}
