/** The text of an alert's notification, for mail and for chat. */

import escapeHtml from 'escape-html';
import { stringifyJson } from 'warren/functions';
import { visibleText } from '../delivery/header-text.ts';
import type { Alert } from './alert.ts';

export interface Notice {
  content: string;
  facts: string[];
}

export const subjectOf = (subject: string, { summary }: Alert): string =>
  summary ? `${subject}: ${formatCount(summary.more)} more` : subject;

/** The notice of an alert. Control characters of its producer become visible symbols, because webhooks and mail servers refuse them. */
export function composeNotice(alert: Alert): Notice {
  const { content, facts } = noticeOf(alert);
  return { content: visibleText(content), facts: facts.map(visibleText) };
}

function noticeOf({ body, routingKey = 'unknown', timestamp, summary }: Alert): Notice {
  const content = typeof body === 'string' ? body : readableJson(body);
  if (!summary) {
    const raised = timestamp === undefined ? [] : [`Raised: ${timestamp}`];
    return { content, facts: [`Routing key: ${routingKey}`, ...raised] };
  }
  const { dedupKey, more, firstAt, lastAt } = summary;
  const alerts = more === 1 ? '1 more alert' : `${formatCount(more)} more alerts`;
  return {
    content: `${alerts} with the key "${dedupKey}". The last one:\n\n${content}`,
    facts: [`Routing key: ${routingKey}`, `First: ${firstAt}`, `Last: ${lastAt}`],
  };
}

/** Characters of JSON up to which it is indented. */
const maxIndented = 64 * 1024;

/** With each value on a line of its own, unless that makes the text much longer: deep JSON could grow by a hundred times. */
function readableJson(body: unknown): string {
  const compact = stringifyJson(body);
  if (compact.length > maxIndented) return compact;
  const indented = stringifyJson(body, 2);
  return indented.length <= 4 * compact.length ? indented : compact;
}

const formatCount = (count: number): string => count.toLocaleString('en-US');

/** Puts everything that comes from the alert into the body, escaped, and none of it into a header. */
export function mailParts({ content, facts }: Notice): { text: string; html: string } {
  return {
    text: [content, '', ...facts, ''].join('\n'),
    html: `<pre style="white-space: pre-wrap">${escapeHtml(content)}</pre>\n<p>${facts.map(escapeHtml).join('<br>\n')}</p>\n`,
  };
}

/** Slack shows at most this many characters of a text. */
const maxCharacters = 4000;

/** Escapes the text, because Slack reads `<!channel>`, for example, as a command. */
export function chatText(subject: string, { content, facts }: Notice): string {
  // Does not cut a surrogate pair in two.
  const cut = content.slice(0, maxCharacters).replace(/[\ud800-\udbff]$/, '');
  const text = [content.length > maxCharacters ? `${cut}…` : content, '', ...facts].join('\n');
  return `*${subject}*\n${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}`;
}
