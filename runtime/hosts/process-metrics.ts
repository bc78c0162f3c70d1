import { performance } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { ProcessObserver } from './isolation/process-observer.ts';
import { type Usage, usageMs } from './isolation/protocol.ts';

interface ReportedUsage extends Usage {
  at: number;
}

/** A process reports its usage each few seconds. If it has not for two reports, its event loop is blocked. */
function utilizationOf({ utilization, at }: ReportedUsage): number {
  return performance.now() - at > 2 * usageMs ? 1 : utilization;
}

export interface ProcessMetrics extends ProcessObserver {
  /** Begins the counters of a function at 0. */
  begin(functionName: string): void;
}

/** Makes the metrics of event loops and of the processes of functions, and the observer that records them. */
export function createProcessMetrics(registry: Registry): ProcessMetrics {
  const settings = (name: string, help: string) => ({ name, help, registers: [registry] });
  const labelNames = ['function'] as const;
  const processes = new Gauge({
    ...settings('warren_function_processes', 'Processes of a function'),
    labelNames,
  });
  const restarts = new Counter({
    ...settings('warren_function_process_restarts_total', 'Processes that ended or were replaced'),
    labelNames,
  });
  const cpu = new Counter({
    ...settings('warren_function_cpu_seconds_total', 'CPU time of the processes of a function'),
    labelNames,
  });
  const memory = new Gauge({
    ...settings('warren_function_resident_memory_bytes', 'Resident memory of the processes of a function'),
    labelNames,
  });
  const blocked = new Counter({
    ...settings('warren_blocked_event_loops_total', 'Calls that blocked the event loop of their process'),
    labelNames,
  });
  const utilization: Gauge<'function'> = new Gauge({
    ...settings(
      'warren_event_loop_utilization',
      'Share of the time in which the event loop was busy, of the worker itself (no function) or of the busiest process of a function',
    ),
    labelNames,
    collect() {
      utilization.set({ function: '' }, ownUtilization());
      for (const [name, bySlot] of latest) {
        utilization.set({ function: name }, Math.max(0, ...[...bySlot.values()].map(utilizationOf)));
      }
    },
  });
  let last = performance.eventLoopUtilization();
  const ownUtilization = () => {
    const share = performance.eventLoopUtilization(last).utilization;
    last = performance.eventLoopUtilization();
    return share;
  };
  const latest = new Map<string, Map<object, ReportedUsage>>();

  return {
    begin(name) {
      for (const counter of [restarts, blocked]) counter.inc({ function: name }, 0);
    },
    running: (name, change) => processes.inc({ function: name }, change),
    restarted: (name) => restarts.inc({ function: name }),
    blocked: (name) => blocked.inc({ function: name }),
    usage(name, slot, usage) {
      const bySlot = latest.get(name) ?? new Map<object, ReportedUsage>();
      latest.set(name, bySlot);
      if (usage) bySlot.set(slot, { ...usage, at: performance.now() });
      else bySlot.delete(slot);
      if (usage) cpu.inc({ function: name }, usage.cpuSeconds);
      const all = [...bySlot.values()];
      memory.set(
        { function: name },
        all.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
      );
    },
  };
}
