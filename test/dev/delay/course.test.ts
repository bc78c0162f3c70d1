import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCourse } from '../../../dev/delay/course.ts';
import { type PrivateBroker, privateBroker } from '../../../dev/stack/private-broker.ts';
import { handOverAgain } from '../../../runtime/local/hand-over-again.ts';

/** The command measures how late messages are; the test runs beside others. */
const allowedMs = 10_000;
const againMs = 5000;

/** `npm run test:delay` in a small form. */
describe('the course of delays', () => {
  let broker: PrivateBroker;

  beforeAll(async () => {
    broker = await privateBroker(undefined, handOverAgain(againMs));
  }, 60_000);
  afterAll(() => broker.close());

  it('no delayed message is lost or early, although the broker and the publisher are killed', async () => {
    const kills = { brokerKills: 1, publisherKills: 1 };
    const options = {
      broker,
      seed: 'test',
      messages: 300,
      seconds: 4,
      allowedMs,
      againMs,
      say: () => undefined,
      ...kills,
    };
    const { counts } = await runCourse(options);
    expect(counts.filter(({ problems }) => problems.length > 0)).toEqual([]);
  }, 90_000);

  it('messages that are due at the same time all arrive, none of them early or twice', async () => {
    const kills = { brokerKills: 0, publisherKills: 0, atOnce: true };
    const options = {
      broker,
      seed: 'test',
      messages: 2000,
      seconds: 4,
      allowedMs,
      againMs,
      say: () => undefined,
      ...kills,
    };
    const { counts, lateness } = await runCourse(options);
    expect(counts.filter(({ problems }) => problems.length > 0)).toEqual([]);
    expect(lateness).toHaveLength(2000);
  }, 90_000);
});
