import { afterEach, expect, it, vi } from 'vitest';
import { printManifest } from '../../runtime/cli/manifest.ts';

afterEach(() => vi.unstubAllEnvs());

it('routes: ALERT_ROUTES of the environment replaces the routes of serverless.yml', async () => {
  const routes = JSON.stringify({ critical: { subject: 'MINE', to: 'me@example.com' } });
  vi.stubEnv('ALERT_ROUTES', routes);
  const { functions } = JSON.parse(await printManifest());
  for (const name of ['email-alert', 'flush-alerts']) {
    expect(functions[name].environment.ALERT_ROUTES).toBe(routes);
  }
}, 120_000);
