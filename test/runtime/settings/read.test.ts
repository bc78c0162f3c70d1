import { describe, expect, it } from 'vitest';
import { brokerSettings, logSettings } from 'warren/functions';
import { WarrenError } from '../../../runtime/base/errors.ts';
import { readSettings } from '../../../runtime/settings/read.ts';
import { alertSettings } from '../../../shared/alerts/alert-routes.ts';
import { alertLimitSettings } from '../../../shared/alerts/limit.ts';
import { authSettings } from '../../../shared/auth/settings.ts';
import { databaseSettings } from '../../../shared/database/resource.ts';
import { mailSettings } from '../../../shared/delivery/mail.ts';
import { uploadLimitSettings } from '../../../shared/pictures/limits.ts';
import { uploadSettings } from '../../../shared/pictures/upload-size.ts';
import { storageSettings } from '../../../shared/storage/settings.ts';
import { linkSettings, unsubscribeSettings } from '../../../shared/users/resources.ts';

const groups = {
  broker: brokerSettings,
  database: databaseSettings,
  storage: storageSettings,
  mail: mailSettings,
  alerts: alertSettings,
  auth: authSettings,
  alertLimit: alertLimitSettings,
  uploadLimit: uploadLimitSettings,
  uploads: uploadSettings,
  unsubscribe: unsubscribeSettings,
  links: linkSettings,
  log: logSettings,
};

const problemOf = (
  names: readonly (keyof typeof groups)[],
  env: Record<string, string | undefined>,
): WarrenError => {
  try {
    readSettings(Object.fromEntries(names.map((name) => [name, groups[name]])), env);
  } catch (error) {
    if (error instanceof WarrenError) return error;
    throw error;
  }
  throw new Error('expected readSettings to throw');
};

