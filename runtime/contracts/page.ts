import { createHash } from 'node:crypto';
import escapeHtml from 'escape-html';
import { type Json, type Reference, referenced } from './document-types.ts';

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
section { border-top: 1px solid #8886; margin-top: 2rem; }
code, pre { font: 0.9em ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.75rem; background: #8881; border-radius: 4px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.25rem 1rem; }
dt { font-weight: 600; } dd { margin: 0; }
`;

/**
 * Renders a document of contracts as a page for people. The page is one file: it has no script, and loads nothing.
 *
 * @param document as `asyncapiDocument` makes it.
 */
export function contractsPage(document: Json): string {
  const { title, version } = document['info'] as { title: string; version: string };
  const { messages = {} } = document['components'] as { messages?: Record<string, Json> };
  const places = placesOf(document);
  const names = Object.keys(messages);
  const hash = createHash('sha256').update(style).digest('base64');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${hash}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(`Contracts of ${title}`)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(`Contracts of ${title} ${version}`)}</h1>
<nav aria-label="Messages"><ul>
${names.map((name) => `<li><a href="#${escapeHtml(name)}">${escapeHtml(name)}</a></li>`).join('\n')}
</ul></nav>
${Object.entries(messages)
  .map(([name, message]) => section(document, name, message, places.get(name) ?? []))
  .join('\n')}
</main>
</body>
</html>`;
}

type Row = [term: string, text: string];

function section(document: Json, name: string, message: Json, places: readonly Row[]): string {
  const { summary, description, contentType, payload, headers, examples = [], bindings } = message;
  const type = (bindings as { amqp?: { messageType?: string } } | undefined)?.amqp?.messageType;
  const rows: Row[] = [...places, ['Content type', String(contentType)], ...typeRow(type)];
  const schema = (payload as Json)['$ref'] ? referenced(document, payload as unknown as Reference) : payload;
  return `<section id="${escapeHtml(name)}" aria-labelledby="${escapeHtml(name)}-title">
<h2 id="${escapeHtml(name)}-title">${escapeHtml(name)}</h2>
${[summary, description].map((text) => (text === undefined ? '' : `<p>${withCode(escapeHtml(String(text)))}</p>`)).join('')}
<dl>${rows.map(([term, text]) => `<dt>${escapeHtml(term)}</dt><dd>${escapeHtml(text)}</dd>`).join('')}</dl>
${code('Headers', headers)}${code('Schema', schema)}
${(examples as { payload: unknown }[]).map((each) => code('Example', each.payload)).join('')}
</section>`;
}

const typeRow = (type: string | undefined): Row[] => (type === undefined ? [] : [['Type', type]]);

/** Text in backticks, as CommonMark allows it in descriptions (AsyncAPI 3.1), as code. */
const withCode = (html: string): string => html.replace(/`([^`]+)`/g, '<code>$1</code>');

const code = (title: string, value: unknown): string =>
  value === undefined
    ? ''
    : `<h3>${title}</h3><pre tabindex="0">${escapeHtml(JSON.stringify(value, null, 2))}</pre>`;

/** The exchange, the key and the queues of each message, with their functions. */
function placesOf(document: Json): Map<string, Row[]> {
  const places = new Map<string, Row[]>();
  const add = (name: string, ...rows: Row[]) => places.set(name, [...(places.get(name) ?? []), ...rows]);
  for (const channel of Object.values(document['channels'] as Record<string, Json>)) {
    const amqp = (channel['bindings'] as { amqp?: { exchange: Json } } | undefined)?.amqp;
    for (const name of Object.keys(channel['messages'] as Json)) {
      if (!amqp) add(name, ['Goes to', String(channel['description'])]);
      else {
        const { name: exchange, type } = amqp.exchange;
        add(name, ['Exchange', `${exchange} (${type})`], ['Routing key', String(channel['address'])]);
      }
    }
  }
  for (const operation of Object.values(document['operations'] as Record<string, Json>)) {
    const { 'x-warren-queue': queue, 'x-warren-functions': functions = [], messages } = operation;
    if (queue === undefined) continue;
    const readers = functions as string[];
    const by = readers.length > 0 ? ` (${readers.join(', ')})` : '';
    for (const { $ref } of messages as Reference[])
      add($ref.split('/').at(-1) ?? '', ['Queue', `${queue}${by}`]);
  }
  return places;
}
