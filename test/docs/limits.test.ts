import { afterAll, beforeAll, describe, it } from 'vitest';
import { followPage } from '../support/page.ts';
import { openVhost, type TestVhost } from '../support/vhost.ts';

describe('docs/limits.md', () => {
  let vhost: TestVhost;
  beforeAll(async () => {
    vhost = await openVhost({});
  });
  afterAll(() => vhost.close());

  it('limits page: each step does what the page shows', async () => {
    await followPage('docs/limits.md', { AMQP_URL: vhost.url });
  }, 120_000);
});