describe('readSettings', () => {
  it('settings: only the requested sections are read', () => {
    const config = readSettings(
      { broker: brokerSettings, log: logSettings },
      { AMQP_URL: 'amqp://u:p@host', S3_BUCKET: 'pictures' },
    );
    expect(config).toStrictEqual({
      broker: { AMQP_URL: 'amqp://u:p@host' },
      log: { LOG_LEVEL: 'info', AWS_LAMBDA_FUNCTION_NAME: 'warren' },
    });
  });

  it('settings: the error lists every problem of every section', () => {
    const error = problemOf(['broker', 'database', 'storage', 'mail', 'log'], {
      AMQP_URL: 'http://host',
      S3_BUCKET: 'x',
      S3_ENDPOINT: 'minio:9000',
      LOG_LEVEL: 'loud',
    });
    expect(error.code).toBe('ERR_CONFIG');
    const names = error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(':')[0]);
    expect(names).toEqual(['AMQP_URL', 'DATABASE_URL', 'S3_BUCKET', 'S3_ENDPOINT', 'SMTP_URL', 'LOG_LEVEL']);
  });

  it('settings: the error contains the expected value', () => {
    expect(problemOf(['broker'], {}).message).toContain('AMQP_URL');
    expect(problemOf(['broker'], { AMQP_URL: 'rabbit' }).message).toContain(
      'AMQP_URL: expected a URL such as amqp://',
    );
  });

  it('settings: the error contains no value, because a value may be a password', () => {
    const secret = 's3cr3t-v4lue';
    const env = {
      AMQP_URL: `amqp//user:${secret}@host`,
      DATABASE_URL: `mysql://user:${secret}@host`,
      SMTP_URL: secret,
      S3_BUCKET: 'ok-bucket',
      S3_ENDPOINT: `ftp://${secret}`,
      AUTH_JWT_SECRET: secret,
      AUTH_JWKS_URL: secret,
      AUTH_ISSUER: secret,
      AUTH_AUDIENCE: secret,
      ALERT_ROUTES: `{"critical": ${secret}`,
      LOG_LEVEL: secret,
    };
    const error = problemOf(['broker', 'database', 'storage', 'mail', 'alerts', 'auth', 'log'], env);
    expect(error.message.split('\n')).toHaveLength(9);
    expect(error.message).not.toContain(secret);
    expect(JSON.stringify(error)).not.toContain(secret);
    expect(error.cause).toBeUndefined();
  });

  it('counts an empty variable as one that is not set', () => {
    expect(problemOf(['database'], { DATABASE_URL: '' }).message).toContain('DATABASE_URL');
    expect(readSettings({ log: logSettings }, { LOG_LEVEL: '' }).log.LOG_LEVEL).toBe('info');
    expect(
      readSettings({ storage: storageSettings }, { S3_BUCKET: 'pictures', S3_ENDPOINT: '' }).storage,
    ).not.toHaveProperty('S3_ENDPOINT');
  });

  it('reads the routes of alerts from JSON', () => {
    const routes = { critical: { subject: 'CRITICAL ALERT', to: 'ops@example.com' } };
    expect(
      readSettings({ alerts: alertSettings }, { ALERT_ROUTES: JSON.stringify(routes) }).alerts.ALERT_ROUTES,
    ).toEqual(routes);
  });

  it('names the route that lacks a recipient', () => {
    const error = problemOf(['alerts'], { ALERT_ROUTES: '{"critical":{"subject":"CRITICAL ALERT"}}' });
    expect(error.message).toContain('ALERT_ROUTES.critical.to');
  });

  it('reads routes to webhooks, and of alerts that are the same', () => {
    const url = 'https://hooks.example.com/services/T0/B0/x';
    const routes = {
      critical: { channel: 'mail', subject: 'CRITICAL', to: 'ops@example.com', dedup: 'routing_key' },
      oncall: { channel: 'webhook', subject: 'ON CALL', url, summary_interval: 600 },
    };
    const config = readSettings({ alerts: alertSettings }, { ALERT_ROUTES: JSON.stringify(routes) });
    expect(config.alerts.ALERT_ROUTES).toEqual(routes);
  });

  it.each([
    [{ channel: 'pager', subject: 'x' }, /ALERT_ROUTES\.oncall(\.channel)?: expected \{"subject", "to"\} or/],
    [{ channel: 'webhook', subject: 'x' }, /ALERT_ROUTES\.oncall\.url: expected a URL/],
    [{ channel: 'webhook', subject: 'x', url: 'ftp://s3cr3t' }, /oncall\.url: expected a URL/],
    [{ channel: 'webhook', subject: 'x', url: 'https://u:s3cr3t@host' }, /without user and password/],
    [{ channel: 'webhook', url: 'https://s3cr3t.example.com' }, /oncall\.subject: /],
    [{ subject: 'x', to: 'a@b', url: 'https://s3cr3t' }, /oncall: Unrecognized key: "url"/],
    [
      { subject: 'x', to: 's3cr3t' },
      /oncall\.to: expected mail addresses .*, but entry 1 of 1 is not a mail/,
    ],
    [{ subject: 'x', to: 'a@x, s3cr3t, b@x' }, /oncall\.to: .*, but entry 2 of 3 is not a mail address/],
    [{ subject: 'x', to: 'ops: a@x, b@x;' }, /oncall\.to: .*, but entry 1 of 1 is a group/],
    [{ subject: 'x', to: 'a@x b@x' }, /oncall\.to: .*, but entry 1 of 1 contains more than one address/],
    [{ subject: 'x', to: 'a@x\r\nBcc: b@x' }, /oncall\.to: .*, but it contains a control character/],
    [{ subject: 'x', to: ' ' }, /oncall\.to: .*, but it is empty/],
    [{ subject: 'x', to: 'a@b', dedup: 'body' }, /oncall\.dedup: expected "routing_key"/],
    [{ subject: 'x', to: 'a@b', summary_interval: 5 }, /summary_interval: expected at least 60 seconds/],
  ])('names what is wrong with the route %j, and no secret', (oncall, expected) => {
    const error = problemOf(['alerts'], { ALERT_ROUTES: JSON.stringify({ oncall }) });
    expect(error.message).toMatch(expected);
    expect(error.message).not.toContain('s3cr3t');
  });

  it('settings: the sender of mails is exactly one address', () => {
    const sender = (MAIL_FROM: string) => ({ SMTP_URL: 'smtp://host', MAIL_FROM });
    for (const wrong of ['Warren', 'a@x, b@x', '<>']) {
      expect(problemOf(['mail'], sender(wrong)).message).toContain(
        'MAIL_FROM: expected a mail address such as',
      );
    }
    const { mail } = readSettings({ mail: mailSettings }, sender('"Warren, Inc." <a@x>'));
    expect(mail.MAIL_FROM).toBe('"Warren, Inc." <a@x>');
  });

  it('asks for one of the two kinds of keys', () => {
    expect(problemOf(['auth'], {}).message).toContain(
      'expected AUTH_JWT_SECRET, AUTH_ISSUER or AUTH_JWKS_URL',
    );
    expect(
      readSettings({ auth: authSettings }, { AUTH_JWT_SECRET: 'x'.repeat(32) }).auth.AUTH_JWT_SECRET,
    ).toHaveLength(32);
    const issuer = {
      AUTH_JWKS_URL: 'https://issuer.example.com/jwks',
      AUTH_ISSUER: 'https://issuer.example.com',
      AUTH_AUDIENCE: 'warren',
    };
    expect(readSettings({ auth: authSettings }, issuer).auth).toMatchObject({
      ...issuer,
      AUTH_AUDIENCE: ['warren'],
    });
    const { AUTH_JWKS_URL: _, ...found } = issuer;
    expect(readSettings({ auth: authSettings }, found).auth).toMatchObject({
      AUTH_ISSUER: found.AUTH_ISSUER,
    });
    // Without a secret of ours, the keys of the issuer are looked up, so that its name has to be a URL.
    for (const wrong of [
      { ...found, AUTH_AUDIENCE: '' },
      { ...found, AUTH_ISSUER: 'warren' },
    ]) {
      expect(problemOf(['auth'], wrong).message).toContain('AUTH_ISSUER: expected a URL');
    }
    // An issuer signs tokens for others with the same keys.
    for (const name of ['AUTH_ISSUER', 'AUTH_AUDIENCE']) {
      expect(problemOf(['auth'], { ...issuer, [name]: '' }).message).toContain(
        'AUTH_JWKS_URL: expected AUTH_AUDIENCE and AUTH_ISSUER beside it',
      );
    }
  });

  it('reads how large an upload may be, which is at most what is read of an original', () => {
    const most = (text: string) =>
      readSettings({ uploads: uploadSettings }, { UPLOAD_MAX_BYTES: text }).uploads.UPLOAD_MAX_BYTES;
    expect([most(''), most('5000000'), most('104857600')]).toEqual([104857600, 5_000_000, 104857600]);
    for (const text of ['104857601', '0', '-1', '1.5', 'all']) {
      const { message } = problemOf(['uploads'], { UPLOAD_MAX_BYTES: text });
      expect(message).toMatch(/UPLOAD_MAX_BYTES: expected/);
    }
  });

  it('settings: links in mails need their own key and a base URL', () => {
    const env = { AUTH_JWT_SECRET: 'x'.repeat(32), PUBLIC_URL: 'ftp://example.com' };
    const { message } = problemOf(['unsubscribe', 'links'], env);
    expect(message).toMatch(
      /UNSUBSCRIBE_SECRET: expected at least 32 characters\n.*PUBLIC_URL: expected a URL/,
    );
  });

  it('refuses a secret that is short enough to be guessed', () => {
    expect(problemOf(['auth'], { AUTH_JWT_SECRET: 'x'.repeat(31) }).message).toContain(
      'at least 32 characters',
    );
  });

  it.each([
    ['5/second', { count: 5, seconds: 1 }],
    ['600/minute', { count: 600, seconds: 60 }],
    ['1000/hour', { count: 1000, seconds: 3600 }],
    ['50/day', { count: 50, seconds: 86_400 }],
    ['off', undefined],
  ])('reads the limit %s', (RATE_LIMIT_ALERTS, expected) => {
    expect(
      readSettings({ alertLimit: alertLimitSettings }, { RATE_LIMIT_ALERTS }).alertLimit.RATE_LIMIT_ALERTS,
    ).toEqual(expected);
  });

  it.each(['0/minute', '10', '10/week', '-1/second', '1.5/second', '600/minute '])(
    'refuses the limit "%s"',
    (RATE_LIMIT_UPLOADS) => {
      expect(() => readSettings({ uploadLimit: uploadLimitSettings }, { RATE_LIMIT_UPLOADS })).toThrow(
        'RATE_LIMIT_UPLOADS: expected a number and its period, such as 600/minute',
      );
    },
  );
});
