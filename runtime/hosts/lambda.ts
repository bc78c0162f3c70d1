import {
  InvokeCommand,
  LambdaClient,
  type LambdaClientConfig,
  type LambdaServiceException,
} from '@aws-sdk/client-lambda';
import { UnavailableError } from '../base/errors.ts';
import { FunctionFailedError, HostUnavailableError, type Invoke } from '../event-source/invoke.ts';
import { verdictsContext } from '../messages/verdicts.ts';

/** Answers of the Invoke API that blame the event. Any other is about the function, its host or us, and no fault of a message. */
const eventRefused = new Set([
  'RequestTooLargeException',
  'SerializedRequestEntityTooLargeException',
  'InvalidRequestContentException',
  'UnsupportedMediaTypeException',
]);

/** The verdicts' context as the Invoke API takes it. */
const clientContext = Buffer.from(JSON.stringify(verdictsContext)).toString('base64');

export interface LambdaInvokeOptions {
  /** Name or ARN of the function, with a qualifier or without. */
  functionName: string;
  /** The function's own time-out in milliseconds; we wait a little longer. */
  timeoutMs: number;
  /** Address of the Lambda API; default AWS's own. */
  endpoint?: string | undefined;
  client?: Pick<LambdaClient, 'send'>;
}

/**
 * Calls through the Lambda Invoke API: AWS, or serverless-offline on its Lambda port. What never came to a call (no rights,
 * no credentials, a throttle, a function that is not ready, a proxy's page) is the host's, however long it lasts.
 */
export function lambdaInvoke(options: LambdaInvokeOptions): Invoke {
  const { functionName, timeoutMs } = options;
  const client = options.client ?? new LambdaClient(clientConfig(options.endpoint));
  return async (event) => {
    const body = JSON.stringify(event);
    const limit = AbortSignal.timeout(timeoutMs + 5000);
    try {
      const { FunctionError, Payload } = await client.send(
        new InvokeCommand({ FunctionName: functionName, Payload: body, ClientContext: clientContext }),
        { abortSignal: limit },
      );
      if (FunctionError) throw failure(functionName, Payload);
      return resultOf(Payload);
    } catch (cause) {
      if (cause instanceof FunctionFailedError || cause instanceof HostUnavailableError) throw cause;
      if (limit.aborted) throw new FunctionFailedError(`${functionName} took too long`, { cause });
      if (isRefusal(cause) || isCut(cause)) {
        throw new FunctionFailedError(`${functionName} can't be called: ${(cause as Error).name}`, { cause });
      }
      throw new HostUnavailableError(`${functionName} can't be reached`, { cause });
    }
  };
}

function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { httpStatusCode } = (error as Partial<LambdaServiceException>).$metadata ?? {};
  // A proxy names no exception.
  return eventRefused.has(error.name) || httpStatusCode === 413;
}

/**
 * Whether the connection ended after it stood: the function may have been called by then. A message that takes its host
 * along has to be counted; one that met a stale connection loses one delivery of those it has.
 */
function isCut(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function clientConfig(endpoint: string | undefined): LambdaClientConfig {
  // The SDK would try again by itself: a call that failed half-way would be made twice without the adapter knowing.
  if (endpoint === undefined) return { maxAttempts: 1 };
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return { maxAttempts: 1, endpoint, region: process.env['AWS_REGION'] ?? 'us-east-1', credentials };
}

/** The error that the function threw; Lambda reports its name and message. */
function failure(functionName: string, payload: Uint8Array | undefined): Error {
  const { errorType, errorMessage = 'without a message' } = errorOf(payload);
  if (errorType === UnavailableError.name) {
    return new HostUnavailableError(`${functionName} can't work now: ${errorMessage}`);
  }
  return new FunctionFailedError(`${functionName} failed: ${errorMessage}`);
}

/** A result that is no JSON is as good as none: the call has succeeded. */
function resultOf(payload: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(payload ?? []).toString()) ?? undefined;
  } catch {
    return undefined;
  }
}

function errorOf(payload: Uint8Array | undefined): { errorType?: unknown; errorMessage?: unknown } {
  try {
    return { ...(JSON.parse(Buffer.from(payload ?? []).toString()) as object) };
  } catch {
    return {};
  }
}
