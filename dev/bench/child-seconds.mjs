import { readFileSync } from 'node:fs';

/** CPU seconds of the programs that this process has started and that have ended; 0 where there is no Linux to ask. */
export function childSeconds() {
  if (process.platform !== 'linux') return 0;
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ');
  // cutime and cstime, in hundredths.
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
