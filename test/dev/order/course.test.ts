import { describe, expect, it } from 'vitest';
import { runCourse } from '../../../dev/order/course.ts';
import { openVhost } from '../../support/vhost.ts';

/** `npm run test:order` in a small form. */
describe('the course of orders', () => {
  it('orderBy: messages of a customer stay in order while workers are killed and replaced, and messages fail', async () => {
    const vhost = await openVhost({});
    try {
      const size = { messages: 600, customers: 20, workers: 2, processes: 0, kills: 1, rolls: 1 };
      const options = { ...size, AMQP_URL: vhost.url, seed: 'test', say: () => undefined };
      const counts = await runCourse(options);
      expect(counts.filter(({ problems }) => problems.length > 0)).toEqual([]);
    } finally {
      await vhost.close();
    }
  }, 120_000);
});
