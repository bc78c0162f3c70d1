import { applyTopology } from '../../runtime/topology/apply.ts';
import { compileTopology } from '../../runtime/topology/compile.ts';
import { deadLetterLog, deadLetterMarks, deadLetterNews, deadLetters } from '../../runtime/topology/names.ts';
import { readSection } from '../../runtime/topology/schema.ts';
import { openVhost, type TestVhost } from './vhost.ts';

/** A virtual host with an index of its dead letters. Those of a shared one would be those of other tests, too. */
export interface LetterVhost extends TestVhost {
  /** Declares what is missing. */
  apply(): ReturnType<typeof applyTopology>;
  /** Empties the queues, the dead letters and their index. */
  empty(): Promise<void>;
}

export async function openLetterVhost(queues: readonly string[]): Promise<LetterVhost> {
  const section = { deadLetterIndex: true, queues: Object.fromEntries(queues.map((queue) => [queue, {}])) };
  const vhost = await openVhost(section);
  const { url, channel } = vhost;
  const apply = () => applyTopology(url, compileTopology(readSection(section)));
  return {
    ...vhost,
    apply,
    async empty() {
      for (const queue of [...queues, deadLetters]) await channel.purgeQueue(queue);
      for (const stream of [deadLetterLog, deadLetterMarks, deadLetterNews])
        await channel.deleteQueue(stream);
      await apply();
    },
  };
}
