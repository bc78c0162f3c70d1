import { InvokeCommand, LambdaClient, type LambdaClientConfig } from '@aws-sdk/client-lambda';
import { isNetworkError } from '../errors.ts';
import { FunctionFailedError, HostAwayError, type Invoke } from './invoke.ts';

/** Answers of the Invoke API that mean: not now. A missing function is one while a deployment is under way. */
const turnedDown = new Set([
  'TooManyRequestsException',
  'ServiceException',
  'ResourceConflictException',
  'ResourceNotReadyException',
  'ResourceNotFoundException',
  'EC2ThrottledException',
  'ENILimitReachedException',
]);

export interface LambdaInvokeOptions {
  /** Name or ARN of the function, with a qualifier or without. */
  functionName: string;
  /** The function's own time-out in milliseconds; we wait a little longer. */
  timeoutMs: number;
  /** Where the Lambda API is, for anything but AWS. */
  endpoint?: string | undefined;
  client?: Pick<LambdaClient, 'send'>;
}

/** Calls through the Lambda Invoke API: AWS, or serverless-offline on its Lambda port. */
export function lambdaInvoke(options: LambdaInvokeOptions): Invoke {
  const { functionName, timeoutMs } = options;
  const client = options.client ?? new LambdaClient(clientConfig(options.endpoint));
  return async (event) => {
    const limit = AbortSignal.timeout(timeoutMs + 5000);
    try {
      const { FunctionError, Payload } = await client.send(
        new InvokeCommand({ FunctionName: functionName, Payload: JSON.stringify(event) }),
        { abortSignal: limit },
      );
      if (FunctionError) throw new FunctionFailedError(`${functionName} failed: ${errorMessage(Payload)}`);
    } catch (cause) {
      if (cause instanceof FunctionFailedError) throw cause;
      if (limit.aborted) throw new FunctionFailedError(`${functionName} took too long`, { cause });
      const { name } = cause as Error;
      if (isNetworkError(cause) || turnedDown.has(name)) {
        throw new HostAwayError(`${functionName} can't be reached`, { cause });
      }
      throw new FunctionFailedError(`${functionName} can't be called: ${name}`, { cause });
    }
  };
}

function clientConfig(endpoint: string | undefined): LambdaClientConfig {
  // The SDK would try again by itself: a call that failed half-way would be made twice without the adapter knowing.
  if (endpoint === undefined) return { maxAttempts: 1 };
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  return { maxAttempts: 1, endpoint, region: process.env['AWS_REGION'] ?? 'us-east-1', credentials };
}

function errorMessage(payload: Uint8Array | undefined): string {
  try {
    const { errorMessage: message } = JSON.parse(Buffer.from(payload ?? []).toString()) as {
      errorMessage?: unknown;
    };
    return String(message);
  } catch {
    return 'without a message';
  }
}
