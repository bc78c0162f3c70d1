import * as z from 'zod';

// RabbitMQ's limit for names is 255 bytes; `amq.` is reserved for the broker.
export const nameField = () =>
  z
    .string()
    .min(1)
    .max(255)
    .regex(/^(?!amq\.|warren\.)/, {
      error: 'expected a name that does not start with "amq." or "warren.", which are reserved',
    });

export type NameField = ReturnType<typeof nameField>;
