import { RejectedError, WarrenError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { typeOf } from '../base/schema-problems.ts';
import { fromTimestamp } from '../messages/event-timestamp.ts';

/** How the messages of a contract are CloudEvents (specification 1.0.2). */
export interface CloudEventSettings {
  /** Attribute `source`: a URI reference that names the service, such as `/warren/orders`. */
  source: string;
  /** Attribute `type`, default the property `type` of the message, or else the contract's name. */
  type?: string | undefined;
  /**
   * `binary`, the default, has the attributes in headers and the data as the body. `structured` has both in a body of the content type
   * `application/cloudevents+json`. Both are read, whichever is set.
   */
  mode?: 'binary' | 'structured' | undefined;
}

/** The attributes of an event (CloudEvents 1.0.2), and its extensions. */
export interface CloudEventAttributes {
  specversion: string;
  id: string;
  source: string;
  type: string;
  [name: string]: unknown;
}

/**
 * Prefix of an attribute's header. The AMQP binding of CloudEvents allows `cloudEvents:` as well, and prefers this one, because JMS
 * takes no colon.
 */
const prefix = 'cloudEvents_';
const anyPrefix = /^cloudEvents[_:]/;
const structuredType = 'application/cloudevents+json';

/** HTTP has a mode for several events in one message. The AMQP binding has none. */
const batchType = 'application/cloudevents-batch+json';

/** @throws RejectedError for a batch of events. */
function isStructured(contentType: string | undefined): boolean {
  const type = contentType?.toLowerCase().split(';')[0]?.trim();
  if (type !== batchType) return type === structuredType;
  throw new RejectedError(`CloudEvent: expected one event a message, ${structuredType}, got ${batchType}`);
}

/** The attributes of messages whose body a function has decoded: their content may be compressed, or a claim. */
const opened = new WeakMap<object, CloudEventAttributes>();

/** A message's content as a CloudEvent. */
export interface EventContent {
  body: unknown;
  contentType: string;
  headers: Record<string, unknown>;
}

/** The characters of a URI reference (RFC 3986), with one fragment. */
const reference =
  /^(?:[\w\-.~:/?[\]@!$&'()*+,;=]|%[\da-f]{2})*(?:#(?:[\w\-.~:/?@!$&'()*+,;=]|%[\da-f]{2})*)?$/i;

/**
 * Checks the attributes that all events of a contract have, because readers refuse others.
 *
 * @throws WarrenError ERR_CONFIG if the source is no URI reference, or the type is empty.
 */
export function checkEventSettings(name: string, { source, type }: CloudEventSettings): void {
  const isSource = typeof source === 'string' && source !== '' && reference.test(source);
  if (isSource && type !== '') return;
  const expected = isSource
    ? 'type: expected text, got ""'
    : `source: expected a URI reference such as "/orders", got ${JSON.stringify(source)}`;
  throw new WarrenError('ERR_CONFIG', `contract "${name}": cloudEvents: ${expected}`);
}

/** Makes an event of data. */
export function eventContent(
  { source, mode = 'binary', ...settings }: CloudEventSettings,
  { id, type: messageType, data, at }: { id: string; type: string; data: unknown; at: Date },
): EventContent {
  const { type = messageType } = settings;
  const attributes = { specversion: '1.0', id, source, type, time: at.toISOString() };
  const contentType = 'application/json';
  if (mode === 'structured') {
    const body = { ...attributes, datacontenttype: contentType, data };
    return { body, contentType: `${structuredType}; charset=utf-8`, headers: {} };
  }
  // The content type of the message is the attribute `datacontenttype`.
  const headers = Object.entries(attributes).map(([name, value]) => [prefix + name, value]);
  return { body: data, contentType, headers: Object.fromEntries(headers) };
}

interface Parts {
  contentType?: string | undefined;
  headers: Readonly<Record<string, unknown>>;
}

/**
 * Opens a CloudEvent in either mode.
 *
 * @param decoded the decoded body.
 * @param exact whether numbers in `data_base64` keep their digits, as with `exact-json`.
 * @returns its type and its data; undefined for a message that is no event.
 * @throws RejectedError if the content type is that of an event, and the body is none.
 */
export function openedEvent(
  message: Parts,
  decoded: unknown,
  exact = false,
): { type: string; data: unknown } | undefined {
  if (!isStructured(message.contentType)) {
    const attributes = headerAttributes(message);
    return attributes && { type: attributes.type, data: decoded };
  }
  const { data, data_base64, ...attributes } = checkedEvent(decoded);
  opened.set(message, attributes as CloudEventAttributes);
  const type = String(attributes.type);
  if (typeof data_base64 !== 'string') return { type, data };
  if (data !== undefined)
    throw new RejectedError('CloudEvent: data: expected none beside data_base64, got both');
  try {
    return { type, data: parseJson(Buffer.from(data_base64, 'base64').toString(), { exact }) };
  } catch (cause) {
    throw new RejectedError('data_base64: expected JSON in base64, got what is not', { cause });
  }
}

/**
 * Returns the attributes of a message that is a CloudEvent, in either mode.
 *
 * @returns the attributes with their extensions, and without the data; undefined for a message that is no event.
 * @throws RejectedError if the content type is that of an event, and the body is none.
 */
export function cloudEventOf(message: Parts & { content: Buffer }): CloudEventAttributes | undefined {
  if (!isStructured(message.contentType)) return headerAttributes(message);
  const known = opened.get(message);
  if (known) return { ...known };
  const { data, data_base64, ...attributes } = checkedEvent(parsed(message.content));
  return attributes as CloudEventAttributes;
}

function parsed(content: Buffer): unknown {
  try {
    return parseJson(content.toString());
  } catch {
    return undefined;
  }
}

function headerAttributes({ headers, contentType }: Parts): CloudEventAttributes | undefined {
  const found = Object.entries(headers).filter(([name]) => anyPrefix.test(name));
  if (found.length === 0) return undefined;
  const attributes = Object.fromEntries(found.map(([name, value]) => [name.replace(anyPrefix, ''), value]));
  const time = timeOf(attributes['time']);
  return checkedEvent({
    ...attributes,
    ...(time && { time }),
    ...(contentType && { datacontenttype: contentType }),
  });
}

/** The AMQP binding allows a timestamp of AMQP in place of the text. AWS's event has it as a text of its own. */
function timeOf(value: unknown): string | undefined {
  const isOther = typeof value === 'number' || (typeof value === 'string' && !/^\d{4}-/.test(value));
  return isOther ? fromTimestamp(value)?.toISOString() : undefined;
}

function checkedEvent(event: unknown): CloudEventAttributes {
  const isObject = typeof event === 'object' && event !== null && !Array.isArray(event);
  if (!isObject) throw new RejectedError(`CloudEvent: expected object, got ${typeOf(event)}`);
  const attributes = event as Record<string, unknown>;
  const { specversion } = attributes;
  const isOther = typeof specversion === 'string' && specversion !== '' && !/^1\./.test(specversion);
  if (isOther) throw new RejectedError(`CloudEvent: specversion: expected "1.0", got "${specversion}"`);
  const missing = ['specversion', 'id', 'source', 'type'].filter(
    (name) => typeof attributes[name] !== 'string' || attributes[name] === '',
  );
  if (missing.length === 0) return attributes as CloudEventAttributes;
  const problems = missing.map((name) => `${name}: expected text, got ${typeOf(attributes[name])}`);
  throw new RejectedError(`CloudEvent: ${problems.join('; ')}`);
}
