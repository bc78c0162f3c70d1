import { describe, expect, it } from 'vitest';
import { parseAddress, withVhost } from '../../../runtime/amqp/address.ts';

const login = (text: string) => {
  const { username, password } = parseAddress(text);
  return [username, password];
};

describe('parseAddress', () => {
  it.each([
    ['amqp://host', ['guest', 'guest']],
    ['amqp://u:p@host', ['u', 'p']],
    ['amqp://u@host', ['u', '']],
    ['amqp://m%C3%BCller:p%C3%A4ssw%C3%B6rd@host', ['müller', 'pässwörd']],
    ['amqp://müller:pässwörd@host', ['müller', 'pässwörd']],
    ['amqp://u:a%2Fb%40c%3Ad@host', ['u', 'a/b@c:d']],
    ['amqp://u:100%@host', ['u', '100%']],
    ['amqp://u:a+b@host', ['u', 'a+b']],
  ])('address: the login of %s is read', (text, expected) => {
    expect(login(text)).toEqual(expected);
  });

  it.each([
    ['amqp://host', '/'],
    ['amqp://host/', '/'],
    ['amqp://host/%2F', '/'],
    ['amqp://host/%2f', '/'],
    ['amqp://host//', '/'],
    ['amqp://host/orders', 'orders'],
    ['amqp://host/a%2Fb', 'a/b'],
    ['amqp://host/%C3%A4', 'ä'],
    ['amqp://host/ä', 'ä'],
    ['amqp://host/a%2520b', 'a%20b'],
    ['amqp://host/orders?heartbeat=5', 'orders'],
  ])('address: the vhost of %s is %s', (text, vhost) => {
    expect(parseAddress(text).vhost).toBe(vhost);
  });

  it.each([
    ['amqp://host', 'host:5672'],
    ['amqps://host', 'host:5671'],
    ['amqp://host:1234/orders', 'host:1234/orders'],
    ['amqp://[::1]', '[::1]:5672'],
    ['amqp://[2001:db8::1]:1234/%2F', '[2001:db8::1]:1234'],
  ])('address: %s is shown as %s', (text, label) => {
    expect(parseAddress(text).label).toBe(label);
  });

  it('address: an IPv6 host loses its brackets, and the first of two parameters counts', () => {
    const { host, secure, parameters } = parseAddress('amqps://[::1]/?cacertfile=/a.pem&cacertfile=/b.pem');
    expect([host, secure, parameters.get('cacertfile')]).toEqual(['::1', true, '/a.pem']);
  });

  it.each([
    '',
    'rabbit',
    'amqp://u:s3cr3t@host:port',
    'http://u:s3cr3t@host',
    'ssm:/warren/prod/amqp-url',
    'amqp://',
  ])('address: "%s" is refused, and its text is not quoted', (text) => {
    expect(() => parseAddress(text)).toThrow(/^AMQP_URL: expected a URL such as amqp:/);
    try {
      parseAddress(text);
    } catch (error) {
      expect(JSON.stringify({ ...(error as Error), text: String(error) })).not.toContain('s3cr3t');
      expect((error as Error).cause).toBeUndefined();
    }
  });

  it('address: another vhost changes nothing else', () => {
    const address = parseAddress('amqp://u:p@host/a?heartbeat=5');
    expect(withVhost(address, 'b')).toEqual({ ...address, vhost: 'b', label: 'host:5672/b' });
  });
});
