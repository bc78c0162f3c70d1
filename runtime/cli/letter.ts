import { parseJson, stringifyJson } from '../base/json.ts';
import { escapeControls, escapeInLine } from '../base/visible.ts';
import type { DeadLetter } from '../dead-letters/dead-letter.ts';
import type { DeadLetterGroup } from '../dead-letters/dead-letters.ts';
import type { GoneLetter } from '../dead-letters/gone-letters.ts';
import type { Stayed } from '../dead-letters/replay.ts';
import type { DeadLetterKind } from '../dead-letters/summary.ts';
import type { InVhost } from './dead-letters/in-vhost.ts';
import { table } from './table.ts';

/** Formats the counts by queue and reason. */
export function groupTable(groups: readonly InVhost<DeadLetterGroup>[]): string {
  const rows = groups.map(({ queue, reason, count, oldest, newest, vhost }) =>
    [queue, reason, String(count), oldest ?? '', newest ?? '', vhost].map(escapeInLine),
  );
  return table(['queue', 'reason', 'count', 'oldest', 'newest', 'vhost'], rows);
}

/** Formats the counts by queue, reason and error. */
export function kindTable(kinds: readonly InVhost<DeadLetterKind>[]): string {
  const rows = kinds.map(({ queue, reason, error = '', count, firstSeen = '', lastSeen = '', vhost }) =>
    [queue, reason, error.slice(0, 70), String(count), firstSeen, lastSeen, vhost].map(escapeInLine),
  );
  return table(['queue', 'reason', 'error', 'count', 'first seen', 'last seen', 'vhost'], rows);
}

/** Formats a line for each dead letter. */
export function letterTable(letters: readonly InVhost<DeadLetter>[]): string {
  const rows = letters.map(({ id, queue, reason, attempts, error, lastFailedAt, vhost }) =>
    [id, queue, reason, String(attempts ?? ''), lastFailedAt ?? '', vhost, (error ?? '').slice(0, 70)].map(
      escapeInLine,
    ),
  );
  return table(['id', 'queue', 'reason', 'attempts', 'last failed', 'vhost', 'error'], rows);
}

/** Formats a line for each dead letter that is gone. */
export function goneTable(gone: readonly InVhost<GoneLetter>[]): string {
  const done = ({ ending, to, by }: GoneLetter) =>
    `${ending ?? 'unknown'}${to === undefined ? '' : ` to ${to}`}${by === undefined ? '' : ` by ${by}`}`;
  const rows = gone.map((each) => {
    const { letter, goneAt = '', vhost } = each;
    return [letter.id, letter.queue, letter.reason, done(each), goneAt, vhost].map(escapeInLine);
  });
  return table(['id', 'queue', 'reason', 'what was done', 'when', 'vhost'], rows);
}

/** Formats a whole dead letter: its fields, its headers, and its body as JSON, as text or as a hex dump. */
export function wholeLetter(letter: DeadLetter): string {
  const { headers, body, bodyEncoding, bytes, ...known } = letter;
  const facts = Object.entries(known).filter(([, value]) => value !== undefined);
  const width = Math.max(...facts.map(([name]) => name.length));
  return [
    ...facts.map(([name, value]) => `${name.padEnd(width)}  ${escapeInLine(String(value))}`),
    '',
    'headers',
    escapeControls(JSON.stringify(headers, null, 2)),
    '',
    `body, ${bytes} bytes`,
    bodyEncoding === 'base64' ? hexDump(Buffer.from(body, 'base64')) : escapeControls(readableBody(body)),
  ].join('\n');
}

/** Maximum number of dead letters that are named with their problem. */
const maxNamed = 10;

/** Describes why dead letters stay after a replay. `to` is the target of all, if there is one. */
export function stayedText(stayed: readonly Stayed[], to?: string): string {
  const gone = stayed.filter(({ problem }) => problem === undefined);
  const broken = stayed.filter(({ problem }) => problem !== undefined);
  const queues = [...new Set(gone.map(({ queue }) => `"${to ?? queue}"`))].join(', ');
  const named = broken.slice(0, maxNamed).map(({ id, problem }) => escapeInLine(`"${id}" (${problem})`));
  const more = broken.length > maxNamed ? [`and ${broken.length - maxNamed} more`] : [];
  const texts = [
    ...(gone.length > 0 ? [`${gone.length} stay in the dead letters, their queue is gone: ${queues}`] : []),
    ...(broken.length > 0
      ? [
          `${broken.length} stay in the dead letters, they cannot be published: ${[...named, ...more].join(', ')}`,
        ]
      : []),
  ];
  return texts.join('\n');
}

/** Formats sixteen bytes per line: their offset, hexadecimal values and characters. */
export function hexDump(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const line = bytes.subarray(at, at + 16);
    const hex = [...line].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = line.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  ${text}`);
  }
  return lines.join('\n');
}

/** Indents JSON only if that changes no value: a key that is there twice would be lost. */
function readableBody(text: string): string {
  try {
    const value = parseJson(text);
    return stringifyJson(value) === text ? stringifyJson(value, 2) : text;
  } catch {
    return text;
  }
}
