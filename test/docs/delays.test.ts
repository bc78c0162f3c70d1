import { afterAll, beforeAll, describe, it } from 'vitest';
import { followPage } from '../support/page.ts';
import { openVhost, type TestVhost } from '../support/vhost.ts';

describe('docs/delays.md', () => {
  let vhost: TestVhost;
  beforeAll(async () => {
    vhost = await openVhost({});
  });
  afterAll(() => vhost.close());

  it('page on delays: each step does what the page shows, and the messages arrive when they are due', async () => {
    await followPage('docs/delays.md', { AMQP_URL: vhost.url });
  }, 120_000);
});
