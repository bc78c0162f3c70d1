import { describe, expect, it } from 'vitest';
import { runBehind } from '../../../dev/limits/behind.ts';
import { runCourse } from '../../../dev/limits/course.ts';
import { runKeys } from '../../../dev/limits/keys.ts';
import { openVhost } from '../../support/vhost.ts';

/** `npm run test:limits` in a small form. */
describe('the course of limits', () => {
  it('limit: workers together hand over at most its number in a period while one is killed, and lose no message and no token', async () => {
    const vhost = await openVhost({});
    try {
      const size = { messages: 60, limit: '20/2 seconds', workers: 2, processes: 0, kills: 1, timed: false };
      const options = { ...size, AMQP_URL: vhost.url, seed: 'test', say: () => undefined };
      const counts = await runCourse(options);
      expect(counts.filter(({ problems }) => problems.length > 0)).toEqual([]);
    } finally {
      await vhost.close();
    }
  }, 120_000);

  it('perKey: workers keep the limits of each key while one is killed, and lose no message', async () => {
    const vhost = await openVhost({});
    try {
      const size = { messages: 300, workers: 2, processes: 0, kills: 1, timed: false };
      const counts = await runKeys({
        ...size,
        maxMessageBytes: 65_536,
        AMQP_URL: vhost.url,
        seed: 'test',
        say: () => undefined,
      });
      expect(counts.filter(({ problems }) => problems.length > 0)).toEqual([]);
    } finally {
      await vhost.close();
    }
  }, 120_000);

  it('perKey: the time of ten messages behind others is measured in the same partition and in another one', async () => {
    const vhosts: Awaited<ReturnType<typeof openVhost>>[] = [];
    const vhost = async () => {
      const opened = await openVhost({});
      vhosts.push(opened);
      return opened.url;
    };
    try {
      const size = { messages: 100, processes: 0, maxMessageBytes: 65_536, moments: ['before'] as const };
      const counts = await runBehind({ ...size, vhost, say: () => undefined });
      expect(counts.map(({ what }) => what.replace(/^.* 100 /, ''))).toEqual([
        'that waited while no worker ran, in the same partition',
        'that waited while no worker ran, in another partition',
      ]);
      // Ten messages of 20 ms, two at a time.
      for (const { got } of counts) expect(got).toBeGreaterThan(95);
    } finally {
      await Promise.all(vhosts.map((each) => each.close()));
    }
  }, 120_000);
});
