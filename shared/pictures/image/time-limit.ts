import type { Sharp } from 'sharp';
import { RejectedError } from 'warren/functions';

/**
 * Runs one of a picture's pipelines within the rest of the picture's time.
 *
 * @param output starts it.
 * @param reason for the picture's owner, if the picture makes the pipeline fail; default none does.
 * @throws RejectedError if the time is up, or with the reason.
 */
export type Run = <T>(
  pipeline: Sharp,
  output: (pipeline: Sharp) => Promise<T>,
  reason?: string,
) => Promise<T>;

/** Starts the time of a picture, in seconds. libvips looks at it between lines, so that little is done after it. */
export function startTime(seconds: number): Run {
  const endsAt = performance.now() + seconds * 1000;
  const late = (cause?: unknown) =>
    new RejectedError(`the picture takes more than ${seconds} seconds to work on`, { cause });
  return async (pipeline, output, reason) => {
    const left = (endsAt - performance.now()) / 1000;
    if (left <= 0) throw late();
    try {
      return await output(pipeline.timeout({ seconds: Math.ceil(left) }));
    } catch (cause) {
      if (performance.now() >= endsAt) throw late(cause);
      if (reason === undefined) throw cause;
      throw new RejectedError(reason, { cause });
    }
  };
}
