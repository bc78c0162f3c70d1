import { defineCall, defineMessage, type OutgoingMessage } from 'warren/functions';
import * as z from 'zod';
import { id } from '../database/id.ts';
import { chunkMessage } from './friend-chunks.ts';
import { imagePath, type PictureMessage, pictureMessage } from './message.ts';

const example = { image_id: 123456, user_id: 1, image_path: 'originals/123456.jpg' };

/** A stored picture. Its message id follows from the picture, so that each effect of the message happens once. */
export const pictureUploaded = defineMessage({
  name: 'picture-uploaded',
  summary: 'A picture is in the bucket. Each queue of the exchange is one task that it triggers.',
  description:
    'Use ids below 1000000000; the upload assigns the ids above. `image_path` is the key in the bucket.',
  exchange: 'upload-pictures',
  schema: pictureMessage,
  messageId: ({ image_id }) => `picture-${image_id}`,
  examples: [example],
});

/** The message about a stored picture, which may have further fields. */
export const announcement = ({ image_id, user_id, image_path }: PictureMessage): OutgoingMessage =>
  pictureUploaded.message({ image_id, user_id, image_path });

/** A picture for the friends of its user, or for a range of them. */
export const friendsToNotify = defineMessage({
  name: 'friends-to-notify',
  summary: 'A picture for some friends of its user: the first and the last id.',
  exchange: '',
  key: 'notify-friends',
  from: 'service',
  schema: chunkMessage,
  messageId: ({ image_id, friends: [first] = [0] }) => `friends:${image_id}:${first}`,
  examples: [{ ...example, friends: [2, 26] }],
});

export const describePicture = defineCall({
  method: 'describe-picture',
  summary: 'Returns size, format and length of a picture in the bucket, by its id or its path.',
  request: z
    .object({ image_id: id.optional(), image_path: imagePath.optional() })
    .refine((body) => (body.image_id === undefined) !== (body.image_path === undefined), {
      error: 'expected either image_id or image_path',
    })
    .meta({ oneOf: [{ required: ['image_id'] }, { required: ['image_path'] }] }),
  reply: z.object({
    width: z.int().positive(),
    height: z.int().positive(),
    format: z.string(),
    bytes: z.int().positive(),
  }),
  examples: [{ image_path: 'originals/123456.jpg' }],
});
