import type { Contract } from 'warren/functions';
import type { Json } from '../../runtime/contracts/document-types.ts';
import { idOf, type Route } from '../../runtime/contracts/routes.ts';
import { javascriptExample, phpExample, pythonExample, type Sending } from './client-examples.ts';
import { codes, table } from './markdown.ts';

/**
 * The sections of docs/clients.md: a message or a method each, with its fields and an example in three languages.
 *
 * @param schemas of the document, by the names of the messages.
 */
export function clientSections(routes: readonly Route[], schemas: Readonly<Record<string, Json>>): string {
  const forClients = routes.filter(({ contract }) => contract.from !== 'service');
  return forClients.map((route) => section(route, schemas)).join('\n\n');
}

function section(route: Route, schemas: Readonly<Record<string, Json>>): string {
  const { contract, type, queues } = route;
  const { summary = '', description } = contract;
  const id = idOf(contract);
  const sending = { ...sendingOf(contract), name: id, schema: schemas[id] };
  const kind = contract.kind === 'call' ? 'RPC method, exchange' : 'Exchange';
  const place = `${kind} \`${contract.exchange}\` (${type}), routing key ${contract.key === '' ? 'empty' : codes([contract.key])}. Queues: ${codes(queues.map(({ queue }) => queue))}.`;
  const parts = [
    `### ${id}`,
    [summary, description].filter(Boolean).join(' '),
    place,
    fields(schemas[id]),
    ...(contract.reply ? [replyText(schemas[`${id}.reply`])] : []),
    `\`\`\`python\n${pythonExample(sending)}\n\`\`\``,
    `\`\`\`php\n${phpExample(sending)}\n\`\`\``,
    `\`\`\`js\n${javascriptExample(sending)}\n\`\`\``,
  ];
  return parts.filter((text) => text !== '').join('\n\n');
}

function replyText(schema: Json | undefined): string {
  const listed = fields(schema);
  const intro =
    'The reply to `reply_to` has the same `correlation_id`; its `type` is `error` if its body is a problem (RFC 9457)';
  return listed.startsWith('|') ? `${intro}:\n\n${listed}` : `${intro}. ${listed}`;
}

/** What the examples send. */
function sendingOf(contract: Contract): Omit<Sending, 'name' | 'schema'> {
  const { exchange, key, examples = [], reply, kind } = contract;
  const [routingKey = key] = (kind === 'message' && contract.keyExamples) || [];
  return { exchange, routingKey, body: examples[0] ?? {}, isAnswered: reply !== undefined, kind };
}

function fields(schema: Json = {}): string {
  const { properties } = schema;
  if (!properties) return `The body is ${typeText(schema)}.`;
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const rows = Object.entries(properties as Record<string, Json>).map(([name, each]) => [
    codes([name]),
    typeText(each),
    required.includes(name) ? 'yes' : 'no',
  ]);
  return table(['field', 'type', 'required'], rows);
}

/** The type of a value, with its limits, for people. */
function typeText(schema: Json): string {
  const { type, anyOf, oneOf, format, const: only, enum: values, minimum, maximum } = schema;
  const { minLength, maxLength, items, properties, pattern } = schema;
  if (Array.isArray(anyOf ?? oneOf)) return ((anyOf ?? oneOf) as Json[]).map(typeText).join(' or ');
  if (only !== undefined) return codes([JSON.stringify(only)]);
  if (Array.isArray(values)) return codes(values.map((value) => JSON.stringify(value)));
  if (type === 'array') return `list of ${typeText(([items].flat()[0] ?? {}) as Json)}`;
  if (properties) return `object with ${codes(Object.keys(properties as object))}`;
  if (type === undefined) return 'any JSON value';
  if (format !== undefined) return `${type}, ${format}`;
  if (minimum !== undefined) return `${type} from ${minimum} to ${maximum}`;
  if (maxLength !== undefined) return `${type} of ${minLength ?? 0} to ${maxLength} characters`;
  return pattern === undefined ? String(type) : `${type} matching ${codes([String(pattern)])}`;
}
