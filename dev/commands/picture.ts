import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { environment, print, required } from 'warren/cli';
import { Publisher } from '../../runtime/amqp/publisher.ts';
import { WarrenError } from '../../runtime/base/errors.ts';
import { problemsOf } from '../../runtime/base/schema-problems.ts';
import { readSettings } from '../../runtime/settings/read.ts';
import { pictureUploaded } from '../../shared/pictures/contracts.ts';
import { extensionOf } from '../../shared/pictures/image/type.ts';
import { pictureMessage } from '../../shared/pictures/message.ts';
import { storageSettings } from '../../shared/storage/settings.ts';

export function register(program: Command): void {
  program
    .command('picture')
    .description('announce a picture to the fanout exchange "upload-pictures"')
    .argument('<image_id>', 'id of the picture; ids from 1000000000 on are given out by the upload itself')
    .argument('<user_id>', 'id of the user it belongs to')
    .argument('<path-or-key>', 'a local file, which is stored first, or the key of an original in the bucket')
    .addHelpText(
      'after',
      `
Examples:
  warren picture 123456 1 holiday.jpg
  warren picture 123456 1 originals/123456.jpg`,
    )
    .action(
      async (image_id: string, user_id: string, pathOrKey: string, _options: object, command: Command) => {
        const publisher = new Publisher({ url: required('AMQP_URL'), name: 'warren picture' });
        try {
          // Before anything is stored.
          check({ image_id, user_id, image_path: pathOrKey });
          const body = check({ image_id, user_id, image_path: await storeFile(image_id, pathOrKey) });
          const { messageId } = await publisher.publish(
            pictureUploaded.message(body, { messageId: randomUUID() }),
          );
          print(command, { messageId, ...body }, () => `announced picture ${image_id} (${body.image_path})`);
        } finally {
          await publisher.close();
        }
      },
    );
}

function check(message: { image_id: string; user_id: string; image_path: string }) {
  const result = pictureMessage.safeParse(message);
  if (result.success) return result.data;
  throw new WarrenError('ERR_CONFIG', problemsOf(result.error, 'the message', message).join('; '));
}

/** @returns the key of the stored file, or the text itself if it names no file. */
async function storeFile(imageId: string, pathOrKey: string): Promise<string> {
  const content = await readFile(pathOrKey).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new WarrenError('ERR_CONFIG', `${pathOrKey}: can't be read (${error.code})`);
  });
  if (!content) return pathOrKey;
  // Only here: the decoders and the SDK take long to load, and most commands do without.
  const { examine } = await import('../../shared/pictures/image/examine.ts');
  const { bytesOf } = await import('../../shared/pictures/image/source.ts');
  const { type } = await examine(bytesOf(content)).catch((cause: unknown) => {
    throw new WarrenError('ERR_CONFIG', `${pathOrKey}: ${(cause as Error).message}`, { cause });
  });
  const key = `originals/${imageId}.${extensionOf(type)}`;
  const { createStorage } = await import('../../shared/storage/storage.ts');
  await createStorage(readSettings({ storage: storageSettings }, environment()).storage).put(
    key,
    content,
    type,
  );
  return key;
}
