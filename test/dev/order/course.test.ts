import { describe, expect, it } from 'vitest';
import { runCourse } from '../../../dev/order/course.ts';
import { openVhost } from '../../support/vhost.ts';

/** `npm run test:order` in a small form. */
describe('the course of orders', () => {
  // Calls are sent ahead only to a function in a process of its own.
  it.each([0, 1])(
    'orderBy: messages of a customer stay in order while workers with %i processes are killed and replaced, and messages fail',
    async (processes) => {
      const vhost = await openVhost({});
      try {
        const size = { messages: 600, customers: 20, workers: 2, processes, kills: 1, rolls: 1 };
        const options = { ...size, AMQP_URL: vhost.url, seed: 'test', say: () => undefined };
        const counts = await runCourse(options);
        expect(counts.filter(({ problems }) => problems.length > 0)).toEqual([]);
      } finally {
        await vhost.close();
      }
    },
    120_000,
  );
});
