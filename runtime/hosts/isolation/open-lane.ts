import { isPromise } from '../../base/promises.ts';
import type { LaneInvoke } from '../../event-source/invoke.ts';
import type { RabbitMQEvent } from '../../messages/event.ts';
import type { FunctionProcess } from './function-process.ts';

/** Number of lanes so far: each has its number as its name. */
let lanes = 0;

/**
 * Creates the calls of one consumer.
 *
 * @param free chooses the process of a call that is not sent ahead.
 */
export function openLane(free: () => FunctionProcess | Promise<FunctionProcess>): LaneInvoke {
  lanes += 1;
  const lane = lanes;
  let process: FunctionProcess | undefined;
  const call = async (event: RabbitMQEvent) => {
    const found = free();
    process = isPromise(found) ? await found : found;
    return process.call(event, lane);
  };
  return Object.assign(call, {
    ahead: (event: RabbitMQEvent, took?: (ms: number) => void) => process?.ahead(event, lane, took),
    recall: () => process?.recall(lane),
  });
}
