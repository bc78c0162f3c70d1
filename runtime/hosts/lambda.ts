import {
  InvokeCommand,
  LambdaClient,
  type LambdaClientConfig,
  type LambdaServiceException,
} from '@aws-sdk/client-lambda';
import { withDeadline } from '../base/deadline.ts';
import type { ErrorCode } from '../base/error-codes.ts';
import { RejectedError, UnavailableError } from '../base/errors.ts';
import {
  FunctionFailedError,
  FunctionLateError,
  FunctionUnavailableError,
  HostUnavailableError,
  type Invoke,
} from '../event-source/invoke.ts';
import type { RabbitMQEvent } from '../messages/event.ts';
import { verdictsContext } from '../messages/verdicts.ts';

/** Errors of the Invoke API that the event causes. The others come from the function, its host or our own credentials. */
const eventRefused = new Set([
  'RequestTooLargeException',
  'SerializedRequestEntityTooLargeException',
  'InvalidRequestContentException',
  'UnsupportedMediaTypeException',
]);

/** The names of our errors, written out because the bundler may rename the classes. */
const unavailableNames: readonly unknown[] = ['UnavailableError', 'RetryLaterError'];
/** The type of error that Lambda reports for a function that took too long. */
const lateType = 'Sandbox.Timedout';
const rejectedName = 'RejectedError';
/** The verdicts' context as the Invoke API takes it. */
const clientContext = Buffer.from(JSON.stringify(verdictsContext)).toString('base64');

export interface LambdaInvokeOptions {
  /** Name or ARN of the function, with a qualifier or without. */
  functionName: string;
  /** The function's own time limit in milliseconds. A call may take five seconds more. */
  timeoutMs: number;
  /** Address of the Lambda API; default AWS's own. */
  endpoint?: string | undefined;
  client?: Pick<LambdaClient, 'send'>;
}

/**
 * Calls through the Lambda Invoke API: AWS, or serverless-offline on its Lambda port. If the function was not called (no rights,
 * no credentials, a throttle, a function that is not ready, a proxy's page), the host is unavailable, however long that lasts.
 */
export function lambdaInvoke(options: LambdaInvokeOptions): Invoke {
  const { functionName, timeoutMs } = options;
  const client = options.client ?? new LambdaClient(clientConfig(options.endpoint));
  const callUntil = async (event: RabbitMQEvent, until: number): Promise<unknown> => {
    const body = JSON.stringify(event);
    const limit = new AbortController();
    const late = () => {
      const error = new FunctionLateError(functionName);
      limit.abort(error);
      return error;
    };
    try {
      const command = new InvokeCommand({
        FunctionName: functionName,
        Payload: body,
        ClientContext: clientContext,
      });
      const { FunctionError, Payload } = await withDeadline(
        client.send(command, { abortSignal: limit.signal }),
        { ms: Math.min(timeoutMs + 5000, until - Date.now()), late },
      );
      if (FunctionError) throw failure(functionName, Payload);
      return resultOf(Payload);
    } catch (cause) {
      if (cause instanceof FunctionFailedError || cause instanceof HostUnavailableError) throw cause;
      // The client's error for the abort may arrive first.
      if (limit.signal.aborted) throw limit.signal.reason;
      // Without the cause: a cut during the call counts against the message, and is no sign of an unavailable dependency.
      if (isCut(cause))
        throw new FunctionFailedError(`${functionName}: the connection was cut during the call`);
      if (isRefusal(cause)) {
        throw new FunctionFailedError(`${functionName} can't be called: ${(cause as Error).name}`, { cause });
      }
      throw new HostUnavailableError(`${functionName} ${reasonOf(cause)}`, { cause });
    }
  };
  const call = (event: RabbitMQEvent) => callUntil(event, Number.POSITIVE_INFINITY);
  return Object.assign(call, { callUntil });
}

/** Why a call did not reach the function, with the setting that an operator has to check if waiting does not help. */
function reasonOf(cause: unknown): string {
  const { name = '', $metadata } = cause as Partial<LambdaServiceException>;
  const status = $metadata?.httpStatusCode;
  if (status === undefined) return "can't be reached";
  if (name === 'ResourceNotFoundException') return 'does not exist: check its name, stage and region';
  if (status === 401 || status === 403)
    return `can't be called (${name}): check the credentials and the right lambda:InvokeFunction`;
  return status === 429 ? `is throttled (${name})` : `can't be called now (${name}, status ${status})`;
}

function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { httpStatusCode } = (error as Partial<LambdaServiceException>).$metadata ?? {};
  // A proxy's answer does not name an exception.
  return eventRefused.has(error.name) || httpStatusCode === 413;
}

/**
 * Whether an established connection was cut: the function may have been called by then. A message that crashes its host has to
 * be counted; a message that met a stale connection loses one of its deliveries.
 */
function isCut(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

function clientConfig(endpoint: string | undefined): LambdaClientConfig {
  // The SDK's own retry could make a call twice without the knowledge of the event source.
  if (endpoint === undefined) return { maxAttempts: 1 };
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return { maxAttempts: 1, endpoint, region: process.env['AWS_REGION'] ?? 'us-east-1', credentials };
}

/** The error that the function threw. Lambda's own report has its name and message, but not its code. */
function failure(functionName: string, payload: Uint8Array | undefined): Error {
  const { code, errorType, errorMessage = 'without a message', trace } = errorOf(payload);
  const unavailable =
    code === undefined
      ? unavailableNames.includes(errorType)
      : code === ('ERR_UNAVAILABLE' satisfies ErrorCode);
  if (unavailable) {
    const cause = traced(new UnavailableError(functionName, String(errorMessage)), trace);
    return new FunctionUnavailableError(`${functionName} can't work now: ${errorMessage}`, { cause });
  }
  if (errorType === lateType) return new FunctionLateError(functionName);
  const rejected =
    code === undefined ? errorType === rejectedName : code === ('ERR_REJECTED' satisfies ErrorCode);
  const cause = rejected
    ? new RejectedError(String(errorMessage))
    : Object.assign(new Error(String(errorMessage)), { name: String(errorType ?? 'Error') });
  return new FunctionFailedError(`${functionName} failed: ${errorMessage}`, { cause: traced(cause, trace) });
}

/** The error with the stack of the function, whose lines Lambda's report has. */
function traced(error: Error, trace: unknown): Error {
  if (Array.isArray(trace) && trace.length > 0) error.stack = trace.join('\n');
  return error;
}

/** A result that is no JSON is as good as none: the call has succeeded. */
function resultOf(payload: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(payload ?? []).toString()) ?? undefined;
  } catch {
    return undefined;
  }
}

function errorOf(payload: Uint8Array | undefined): {
  code?: unknown;
  errorType?: unknown;
  errorMessage?: unknown;
  trace?: unknown;
} {
  try {
    return { ...(JSON.parse(Buffer.from(payload ?? []).toString()) as object) };
  } catch {
    return {};
  }
}
