import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import { json } from 'node:stream/consumers';
import { createLog } from '../../runtime/base/log.ts';
import { FunctionLateError } from '../../runtime/event-source/invoke.ts';
import { localFunctions } from '../../runtime/hosts/load.ts';
import { readManifest } from '../../runtime/hosts/manifest.ts';
import { polled, stage } from './lambda-service.ts';

/**
 * Answers the Invoke API of Lambda for the functions that are called through it, in one process and without cold starts. Its
 * arguments are the manifest and the port.
 */
const [, , manifestFile = '', port] = process.argv;
const manifest = readManifest(await readFile(manifestFile, 'utf8'));
const functions = localFunctions({ manifest, folder: dirname(manifestFile), env: process.env }, polled);
await Promise.all([...functions.values()].map((each) => each.load()));

/** Type of error that Lambda reports for a function that took too long. */
const lateType = 'Sandbox.Timedout';

async function invoke(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const name = /^\/2015-03-31\/functions\/(.+)\/invocations$/.exec(request.url ?? '')?.[1] ?? '';
  const invoked = functions.get(name.replace(`${manifest.service}-${stage}-`, ''));
  const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  if (!invoked) {
    answer(404, {}, { 'x-amzn-errortype': 'ResourceNotFoundException' });
    return;
  }
  try {
    const event: unknown = await json(request);
    answer(200, (await invoked.call(event)) ?? null);
  } catch (error) {
    const { name: errorType, message: errorMessage, cause } = error as Error;
    const thrown = cause instanceof Error ? { errorType: cause.name, errorMessage: cause.message } : {};
    const late = error instanceof FunctionLateError && { errorType: lateType };
    answer(200, { errorType, errorMessage, ...thrown, ...late }, { 'x-amz-function-error': 'Unhandled' });
  }
}

const server = createServer((request, response) => void invoke(request, response));
server.listen(Number(port), '127.0.0.1', () => {
  createLog({ LOG_LEVEL: 'info', host: 'lambda-api' }).info({ port }, 'Lambda API is up');
});
// The calls in flight end first.
process.once('SIGTERM', () => server.close(() => process.exit(0)));
