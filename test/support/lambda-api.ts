import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LambdaApi {
  /** Address for the Lambda client. */
  endpoint: string;
  close(): Promise<void>;
}

const maxResultBytes = 6_291_556;
const tooLarge = () =>
  Object.assign(
    new Error(`Response payload size exceeded maximum allowed payload size (${maxResultBytes} bytes).`),
    { name: 'Function.ResponseSizeTooLarge' },
  );

/**
 * A server with Lambda's Invoke API that calls a handler as AWS does: event and result are JSON, the client context arrives in the
 * context, an error leaves its name, message and stack, and a result above 6 MB is one.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
export async function lambdaApi(
  handler: (event: unknown, context: object) => unknown | Promise<unknown>,
): Promise<LambdaApi> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { 'x-amz-client-context': context = 'bnVsbA==' } = request.headers;
    const clientContext: unknown = JSON.parse(Buffer.from(String(context), 'base64').toString());
    try {
      const result = await handler(JSON.parse(Buffer.concat(chunks).toString()), { clientContext });
      const payload = Buffer.from(JSON.stringify(result ?? null));
      if (payload.length > maxResultBytes) throw tooLarge();
      response.end(payload);
    } catch (error) {
      const { name: errorType, message: errorMessage, stack: trace } = error as Error;
      response.setHeader('x-amz-function-error', 'Unhandled');
      response.end(JSON.stringify({ errorType, errorMessage, trace: trace?.split('\n') }));
    }
  });
  // Longer than the client keeps a connection: AWS's does not close one on which a call is on its way.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
