import { describe, expect, it } from 'vitest';
import { type CourseOptions, runCourse } from '../../../dev/effects/course.ts';
import { type OwnDatabase, ownDatabase } from '../../support/database.ts';
import { openVhost, type TestVhost } from '../../support/vhost.ts';

/** `npm run test:effects` in a small form. */
describe('the course of effects', () => {
  const run = async (options: Pick<CourseOptions, 'messages' | 'kills'>) => {
    const [own, vhost]: [OwnDatabase, TestVhost] = await Promise.all([ownDatabase(), openVhost({})]);
    try {
      const parts = { AMQP_URL: vhost.url, DATABASE_URL: own.url };
      const counts = await runCourse({ ...parts, ...options, seed: 'test', say: () => undefined });
      return counts.filter(({ problems }) => problems.length > 0);
    } finally {
      await vhost.close();
      await own.drop();
    }
  };

  it('the function of docs/effects.md has each effect once, although its workers are killed at each kind of moment', async () => {
    expect(await run({ messages: 300, kills: 5 })).toEqual([]);
  }, 90_000);
});
