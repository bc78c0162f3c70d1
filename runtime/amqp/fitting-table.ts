import { fieldBytes, joinTable, type RawField, rawField } from './field-table.ts';
import { headersLeftHeader } from './headers.ts';

/** The broker's limit for a frame is 128 KiB; properties beside the headers take at most 4 KiB. */
const maxTableBytes = 120 * 1024;
/** Bytes of the header that names what does not fit. */
const leftBytes = 1000;

/** Joins the fields that fit into a frame, the smallest first; `x-warren-headers-left` names the others. */
export function fittingTable(fields: readonly RawField[]): Buffer {
  let sum = fields.reduce((all, each) => all + fieldBytes(each), 0);
  if (sum <= maxTableBytes) return joinTable(fields);
  const sorted = [...fields].sort((one, other) => fieldBytes(one) - fieldBytes(other));
  const left: string[] = [];
  while (sum > maxTableBytes - leftBytes) {
    const largest = sorted.pop();
    if (!largest) break;
    left.push(largest.name);
    sum -= fieldBytes(largest);
  }
  return joinTable([...sorted, rawField(headersLeftHeader, namesLeft(left))]);
}

/** The value of `x-warren-headers-left`. */
export function namesLeft(names: readonly string[]): string {
  return names.join(', ').slice(0, leftBytes - 100);
}
