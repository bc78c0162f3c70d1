import { Worker } from 'node:worker_threads';

/**
 * Ends this process when its parent is gone. The end of the channel to the parent shows that too, but only between two turns of
 * the event loop: a function that computes without end would outlive a killed worker. So a thread of its own looks.
 */
export function endWithParent(): void {
  // Not a file, because a bundle has no other than its own. A thread cannot kill its process with `process.exit`.
  const code = `
    const parent = process.ppid;
    setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 1000);
  `;
  // Without the loaders and the telemetry of the process, and with as little memory as V8 needs.
  const resourceLimits = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 8, stackSizeMb: 1 };
  const thread = new Worker(code, { eval: true, execArgv: [], env: {}, resourceLimits });
  // Without the thread, the channel to the parent still ends an idle process.
  thread.on('error', () => undefined);
  thread.unref();
}
