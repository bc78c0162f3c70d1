import { z } from 'zod';

/** The queues named by the `rabbitmq` events of a service's functions. */
export function consumedQueues(
  functions: Record<string, { events?: readonly unknown[] | undefined }>,
): string[] {
  const schema = rabbitmqEvent();
  return Object.values(functions).flatMap(({ events = [] }) =>
    events.flatMap((event) => {
      const parsed = schema.safeParse(event);
      return parsed.success ? [parsed.data.rabbitmq.queue] : [];
    }),
  );
}

const rabbitmqEvent = () => z.object({ rabbitmq: z.object({ queue: z.string() }) });
