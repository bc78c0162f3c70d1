import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { projectFile } from '../../dev/stack/project.ts';
import { installPlatform, platformRequire } from '../support/deploy/platform.ts';
import { credentials } from '../support/deploy/serverless.ts';

interface Client {
  send(command: unknown): Promise<{ SecretString?: string }>;
}
interface SecretsManager {
  SecretsManagerClient: new (options: object) => Client;
  CreateSecretCommand: new (input: object) => unknown;
  GetSecretValueCommand: new (input: object) => unknown;
}
interface Answer {
  Status: string;
  Reason?: string;
}
type SmtpUrl = {
  smtpPassword(key: string, region: string): string;
  handler(event: object): Promise<void>;
};

let smtpUrl: SmtpUrl;
let sdk: SecretsManager;
let client: Client;
let api: Server;
const answers: Answer[] = [];
const before = { ...process.env };

beforeAll(async () => {
  await installPlatform();
  Object.assign(process.env, credentials, { AWS_ENDPOINT_URL: inject('endpoint') });
  smtpUrl = createRequire(import.meta.url)(projectFile('deploy/aws/smtp-url.cjs')) as SmtpUrl;
  sdk = platformRequire('@aws-sdk/client-secrets-manager') as SecretsManager;
  client = new sdk.SecretsManagerClient({});
  api = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    answers.push(JSON.parse(body) as Answer);
    response.writeHead(request.method === 'PUT' && !request.headers['content-type'] ? 200 : 403).end();
  });
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
}, 900_000);
afterAll(() => {
  api.close();
  process.env = before;
});

const secret = (name: string, SecretString: string) =>
  client.send(new sdk.CreateSecretCommand({ Name: name, SecretString }));
const storedIn = async (SecretId: string) =>
  (await client.send(new sdk.GetSecretValueCommand({ SecretId }))).SecretString;
const call = (RequestType: string, keySecret: string) =>
  smtpUrl.handler({
    RequestType,
    ResponseURL: `http://127.0.0.1:${(api.address() as AddressInfo).port}/?signature=x`,
    StackId: 'stack',
    RequestId: 'request',
    LogicalResourceId: 'Url',
    ResourceProperties: {
      keySecret,
      urlSecret: 'warren/test/smtp-url',
      region: 'eu-central-1',
      host: 'email-smtp.eu-central-1.amazonaws.com',
    },
  });

describe('the login at SES', () => {
  // From the tests of Terraform's provider for AWS, which another implementation passes.
  it.each([
    ['some+secret+key', 'eu-central-1', 'BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2'],
    ['another+secret+key', 'eu-central-1', 'BBbphbrQmrKMx42d1N6+C7VINYEBGI5v9VsZeTxwskfh'],
    ['some+secret+key', 'us-west-1', 'BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj'],
  ])('SES: the password of the key %s in %s is %s', (key, region, password) => {
    expect(smtpUrl.smtpPassword(key, region)).toBe(password);
  });

  it('SES: the URL of the login is stored in its secret, with a password of any characters', async () => {
    await secret(
      'warren/test/admin/smtp-key',
      JSON.stringify({ id: 'AKIAEXAMPLE', key: 'another+secret+key' }),
    );
    await secret('warren/test/smtp-url', 'something');
    await call('Create', 'warren/test/admin/smtp-key');
    expect(answers.at(-1)).toMatchObject({ Status: 'SUCCESS' });
    const url = new URL(String(await storedIn('warren/test/smtp-url')));
    expect(url.host).toBe('email-smtp.eu-central-1.amazonaws.com:465');
    expect(url.username).toBe('AKIAEXAMPLE');
    expect(decodeURIComponent(url.password)).toBe('BBbphbrQmrKMx42d1N6+C7VINYEBGI5v9VsZeTxwskfh');
  });

  it('SES: a failure ends the deployment with its reason, and a removal changes nothing', async () => {
    await call('Update', 'warren/test/none');
    expect(answers.at(-1)).toMatchObject({
      Status: 'FAILED',
      Reason: expect.stringContaining('the login of SES'),
    });
    await call('Delete', 'warren/test/none');
    expect(answers.at(-1)).toMatchObject({ Status: 'SUCCESS' });
  });
});
