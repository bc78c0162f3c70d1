import pc from 'picocolors';
import { thrownText } from '../base/thrown-text.ts';
import { escapeInLine as visible } from '../base/visible.ts';
import type { RabbitMQEvent } from '../messages/event.ts';
import { readEvent } from '../messages/received.ts';
import type { ItemFailure } from '../messages/verdicts.ts';
import { readFailures } from '../messages/verdicts.ts';
import type { CallReport } from './lazy-functions.ts';

/**
 * The lines about a call for people: one for each message, request or scheduled call, with function, queue and routing key or route,
 * attempt, milliseconds and outcome. The last one has what the call published.
 */
export function callLines(call: Parameters<CallReport>[0]): string[] {
  const lines = outcomeLines(call);
  const last = lines.pop() ?? '';
  return [...lines, last + publishedText(call.published ?? [])];
}

function outcomeLines({ functionName, event, ms, result, error }: Parameters<CallReport>[0]): string[] {
  const line = (source: string, outcome: string) =>
    [pc.bold(functionName), source, pc.dim(`${ms} ms`), outcome].join('  ');
  const failed = error === undefined ? undefined : pc.red(`failed: ${messageOf(error)}`);
  if (isMessages(event)) {
    const messages = readEvent(event);
    const failures = readFailures(result, messages.length);
    return messages.map(({ queue, routingKey = '', attempt }, index) =>
      line(
        `${queue}  ${visible(routingKey)}  ${attempt === 1 ? '' : pc.yellow(`attempt ${attempt}`)}`.trimEnd(),
        failed ?? outcomeOf(failures.get(index)),
      ),
    );
  }
  const { routeKey } = event as { routeKey?: string };
  if (routeKey === undefined) return [line('schedule', failed ?? pc.green('done'))];
  const { statusCode = 200 } = (result ?? {}) as { statusCode?: number };
  const color = statusCode >= 500 ? pc.red : statusCode >= 400 ? pc.yellow : pc.green;
  return [line(routeKey, failed ?? color(String(statusCode)))];
}

function outcomeOf(failure: ItemFailure | undefined): string {
  if (!failure) return pc.green('done');
  const { verdict, error } = failure;
  const what =
    verdict.to === 'retry'
      ? pc.yellow(`again in ${verdict.seconds} s`)
      : pc.red(`dead-lettered (${verdict.reason})`);
  return `${what}: ${visible(error)}`;
}

/** Exchanges and routing keys, with the number of messages if there are several. */
function publishedText(published: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const to of published) counts.set(to, (counts.get(to) ?? 0) + 1);
  const texts = [...counts].map(([to, count]) => (count === 1 ? visible(to) : `${visible(to)} (${count})`));
  return texts.length === 0 ? '' : pc.dim(`  published ${texts.join(', ')}`);
}

const messageOf = (error: unknown) => visible(thrownText(error instanceof Error ? error.message : error));

function isMessages(event: unknown): event is RabbitMQEvent {
  return typeof event === 'object' && event !== null && 'rmqMessagesByQueue' in event;
}
