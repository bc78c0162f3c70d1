/** Recipients of alerts reach the function unchanged from every place that sets them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { openResources } from 'warren/functions';
import { printManifest } from '../../runtime/cli/manifest.ts';
import { alertRoutes } from '../../shared/alerts/alert-routes.ts';
import { composeEnvironments } from '../support/compose.ts';
import { kubernetesEnvironments } from '../support/kubernetes.ts';

const parts = {
  DATABASE_URL: 'postgres://db',
  SMTP_URL: 'smtp://mail',
  AMQP_URL: 'amqp://admin:x@broker',
  AMQP_MANAGEMENT_URL: 'http://admin:x@broker:15672',
};
const readers = ['email-alert', 'flush-alerts'];
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'warren-routes-'));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

const routesOf = async (env: Record<string, string>) =>
  (await openResources({ alertRoutes }, env)).alertRoutes;
const serverlessEnvironments = async () => {
  const { functions } = JSON.parse(await printManifest());
  return readers.map((name) => functions[name].environment);
};
const secretsIn = async (given: Record<string, string>) =>
  kubernetesEnvironments(await mkdtemp(join(folder, 'secrets-')), parts, given);

const recipients = [
  'a@x, b@x',
  'Ops, Night <a@x>, b@x',
  '"Ops, night" <a@x>',
  '"Ops \\"at night\\"" <a@x>, "Back\\\\slash, $HOME #1 100%" <b@x>',
  `"O'Brien, \\"Night\\"" <a@x>`,
  "O'Brien <a@x>",
];

it('routes: recipients with any name reach the function from serverless.yml, as npm start and AWS read it', async () => {
  const [ops = '', api = ''] = [recipients[3], recipients[2]];
  vi.stubEnv('ALERTS_OPS_TO', ops);
  vi.stubEnv('ALERTS_API_TO', api);
  for (const environment of await serverlessEnvironments()) {
    expect(await routesOf(environment)).toEqual({
      critical: { subject: 'CRITICAL ALERT', to: ops },
      rate_limit: { subject: 'RATE LIMIT ALERT!', to: api },
    });
  }
}, 300_000);

it.each(recipients)(
  'routes: the recipients %j reach the function from make-env.sh through compose.yaml',
  async (to) => {
    const environments = composeEnvironments({}, { ALERTS_OPS_TO: to });
    for (const service of ['alerts', 'schedule']) {
      expect(await routesOf(environments.of(service))).toMatchObject({
        critical: { to },
        rate_limit: { to: 'api@example.com' },
      });
    }
  },
);

it.each(recipients)(
  'routes: the recipients %j reach the function from make-secrets.sh through Kubernetes',
  async (to) => {
    const environments = await secretsIn({ ALERTS_OPS_TO: to });
    for (const service of ['alerts', 'schedule']) {
      expect(await routesOf(environments.of(service))).toMatchObject({
        critical: { to },
        rate_limit: { to: 'api@example.com' },
      });
    }
  },
);

it('routes: ALERT_ROUTES of the environment replaces the routes of serverless.yml and of make-secrets.sh', async () => {
  const routes = JSON.stringify({ critical: { subject: 'MINE', to: 'me@example.com' } });
  vi.stubEnv('ALERT_ROUTES', routes);
  for (const { ALERT_ROUTES } of await serverlessEnvironments()) expect(ALERT_ROUTES).toBe(routes);
  const environments = await secretsIn({ ALERT_ROUTES: routes, ALERTS_OPS_TO: '', ALERTS_API_TO: '' });
  expect(await routesOf(environments.of('alerts'))).toEqual(JSON.parse(routes));
}, 300_000);

it('routes: make-secrets.sh needs the recipients if it gets no routes', async () => {
  await expect(secretsIn({ ALERTS_OPS_TO: '' })).rejects.toThrow(/ALERTS_OPS_TO: expected the addresses/);
  await expect(secretsIn({ ALERTS_API_TO: '' })).rejects.toThrow(/ALERTS_API_TO: expected the addresses/);
});

it('routes: a variable without recipients is refused at the start if a route names it, and so is a wrong one', async () => {
  const env = { ALERT_ROUTES: '{"critical":{"subject":"CRITICAL ALERT","to":{"variable":"ALERTS_OPS_TO"}}}' };
  await expect(routesOf(env)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringMatching(
      /ALERT_ROUTES\.critical\.to: names the variable ALERTS_OPS_TO, which is not set/,
    ),
  });
  await expect(routesOf({ ...env, ALERTS_OPS_TO: 'a@x, s3cr3t' })).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringMatching(
      /ALERTS_OPS_TO: expected mail addresses .*, but entry 2 of 2 is not a mail address$/,
    ),
  });
  await expect(routesOf({ ALERT_ROUTES: env.ALERT_ROUTES.replace('OPS', 'NONE') })).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringMatching(
      /ALERT_ROUTES\.critical\.to: expected mail addresses .* ALERTS_OPS_TO or ALERTS_API_TO$/,
    ),
  });
});
