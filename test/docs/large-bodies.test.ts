import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBroker, type TestBroker } from '../support/broker.ts';
import { followPage } from '../support/page.ts';
import { stack } from '../support/stack.ts';

describe('docs/large-bodies.md', () => {
  let broker: TestBroker;
  beforeAll(async () => {
    broker = await openBroker();
    await broker.channel.assertQueue('reports');
  });
  afterAll(async () => {
    await broker.channel.deleteQueue('reports');
    await broker.close();
  });

  it('large bodies page: each step does what the page shows, and nothing stays in the queue', async () => {
    const { AMQP_URL, S3_ENDPOINT, S3_BUCKET, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = stack;
    await followPage('docs/large-bodies.md', {
      AMQP_URL,
      S3_ENDPOINT,
      S3_BUCKET,
      AWS_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    });
    expect(await broker.count('reports')).toBe(0);
  }, 120_000);
});
