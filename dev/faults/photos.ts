import sharp from 'sharp';

export interface Photo {
  body: Buffer;
  extension: 'jpg' | 'png' | 'webp';
  width: number;
  height: number;
}

const sizes = [
  [640, 480],
  [400, 600],
  [1000, 300],
  [120, 90],
] as const;

/** Small ones: what is counted is pictures, and not pixels. */
export async function makePhotos(): Promise<Photo[]> {
  const formats = { jpg: 'jpeg', png: 'png', webp: 'webp' } as const;
  const extensions = ['jpg', 'png', 'webp'] as const;
  return Promise.all(
    sizes.flatMap(([width, height]) =>
      extensions.map(async (extension) => {
        const noise = { type: 'gaussian', mean: 128, sigma: 20 } as const;
        const create = { width, height, channels: 3, background: 'teal', noise } as const;
        const body = await sharp({ create })[formats[extension]]().toBuffer();
        return { body, extension, width, height };
      }),
    ),
  );
}
