import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDiscovery } from '../../../runtime/tokens/discovery.ts';
import { type Issuer, startIssuer } from '../../support/issuer.ts';

let issuer: Issuer;
let keys: string;
let time = 0;
beforeAll(async () => {
  issuer = await startIssuer();
  keys = issuer.keysUrl;
});
afterAll(() => issuer.close());
beforeEach(() => {
  Object.assign(issuer, { status: 200, statesIssuer: undefined, keysUrl: keys });
  issuer.requests.length = 0;
});
const hour = 3_600_000;

describe('the discovery document of an issuer', () => {
  it('is fetched once an hour, so that keys which the issuer has moved are found without a restart', async () => {
    const discover = createDiscovery(issuer.at('/hourly'), () => time);
    for (const _ of [1, 2]) expect((await discover()).jwks_uri).toBe(keys);
    expect(issuer.requests).toHaveLength(1);
    issuer.keysUrl = `${keys}/moved`;
    time += hour;
    const found = await Promise.all(Array.from({ length: 5 }, discover));
    expect(new Set(found.map(({ jwks_uri }) => jwks_uri))).toEqual(new Set([`${keys}/moved`]));
    expect(issuer.requests).toHaveLength(2);
  });

  it('that is known counts while the issuer is unavailable, or states another name', async () => {
    const discover = createDiscovery(issuer.at('/failing'), () => time);
    await discover();
    time += hour;
    issuer.status = 500;
    for (const _ of [1, 2]) expect((await discover()).jwks_uri).toBe(keys);
    expect(issuer.requests).toHaveLength(2);
    time += 60_000;
    Object.assign(issuer, { status: 200, statesIssuer: 'https://evil.example.com', keysUrl: `${keys}/evil` });
    expect((await discover()).jwks_uri).toBe(keys);
  });

  it('that was never read is tried again at each call', async () => {
    const discover = createDiscovery(issuer.at('/first'), () => time);
    issuer.status = 500;
    await expect(discover()).rejects.toMatchObject({ code: 'ERR_UNAVAILABLE', dependency: 'auth' });
    issuer.status = 200;
    expect((await discover()).jwks_uri).toBe(keys);
  });
});
