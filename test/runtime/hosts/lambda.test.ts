import { createServer, type IncomingMessage, type Server } from 'node:http';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { afterEach, describe, expect, it } from 'vitest';
import { FunctionFailedError, HostUnavailableError } from '../../../runtime/event-source/invoke.ts';
import { type LambdaInvokeOptions, lambdaInvoke } from '../../../runtime/hosts/lambda.ts';
import { toEvent } from '../../../runtime/messages/event.ts';
import { delivery } from '../../support/broker.ts';

const event = toEvent({ arn: 'arn:test', queue: 'critical', vhost: '/' }, [delivery('1')]);

interface Answer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  /** Cuts the connection in place of an answer. */
  cut?: boolean;
  /** Never answers. */
  silent?: boolean;
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server with the Invoke API that records its requests. */
const api = async (answer: Answer) => {
  const requests: { path: string | undefined; body: string }[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    requests.push({ path: request.url, body });
    if (answer.cut) request.socket.destroy();
    if (answer.cut || answer.silent) return;
    response.writeHead(answer.status ?? 200, answer.headers).end(answer.body ?? 'null');
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return { endpoint: `http://127.0.0.1:${port}`, requests };
};

const invoke = (endpoint: string, options: Partial<LambdaInvokeOptions> = {}) =>
  lambdaInvoke({ functionName: 'warren-dev-ping', timeoutMs: 5000, endpoint, ...options })(event);

describe('a call through the Invoke API', () => {
  it('the function gets the event unchanged', async () => {
    const { endpoint, requests } = await api({});
    await expect(invoke(endpoint)).resolves.toBeUndefined();
    expect(requests).toHaveLength(1);
    expect(requests[0]?.path).toBe('/2015-03-31/functions/warren-dev-ping/invocations');
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual(event);
  });

  it('a call whose function threw has failed, and is made once', async () => {
    const { endpoint, requests } = await api({
      headers: { 'x-amz-function-error': 'Unhandled' },
      body: '{"errorType":"Error","errorMessage":"no good"}',
    });
    const calling = invoke(endpoint);
    await expect(calling).rejects.toThrow(FunctionFailedError);
    await expect(calling).rejects.toThrow('warren-dev-ping failed: no good');
    expect(requests).toHaveLength(1);
  });

  it('a call whose result is above 6 MB has failed, as Lambda reports it', async () => {
    const { endpoint, requests } = await api({
      headers: { 'x-amz-function-error': 'Unhandled' },
      body: JSON.stringify({
        errorType: 'Function.ResponseSizeTooLarge',
        errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
      }),
    });
    await expect(invoke(endpoint)).rejects.toThrow(/^warren-dev-ping failed: Response payload size exceeded/);
    await expect(invoke(endpoint)).rejects.not.toThrow(HostUnavailableError);
    expect(requests).toHaveLength(2);
  });

  it('a function that threw UnavailableError or RetryLaterError is unavailable, and not at fault', async () => {
    const { endpoint } = await api({
      headers: { 'x-amz-function-error': 'Unhandled' },
      body: '{"errorType":"UnavailableError","errorMessage":"no copies"}',
    });
    const calling = invoke(endpoint);
    await expect(calling).rejects.toThrow(HostUnavailableError);
    await expect(calling).rejects.toThrow("warren-dev-ping can't work now: no copies");
    const later = await api({
      headers: { 'x-amz-function-error': 'Unhandled' },
      body: '{"errorType":"RetryLaterError","errorMessage":"too many requests"}',
    });
    await expect(invoke(later.endpoint)).rejects.toThrow(HostUnavailableError);
  });

  it('the code of an error decides, and not its name', async () => {
    const headers = { 'x-amz-function-error': 'Unhandled' };
    const minified = await api({ headers, body: '{"code":"ERR_UNAVAILABLE","errorType":"a"}' });
    await expect(invoke(minified.endpoint)).rejects.toThrow(HostUnavailableError);
    const namesake = await api({ headers, body: '{"code":"ERR_REJECTED","errorType":"UnavailableError"}' });
    await expect(invoke(namesake.endpoint)).rejects.toThrow(FunctionFailedError);
  });

  it.each([
    [429, 'TooManyRequestsException', 'is throttled'],
    [404, 'ResourceNotFoundException', 'does not exist: check its name, stage and region'],
    [409, 'ResourceConflictException', "can't be called now"],
    [500, 'ServiceException', "can't be called now"],
    [503, 'ServiceUnavailableException', "can't be called now"],
    [403, 'AccessDeniedException', 'lambda:InvokeFunction'],
    [403, 'ExpiredTokenException', 'check the credentials'],
    [403, 'UnrecognizedClientException', 'check the credentials'],
    [403, 'InvalidSignatureException', 'check the credentials'],
    [502, 'KMSAccessDeniedException', "can't be called now (KMSAccessDeniedException"],
    [502, 'KMSDisabledException', "can't be called now (KMSDisabledException"],
    [502, 'KMSNotFoundException', "can't be called now"],
    [502, 'ENILimitReachedException', "can't be called now (ENILimitReachedException"],
    [502, 'EC2ThrottledException', "can't be called now"],
    [502, 'EC2AccessDeniedException', "can't be called now"],
    [410, 'EFSMountTimeoutException', "can't be called now"],
    [409, 'SnapStartNotReadyException', "can't be called now"],
    [502, 'SubnetIPAddressLimitReachedException', "can't be called now"],
    [502, 'InvalidRuntimeException', "can't be called now"],
    [400, 'SomethingNewException', "can't be called now"],
  ])(
    'a call with the answer %i %s did not reach the function, is made once, and the reason is named',
    async (status, type, reason) => {
      const { endpoint, requests } = await api({
        status,
        headers: { 'x-amzn-errortype': type, 'content-type': 'application/json' },
        body: '{"message":"not now"}',
      });
      const calling = invoke(endpoint);
      await expect(calling).rejects.toThrow(HostUnavailableError);
      await expect(calling).rejects.toThrow(reason);
      expect(requests).toHaveLength(1);
    },
  );

  it('a call did not reach the function if no process listens', async () => {
    await expect(invoke('http://127.0.0.1:1')).rejects.toThrow(HostUnavailableError);
  });

  it('a call did not reach the function if a proxy answers with a page', async () => {
    const { endpoint } = await api({
      status: 502,
      headers: { 'content-type': 'text/html' },
      body: '<html>Bad Gateway</html>',
    });
    await expect(invoke(endpoint)).rejects.toThrow(HostUnavailableError);
  });

  it('a call did not reach the function if there are no credentials', async () => {
    const { endpoint } = await api({});
    const client = new LambdaClient({
      endpoint,
      region: 'us-east-1',
      maxAttempts: 1,
      credentials: async () => {
        throw new Error('Could not load credentials from any providers');
      },
    });
    await expect(invoke(endpoint, { client })).rejects.toThrow(HostUnavailableError);
  });

  it.each([
    [413, 'RequestTooLargeException'],
    [400, 'InvalidRequestContentException'],
    [415, 'UnsupportedMediaTypeException'],
    [413, undefined],
  ])('a call with the answer %i %s has failed, because the event is the reason', async (status, type) => {
    const { endpoint } = await api({
      status,
      headers: { ...(type && { 'x-amzn-errortype': type }), 'content-type': 'application/json' },
      body: '{"message":"too large"}',
    });
    await expect(invoke(endpoint)).rejects.toThrow(FunctionFailedError);
  });

  it('a call whose connection is cut has failed, because it may have crashed its host', async () => {
    const { endpoint, requests } = await api({ cut: true });
    await expect(invoke(endpoint)).rejects.toThrow(FunctionFailedError);
    expect(requests).toHaveLength(1);
  });

  it("a call that takes longer than the function's time limit has failed", async () => {
    const { endpoint } = await api({ silent: true });
    // Five seconds are added to the function's own limit.
    const calling = invoke(endpoint, { timeoutMs: -4900 });
    await expect(calling).rejects.toThrow(FunctionFailedError);
    await expect(calling).rejects.toThrow('warren-dev-ping took too long');
  });
});
