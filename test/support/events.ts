import type { RabbitMQEvent } from 'warren/functions';
import { lambdaContext, rabbitMQEvent, type TestMessage } from 'warren/testing';

/** The event for one message of a queue; a Buffer goes in as it is, and like anything else passes for JSON. */
export function messageEvent(
  queue: string,
  body: unknown,
  settings: Omit<TestMessage, 'queue' | 'body'> = {},
): RabbitMQEvent {
  return rabbitMQEvent([{ queue, body, contentType: 'application/json', ...settings }]);
}

/** A context whose time limit no test reaches: an HTTP function answers 500 shortly before it. */
export const context = lambdaContext({ timeoutMs: 3_600_000 });

interface Part {
  field?: string;
  /** Null for none. */
  filename?: string | null;
  /** Null for none. */
  type?: string | null;
  content: Buffer;
}

/** A form in multipart/form-data (RFC 7578), and its content type. */
export function form(parts: readonly Part[], boundary = 'a-boundary'): { body: Buffer; contentType: string } {
  const chunks = parts.flatMap((part) => {
    const { field = 'picture', filename = 'picture.jpg', type = 'application/octet-stream', content } = part;
    const file = filename === null ? '' : `; filename="${filename}"`;
    const typed = type === null ? '' : `content-type: ${type}\r\n`;
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="${field}"${file}\r\n${typed}\r\n`;
    return [Buffer.from(head), content, Buffer.from('\r\n')];
  });
  return {
    body: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
    contentType: `multipart/form-data; boundary=${boundary}`,
  };
}
