import { describe, expect, it } from 'vitest';
import { checkAddresses, originsOf } from '../../deploy/addresses.ts';

describe('the addresses of a deployment', () => {
  it.each([
    ['PUBLIC_URL', 'https://warren.example.com'],
    ['PUBLIC_URL', 'https://example.com:8443/warren/'],
    ['PUBLIC_URL', ''],
    ['PUBLIC_URL', { 'Fn::GetAtt': ['HttpApi', 'ApiEndpoint'] }],
    ['AUTH_JWKS_URL', 'https://issuer.example.com/keys?version=1'],
  ])('%s %j is accepted', (variable, value) => {
    expect(() => checkAddresses({ [variable]: value })).not.toThrow();
  });

  it.each([
    ['PUBLIC_URL', 'warren.example.com', /^publicUrl: expected an address such as https.*got "warren/],
    ['S3_PUBLIC_URL', 'http://pictures.example.com', /^s3PublicUrl: .*which is not encrypted$/],
    [
      'AUTH_JWKS_URL',
      'https://user:pa55word@issuer.example.com/keys',
      /^jwksUrl: .*without a user and a password/,
    ],
    ['PUBLIC_URL', 'https://warren.example.com/?stage=prod', /^publicUrl: .*without \? and #, got "https/],
    ['PUBLIC_URL', 'https://warren.example.com/#top', /^publicUrl: .*without \? and #, got "https/],
  ])('%s "%s" is refused with the name of its parameter', (variable, value, problem) => {
    const error = (() => {
      try {
        checkAddresses({ [variable]: value });
      } catch (thrown) {
        return (thrown as Error).message;
      }
      return 'accepted';
    })();
    expect(error).toMatch(problem);
    expect(error).not.toContain('pa55word');
  });

  it('origins have neither a path nor a slash at their end, as browsers send them', () => {
    expect(originsOf('origins', 'https://a.example.com/, https://b.example.com:8443/page ')).toEqual([
      'https://a.example.com',
      'https://b.example.com:8443',
    ]);
    expect(originsOf('origins', '')).toEqual([]);
    expect(() => originsOf('origins', 'a.example.com')).toThrow(/^origins: expected an address/);
  });
});
