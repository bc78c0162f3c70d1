import type { Metadata } from 'sharp';
import { RejectedError } from 'warren/functions';
import { checkCoding } from './coding.ts';
import { decodedType, mayBeDecoded, nameType } from './detect.ts';
import { readHeads } from './head.ts';
import { checkSize } from './limits.ts';
import { open } from './open.ts';
import type { ByteSource } from './source.ts';
import { isTiff } from './tiff.ts';
import { acceptedTypes, type PictureType } from './type.ts';

/** Type and size of a picture, with its orientation applied. */
export interface PictureHead {
  type: PictureType;
  width: number;
  height: number;
}

/** The file has no type that is accepted. */
export class UnacceptedTypeError extends RejectedError {
  override name = 'UnacceptedTypeError';
}

/**
 * The verdict on a file: whether it is a picture that our decoders open and that is small enough to decode. It reads only the
 * parts that a decoder needs for that, and no pixels: a picture whose pixels are damaged fails later.
 *
 * @throws UnacceptedTypeError if the file is no accepted picture; RejectedError if the picture cannot be opened or is too large.
 *   Their texts are for the picture's owner.
 */
export async function examine(source: ByteSource): Promise<PictureHead> {
  let found: string | undefined;
  let failure: unknown;
  for await (const head of readHeads(source)) {
    // A TIFF that is cut off lacks the directory by which it would be named.
    found = (await nameType(head)) ?? (isTiff(head) ? 'image/tiff' : undefined);
    if (!mayBeDecoded(found)) throw unaccepted(found);
    try {
      checkCoding(head);
      const metadata = await openHead(head);
      return await examineHead(head, metadata);
    } catch (error) {
      if (error instanceof RejectedError) throw error;
      failure = error;
    }
  }
  if (found === undefined || /^image\/hei[cf]/.test(found)) throw unaccepted(found);
  throw new RejectedError(
    `the picture can not be decoded: its header is damaged or the file ends early (${found})`,
    {
      cause: failure,
    },
  );
}

async function examineHead(head: Buffer, metadata: Metadata): Promise<PictureHead> {
  const type = await decodedType(head, metadata);
  if (type === undefined) throw unaccepted(await nameType(head));
  const { width, height } = metadata.autoOrient;
  checkSize(metadata);
  return { type, width, height };
}

/** Reads the header only, which is cheap for any size of the picture. */
export function openHead(head: Buffer): Promise<Metadata> {
  return open(head, { pixels: false, failOn: 'none' }).metadata();
}

function unaccepted(found = 'a file that is none of these'): UnacceptedTypeError {
  return new UnacceptedTypeError(`expected ${acceptedTypes}, got ${found}`);
}
