// Lets the wall clock of a process jump, as a wrong time server does. Timers run on, because they use another clock.
import { readFileSync } from 'node:fs';

const { now } = Date;
let by = 0;
Date.now = () => now() + by;
globalThis.Date = new Proxy(Date, {
  construct: (target, given, self) =>
    Reflect.construct(target, given.length === 0 ? [now() + by] : given, self),
  apply: () => new Date(now() + by).toString(),
});
process.on('SIGUSR2', () => {
  by = Number(readFileSync(process.env.FAULTS_CLOCK, 'utf8'));
});
