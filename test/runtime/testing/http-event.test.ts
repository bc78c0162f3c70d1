import { describe, expect, it } from 'vitest';
import { httpEvent } from 'warren/testing';
import { toHttpEvent } from '../../../runtime/hosts/http/payload.ts';

describe('httpEvent', () => {
  it('makes the event that `warren serve` makes of the same request', () => {
    const event = httpEvent({
      method: 'PUT',
      path: '/parcels/5',
      route: 'PUT /parcels/{id}',
      parameters: { id: '5' },
      query: { express: 'yes & no' },
      headers: { 'X-Trace': 'abc' },
      authorization: 'Bearer token',
      body: { city: 'Paris' },
    });
    const { requestId, timeEpoch } = event.requestContext;
    const served = toHttpEvent(
      { routeKey: 'PUT /parcels/{id}' },
      {
        method: 'PUT',
        url: '/parcels/5?express=yes+%26+no',
        headers: { authorization: 'Bearer token', 'content-type': 'application/json', 'x-trace': 'abc' },
        parameters: { id: '5' },
        body: Buffer.from('{"city":"Paris"}'),
        ip: '127.0.0.1',
        id: requestId,
        at: new Date(timeEpoch),
      },
    );
    expect(event).toStrictEqual(served);
    expect(event).toMatchObject({
      queryStringParameters: { express: 'yes & no' },
      body: '{"city":"Paris"}',
      isBase64Encoded: false,
    });
  });

  it('makes a GET request without a body by default', () => {
    const event = httpEvent();
    expect(event).toMatchObject({ routeKey: 'ANY /test', rawPath: '/test', rawQueryString: '', headers: {} });
    expect(event.requestContext.http).toMatchObject({ method: 'GET', path: '/test' });
    expect([event.body, event.isBase64Encoded]).toEqual([undefined, false]);
  });

  it('encodes a body in base64 if its bytes are not text, and keeps a string as it is', () => {
    const bytes = Buffer.from([0xff, 0xd8, 0xff]);
    const picture = httpEvent({ method: 'POST', body: bytes, contentType: 'image/jpeg' });
    expect(picture).toMatchObject({ body: bytes.toString('base64'), isBase64Encoded: true });
    expect(picture.headers['content-type']).toBe('image/jpeg');
    expect(httpEvent({ body: '{"half":' })).toMatchObject({ body: '{"half":', isBase64Encoded: false });
    expect(httpEvent({ body: null }).body).toBe('null');
  });
});
