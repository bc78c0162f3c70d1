import { setTimeout as pause } from 'node:timers/promises';
import { createLog } from 'warren/functions';

/** A request of CloudFormation to a function behind a custom resource. */
export interface CustomResourceEvent {
  RequestType: 'Create' | 'Update' | 'Delete';
  /** Signed address in S3 that takes the answer. */
  ResponseURL: string;
  StackId: string;
  RequestId: string;
  LogicalResourceId: string;
  PhysicalResourceId?: string;
}

export interface CallContext {
  getRemainingTimeInMillis(): number;
  logStreamName: string;
}

/** Milliseconds before the end of the call that are left for the answer: without one, CloudFormation waits for an hour. */
const reserveMs = 15_000;

/**
 * Does the work of a custom resource, and answers CloudFormation with its result or the reason of its failure, at the latest shortly
 * before the call ends. A removal does nothing. A failure is logged and not thrown, because Lambda would call the function again.
 *
 * @throws Error if the answer itself cannot be sent.
 */
export async function answering(
  event: CustomResourceEvent,
  context: CallContext,
  work: () => Promise<Record<string, string>>,
): Promise<void> {
  const limit = new AbortController();
  const late = async () => {
    await pause(Math.max(0, context.getRemainingTimeInMillis() - reserveMs), undefined, {
      signal: limit.signal,
    });
    throw new Error('it took too long; nothing was undone, and a further deployment continues');
  };
  try {
    const data = event.RequestType === 'Delete' ? {} : await Promise.race([work(), late()]);
    await answer(event, { Status: 'SUCCESS', Data: data });
  } catch (error) {
    const { message } = error as Error;
    // CloudFormation takes 4 KB in all.
    const Reason = `prepare: ${message.slice(0, 1000)} (log stream ${context.logStreamName})`;
    createLog({ LOG_LEVEL: 'info', host: 'prepare' }).error({ err: error }, 'prepare failed');
    await answer(event, { Status: 'FAILED', Reason });
  } finally {
    limit.abort();
  }
}

async function answer(event: CustomResourceEvent, result: object): Promise<void> {
  const { StackId, RequestId, LogicalResourceId, PhysicalResourceId = LogicalResourceId } = event;
  const body = JSON.stringify({ StackId, RequestId, LogicalResourceId, PhysicalResourceId, ...result });
  for (let attempt = 1; ; attempt += 1) {
    try {
      // The signature is for an empty content type.
      const request = {
        method: 'PUT',
        headers: { 'content-type': '' },
        body,
        signal: AbortSignal.timeout(4000),
      };
      const { ok, status } = await fetch(event.ResponseURL, request);
      if (ok) return;
      throw new Error(`CloudFormation's address for the answer refuses it with ${status}`);
    } catch (error) {
      if (attempt === 3) throw error;
      await pause(200 * attempt);
    }
  }
}
