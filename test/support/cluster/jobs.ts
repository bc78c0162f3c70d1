import { setTimeout as pause } from 'node:timers/promises';
import type { KubernetesObject } from '../helm/chart.ts';
import type { KubernetesApi } from './api.ts';

/** A job, as far as tests look at it. */
export interface Job extends KubernetesObject {
  status: { startTime?: string; conditions?: { type: string }[] };
}

/** How a job ends. */
export type End = 'Complete' | 'Failed';

/**
 * Reports what the controller of jobs would report, because there are no nodes: each new job gets the end that `endOf` chooses, and
 * waits while it chooses none.
 *
 * @returns stops it.
 */
export function endJobs(
  api: KubernetesApi,
  namespace: string,
  endOf: () => End | undefined,
): () => Promise<void> {
  const stopped = new AbortController();
  const path = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const loop = async () => {
    while (!stopped.signal.aborted) {
      for (const { metadata, status } of await api.list<Job>(path)) {
        const end = status.conditions ? undefined : endOf();
        if (!end) continue;
        const options = { body: { status: statusOf(end) }, type: 'application/merge-patch+json' };
        await api.ask('PATCH', `${path}/${metadata.name}/status`, options);
      }
      await pause(200);
    }
  };
  const running = loop();
  // The test that waits for the job fails by itself, and gets this error when it stops the loop.
  running.catch(() => undefined);
  return async () => {
    stopped.abort();
    await running;
  };
}

function statusOf(end: End): object {
  const now = new Date().toISOString().replace(/\.\d+/, '');
  const isComplete = end === 'Complete';
  // The server takes an end only after the condition that announces it.
  const types = isComplete ? ['SuccessCriteriaMet', 'Complete'] : ['FailureTarget', 'Failed'];
  const reason = isComplete ? 'CompletionsReached' : 'BackoffLimitExceeded';
  return {
    startTime: now,
    completionTime: isComplete ? now : undefined,
    [isComplete ? 'succeeded' : 'failed']: 1,
    conditions: types.map((type) => ({
      type,
      status: 'True',
      reason,
      message: reason,
      lastTransitionTime: now,
    })),
  };
}
