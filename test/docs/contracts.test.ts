import { describe, it } from 'vitest';
import { followPage } from '../support/page.ts';

describe('docs/contracts.md', () => {
  it('contracts page: each step does what the page shows, also the migration to another version', async () => {
    await followPage('docs/contracts.md', { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' });
  }, 300_000);
});
