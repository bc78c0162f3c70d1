import { RejectedError } from '../base/errors.ts';
import { parseJson } from '../base/json.ts';
import { typeOf } from '../base/schema-problems.ts';

/** How the messages of a contract are CloudEvents (specification 1.0.2). */
export interface CloudEventSettings {
  /** Attribute `source`: a URI reference that names the service, such as `/warren/bookings`. */
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

const isStructured = (contentType: string | undefined) =>
  contentType?.toLowerCase().startsWith(structuredType) === true;

/** A message's content as a CloudEvent. */
export interface EventContent {
  body: unknown;
  contentType: string;
  headers: Record<string, unknown>;
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
 * @returns its type and its data; undefined for a message that is no event.
 * @throws RejectedError if the content type is that of an event, and the body is none.
 */
export function openedEvent(message: Parts, decoded: unknown): { type: string; data: unknown } | undefined {
  if (!isStructured(message.contentType)) {
    const attributes = headerAttributes(message);
    return attributes && { type: attributes.type, data: decoded };
  }
  const { type, data, data_base64 } = checkedEvent(decoded);
  if (typeof data_base64 !== 'string') return { type, data };
  try {
    return { type, data: parseJson(Buffer.from(data_base64, 'base64').toString()) };
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
  return checkedEvent({ ...attributes, ...(contentType && { datacontenttype: contentType }) });
}

function checkedEvent(event: unknown): CloudEventAttributes {
  const isObject = typeof event === 'object' && event !== null && !Array.isArray(event);
  if (!isObject) throw new RejectedError(`CloudEvent: expected object, got ${typeOf(event)}`);
  const attributes = event as Record<string, unknown>;
  const missing = ['specversion', 'id', 'source', 'type'].filter(
    (name) => typeof attributes[name] !== 'string' || attributes[name] === '',
  );
  if (missing.length === 0) return attributes as CloudEventAttributes;
  const problems = missing.map((name) => `${name}: expected text, got ${typeOf(attributes[name])}`);
  throw new RejectedError(`CloudEvent: ${problems.join('; ')}`);
}
