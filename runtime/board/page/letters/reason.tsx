/** What the reasons of Warren and of RabbitMQ mean. */
const meanings: Record<string, string> = {
  rejected: 'the function refused it for good',
  exhausted: 'every attempt failed',
  'too-old': 'it waited longer than it may',
  'no-queue': 'its queue was deleted while it waited for a retry',
  unroutable: 'its exchange had no queue for it after its delay',
  delivery_limit: 'its consumers crashed or gave it back too often',
  expired: 'it waited in its queue longer than it may',
  maxlen: 'its queue was full',
};

/** What a reason means; undefined for an unknown one. */
export const meaningOf = (reason: string): string | undefined => meanings[reason];

/** A reason with its meaning in its title. */
export function Reason({ reason }: { reason: string }) {
  return (
    <span class="tag" title={meaningOf(reason)}>
      {reason}
    </span>
  );
}
