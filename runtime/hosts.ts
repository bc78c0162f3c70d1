/** What calls functions: for programs that embed a host. The `warren` command covers the usual cases. */
export { EventSource } from './event-source/event-source.ts';
export type { Invoke } from './event-source/invoke.ts';
export { type Mapping, readMappings } from './event-source/mapping.ts';
export type { Host, StopOptions } from './hosts/host.ts';
export { HttpHost, type HttpHostOptions } from './hosts/http/host.ts';
export { inProcess } from './hosts/in-process.ts';
export { type LambdaInvokeOptions, lambdaInvoke } from './hosts/lambda.ts';
export {
  createLongPoll,
  type LongPollOptions,
  mappingsVariable,
  readPolledMappings,
} from './hosts/long-poll.ts';
export { type Manifest, readManifest } from './hosts/manifest.ts';
export { Scheduler, type SchedulerOptions } from './hosts/schedule.ts';
export { Worker, type WorkerOptions } from './hosts/worker.ts';
