import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { AwsClient } from 'aws4fetch';
import { beforeAll, expect, inject, it } from 'vitest';
import { brokerSettings } from 'warren/functions';
import { loadSettings } from '../../runtime/settings/read.ts';
import { databaseSettings } from '../../shared/database/resource.ts';
import { mailSettings } from '../../shared/delivery/mail.ts';
import { credentials } from '../support/deploy/serverless.ts';

const endpoint = inject('endpoint');
const accessKey = { accessKeyId: 'test', secretAccessKey: 'test' };
const env = { ...credentials, AWS_ENDPOINT_URL: endpoint };
const databaseUrl = 'postgres://user:pa55word@host:5432/warren';
const smtpUrl = 'smtp://user:pa55word@host:587';

beforeAll(async () => {
  const ssm = new SSMClient({ endpoint, region: credentials.AWS_REGION, credentials: accessKey });
  const parameter = { Name: '/secrets/database-url', Value: databaseUrl, Type: 'SecureString' } as const;
  await ssm.send(new PutParameterCommand(parameter));
  const secret = { Name: 'secrets/mail', SecretString: JSON.stringify({ 'smtp-url': smtpUrl }) };
  const client = new AwsClient({ ...accessKey, region: credentials.AWS_REGION });
  const made = await client.fetch(`${endpoint}/`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'secretsmanager.CreateSecret',
    },
    body: JSON.stringify({ ...secret, ClientRequestToken: crypto.randomUUID() }),
    aws: { service: 'secretsmanager' },
  });
  expect(made.status).toBe(200);
});

it('reads what variables name, from SSM and from a member of a secret', async () => {
  const { database, mail } = await loadSettings(
    { database: databaseSettings, mail: mailSettings },
    {
      ...env,
      DATABASE_URL: 'ssm:/secrets/database-url',
      SMTP_URL: 'secretsmanager:secrets/mail#smtp-url',
    },
  );
  expect([database.DATABASE_URL, mail.SMTP_URL]).toEqual([databaseUrl, smtpUrl]);
});

it('names every secret that is not there, and shows none', async () => {
  const error = await loadSettings(
    { database: databaseSettings, mail: mailSettings, broker: brokerSettings },
    {
      ...env,
      AMQP_URL: 'ssm:/secrets/none',
      DATABASE_URL: 'ssm:/secrets/database-url',
      SMTP_URL: 'secretsmanager:secrets/mail#other',
    },
  ).catch((thrown: Error & { code?: string }) => thrown);
  expect(error).toMatchObject({ code: 'ERR_CONFIG' });
  const { message } = error as Error;
  expect(message).toContain('AMQP_URL: ssm:/secrets/none does not exist, or may not be read');
  expect(message).toContain('SMTP_URL: secretsmanager:secrets/mail#other does not exist');
  expect(message).not.toMatch(/DATABASE_URL|pa55word/);
});

it('counts as an unavailable dependency if there is no answer', async () => {
  const nobody = {
    ...env,
    AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
    DATABASE_URL: 'ssm:/secrets/database-url',
  };
  await expect(loadSettings({ database: databaseSettings }, nobody)).rejects.toMatchObject({
    name: 'UnavailableError',
  });
});
