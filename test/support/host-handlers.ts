/**
 * Functions of each kind, which a test runs in each host. Each notes its messages in a file, and fails as they request. The test bundles
 * this file, as a deployment does.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { S3 } from '@aws-sdk/client-s3';
import { s3Claims } from 'warren/claims';
import {
  type BatchFailures,
  lambda,
  onBatch,
  onMessages,
  publisher,
  type RabbitMQEvent,
  RejectedError,
  silentLog,
} from 'warren/functions';
import { z } from 'zod';

/** A line of the file. */
export interface HostNote {
  function: string;
  host: string;
  does: string;
  length: number;
}

const body = z.object({
  host: z.string(),
  does: z.enum(['good', 'large', 'fail once', 'fail always', 'be rejected']),
  text: z.string().default(''),
});
type Body = z.output<typeof body>;

const { HOST_NOTES = '', S3_ENDPOINT: endpoint, S3_BUCKET: bucket = '' } = process.env;
const s3 = new S3({
  ...(endpoint && { endpoint, forcePathStyle: true }),
  region: 'us-east-1',
  requestChecksumCalculation: 'WHEN_REQUIRED',
});
const claims = s3Claims({ s3, bucket });
const options = { schema: body, claims, maxBytes: 20_000_000, log: silentLog };

/** Notes a message. @returns whether it fails. */
function fails(name: string, { host, does, text }: Body): boolean {
  const note: HostNote = { function: name, host, does, length: text.length };
  const line = `${JSON.stringify(note)}\n`;
  const attempts = readFileSync(HOST_NOTES, 'utf8').split(line).length;
  appendFileSync(HOST_NOTES, line);
  return does === 'fail always' || does === 'be rejected' || (does === 'fail once' && attempts === 1);
}

/** Without anything of Warren, as users of SQS write it. */
export async function plain(event: RabbitMQEvent) {
  const messages = Object.values(event.rmqMessagesByQueue).flat();
  const failed = messages.filter(({ data }) =>
    fails('plain', body.parse(JSON.parse(Buffer.from(data, 'base64').toString()))),
  );
  return {
    batchItemFailures: failed.map(({ basicProperties }) => ({ itemIdentifier: basicProperties.messageId })),
  };
}

export const batch = lambda({ publisher }, ({ publisher }) =>
  onBatch({ ...options, publisher }, async (messages): Promise<BatchFailures> => {
    const failed = messages.filter((message) => fails('batch', message.body));
    return {
      batchItemFailures: failed.map(({ itemIdentifier, body: { does } }) => ({
        itemIdentifier,
        error: does === 'be rejected' ? new RejectedError('as requested') : new Error('as requested'),
      })),
    };
  }),
);

export const each = lambda({ publisher }, ({ publisher }) =>
  onMessages({ ...options, publisher }, async ({ body }) => {
    if (!fails('each', body)) return;
    throw body.does === 'be rejected' ? new RejectedError('as requested') : new Error('as requested');
  }),
);
