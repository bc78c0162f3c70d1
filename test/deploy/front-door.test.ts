import { describe, expect, it } from 'vitest';
import { openDoor } from '../../deploy/front-door.ts';
import type { Service } from '../../deploy/service.ts';

const opened = (environment: Record<string, string>, gatewayTokens = true): Service => {
  const events = [{ httpApi: 'GET /pictures' }];
  const service: Service = {
    service: 'warren',
    provider: {},
    custom: {},
    functions: { list: { name: 'list', events, environment } },
  };
  openDoor(service, { origins: [], gatewayTokens });
  return service;
};
const issuer = { AUTH_ISSUER: 'https://issuer.example.com', AUTH_AUDIENCE: 'warren, other' };

describe('the front door', () => {
  it('has the tokens of an issuer checked by API Gateway, for each of the audiences', () => {
    const { provider, functions } = opened(issuer);
    expect(provider.httpApi).toMatchObject({
      authorizers: { issuer: { issuerUrl: issuer.AUTH_ISSUER, audience: ['warren', 'other'] } },
    });
    expect(functions['list']?.events).toEqual([
      { httpApi: { method: 'GET', path: '/pictures', authorizer: { name: 'issuer' } } },
    ]);
  });

  it.each<[string, Record<string, string>, boolean?]>([
    ['the deployment says so, because the issuer has no RSA keys', issuer, false],
    [
      'the issuer is a name at which API Gateway finds no keys',
      { ...issuer, AUTH_ISSUER: 'accounts.example.com' },
    ],
    ['the audience is in a claim that API Gateway does not read', { ...issuer, AUTH_AUDIENCE_CLAIM: 'azp' }],
    ['the tokens are our own', { ...issuer, AUTH_JWT_SECRET: 'ssm:/warren/jwt-secret' }],
  ])('leaves the tokens to the functions if %s', (_, environment, gatewayTokens = true) => {
    const { provider, functions } = opened(environment, gatewayTokens);
    expect(provider.httpApi).not.toHaveProperty('authorizers');
    expect(functions['list']?.events).toEqual([{ httpApi: 'GET /pictures' }]);
  });
});
