import { describe, expect, it } from 'vitest';
import { parseAddress, withVhost } from '../../../runtime/amqp/address.ts';
import { urlInVhost } from '../../../runtime/amqp/urls.ts';

const login = (text: string) => {
  const { username, password } = parseAddress(text);
  return [username, password];
};

describe('parseAddress', () => {
  // Appendix A of the specification. An absent or empty vhost is the default one: RabbitMQ has none without a name.
  it.each([
    ['amqp://user:pass@host:10000/vhost', ['user', 'pass', 'host', 10_000, 'vhost']],
    ['amqp://user%61:%61pass@ho%61st:10000/v%2fhost', ['usera', 'apass', 'hoast', 10_000, 'v/host']],
    ['amqp://', ['guest', 'guest', 'localhost', 5672, '/']],
    ['amqp://:@/', ['', '', 'localhost', 5672, '/']],
    ['amqp://user@', ['user', '', 'localhost', 5672, '/']],
    ['amqp://user:pass@', ['user', 'pass', 'localhost', 5672, '/']],
    ['amqp://host', ['guest', 'guest', 'host', 5672, '/']],
    ['amqp://:10000', ['guest', 'guest', 'localhost', 10_000, '/']],
    ['amqp:///vhost', ['guest', 'guest', 'localhost', 5672, 'vhost']],
    ['amqp://host/', ['guest', 'guest', 'host', 5672, '/']],
    ['amqp://host/%2f', ['guest', 'guest', 'host', 5672, '/']],
    ['amqp://[::1]', ['guest', 'guest', '::1', 5672, '/']],
  ])('address: %s of the specification is read', (text, expected) => {
    const { username, password, host, port, vhost } = parseAddress(text);
    expect([username, password, host, port, vhost]).toEqual(expected);
  });

  it.each([
    ['amqp://host', ['guest', 'guest']],
    ['amqp://u:p@host', ['u', 'p']],
    ['amqp://u@host', ['u', '']],
    ['amqp://m%C3%BCller:p%C3%A4ssw%C3%B6rd@host', ['müller', 'pässwörd']],
    ['amqp://müller:pässwörd@host', ['müller', 'pässwörd']],
    ['amqp://u:a%2Fb%40c%3Ad@host', ['u', 'a/b@c:d']],
    ['amqp://u:100%@host', ['u', '100%']],
    ['amqp://u:100%ä%2F@host', ['u', '100%ä/']],
    ['amqp://u:a+b@host', ['u', 'a+b']],
    ['amqp://u:a@b:c@host', ['u', 'a@b:c']],
    ['amqp://:p@host', ['', 'p']],
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
    ['amqp://host/orders/', 'orders'],
    ['amqp://host/orders%2F', 'orders/'],
    ['amqp://host//orders/', '/orders'],
    ['amqp://host/a/b', 'a/b'],
    ['amqp://host/..', '..'],
    ['amqp://host/a b', 'a b'],
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
    ['AMQPS://host', 'host:5671'],
    ['amqp://host:', 'host:5672'],
    ['amqp://[fe80::1%25eth0]:1234', '[fe80::1%eth0]:1234'],
    ['amqp://bücher.example', 'bücher.example:5672'],
    ['amqp://host:1234/orders', 'host:1234/orders'],
    ['amqp://[::1]', '[::1]:5672'],
    ['amqp://[2001:db8::1]:1234/%2F', '[2001:db8::1]:1234'],
  ])('address: %s is shown as %s', (text, label) => {
    expect(parseAddress(text).label).toBe(label);
  });

  it('address: an IPv6 host loses its brackets, and the first of two parameters counts', () => {
    const { host, secure, parameters } = parseAddress('amqps://[::1]/?cacertfile=/a.pem&cacertfile=/b.pem');
    expect([host, secure, parameters.cacertfile]).toEqual(['::1', true, '/a.pem']);
  });

  it('address: every query parameter is read, with the names of RabbitMQ and of amqplib', () => {
    const query =
      'cacertfile=/a+b%20c.pem&certfile=/c.pem&keyfile=/k.pem&password=p%26&verify=verify_peer' +
      '&fail_if_no_peer_cert=true&server_name_indication=rabbit&auth_mechanism=EXTERNAL&heartbeat=5' +
      '&connection_timeout=10000&channelMax=7&frame_max=8192&locale=en_US';
    expect(parseAddress(`amqps://host/orders?${query}`).parameters).toEqual({
      cacertfile: '/a+b c.pem',
      certfile: '/c.pem',
      keyfile: '/k.pem',
      password: 'p&',
      verify: 'verify_peer',
      failIfNoPeerCert: 'true',
      serverNameIndication: 'rabbit',
      authMechanism: 'external',
      heartbeat: 5,
      connectionTimeout: 10_000,
      channelMax: 7,
      frameMax: 8192,
      locale: 'en_US',
    });
  });

  it.each([
    ['amqp://host?hartbeat=5', 'got "hartbeat"'],
    ['amqp://u:123?s3cr3t@host', 'got another name'],
    ['amqp://host?heartbeat=often', 'parameter heartbeat: expected seconds'],
    ['amqp://host?connection_timeout=0', 'parameter connection_timeout: expected milliseconds'],
    ['amqps://host?verify=yes', 'parameter verify: expected verify_peer or verify_none'],
    ['amqps://host?keyfile=', 'parameter keyfile: expected a path'],
    [
      'amqp://host?auth_mechanism=oauth',
      'parameter auth_mechanism: expected plain, amqplain, external, oauth2 or aws-iam',
    ],
    ['amqps://host?auth_mechanism=aws-iam', 'parameter audience: expected an audience'],
    ['amqps://host?auth_mechanism=aws-iam&audience=a&scope=b', 'parameters token_endpoint, scope, audience'],
    ['amqp://host?cacertfile=/a.pem', 'parameter cacertfile: expected a URL with TLS'],
  ])('address: a query parameter that has no effect is refused by name: %s', (text, problem) => {
    expect(() => parseAddress(text)).toThrow(problem);
    expect(() => parseAddress(text)).not.toThrow('s3cr3t');
  });

  it.each([
    '',
    'rabbit',
    'amqp://u:s3cr3t@host:port',
    'http://u:s3cr3t@host',
    'ssm:/warren/prod/amqp-url',
    'amqp://u:s3cr3t#1@host',
    'amqp://u:s3cr3t/1@host',
    'amqp://ho st',
    'amqp://host:65536',
    'amqp://[::1',
    'amqp://[host]',
    'amqp://::1',
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
    const text = 'amqp://u:p@host/a?heartbeat=5';
    const address = parseAddress(text);
    expect(parseAddress(urlInVhost(text, 'b/ä'))).toEqual(withVhost(address, 'b/ä'));
    expect(parseAddress(urlInVhost('amqp://u@', 'b')).vhost).toBe('b');
    expect(withVhost(address, 'b')).toEqual({ ...address, vhost: 'b', label: 'host:5672/b' });
  });
});
