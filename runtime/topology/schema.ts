import * as z from 'zod';
import { type Problem, ProblemsError } from '../base/problems.ts';
import { problemsUnder } from '../base/schema-problems.ts';
import { devField } from './dev-field.ts';
import { exchangeField } from './exchange-fields.ts';
import { methodField } from './method-field.ts';
import { nameField } from './name-field.ts';
import { defaultRetryDelays } from './names.ts';
import { delaysField, queueField } from './queue-field.ts';
import { releaseField } from './release-field.ts';
import { unresolvedProblems } from './unresolved.ts';
import { userField } from './user-field.ts';

const feeds = ['amazon-mq', 'adapter', 'worker'] as const;

/** What feeds deployed functions: AWS's own mappings, our long poll on its schedule, or workers that run elsewhere. */
export type Feed = (typeof feeds)[number];

/** Replaces each key by the `name`, if there is one: serverless resolves variables in values, and not in keys. */
function byName<T extends { name?: string | undefined }>(
  declared: Readonly<Record<string, T>>,
  context: z.RefinementCtx,
): Record<string, Omit<T, 'name'>> {
  const named = new Map<string, Omit<T, 'name'>>();
  for (const [key, { name = key, ...settings }] of Object.entries(declared)) {
    if (named.has(name)) {
      context.addIssue({
        code: 'custom',
        path: [key],
        message: `expected a unique name, got "${name}" again`,
      });
    }
    named.set(name, settings);
  }
  return Object.fromEntries(named);
}

// A function, because making the schema takes time: a function that shows the queues needs it at its first call only.
export const sectionSchema = () => {
  const name = nameField();
  return z.strictObject({
    source: z.string().optional().describe('What feeds deployed functions: amazon-mq, adapter or worker.'),
    retryDelays: delaysField()
      .default([...defaultRetryDelays])
      .describe('Seconds before each retry of a failed message.'),
    retryInQueue: z
      .boolean()
      .default(false)
      .describe(
        'Whether the first, short retries wait in their queue, without a copy, if the broker can (RabbitMQ 4.3.1 and later).',
      ),
    deadLetterIndex: z
      .boolean()
      .default(false)
      .describe('Whether the dead letters have an index in a stream.'),
    longPoll: z
      .strictObject({ function: z.string().min(1), queues: z.array(name).min(1).optional() })
      .optional()
      .describe(
        'The function that a schedule starts to feed the others, and from which queues; default every queue but those of RPC.',
      ),
    release: releaseField()
      .optional()
      .describe(
        'Versions of deployed functions behind an alias; default none, so that everything calls the newest code.',
      ),
    exchanges: z
      .record(name, exchangeField(name))
      .transform(byName)
      .default({})
      .describe('Exchanges by name.'),
    queues: z.record(name, queueField(name)).transform(byName).default({}).describe('Queues by name.'),
    methods: z
      .record(z.string().regex(/^[\w.-]{1,200}$/), methodField())
      .default({})
      .describe('The methods that HTTP may reach; default none.'),
    contracts: z
      .union([z.string().min(1), z.array(z.string().min(1))], {
        error: 'expected the path of a module, or a list of them',
      })
      .transform((paths) => [paths].flat())
      .default([])
      .describe(
        'Modules that export the contracts of messages and methods, relative to serverless.yml, for `warren asyncapi`.',
      ),
    users: z
      .record(z.string().regex(/^[\w-]+$/), userField(name))
      .default({})
      .describe('Logins with their rights, for `warren topology apply --users`.'),
    dev: devField().optional().describe('For `warren dev` only.'),
  });
};

/** `custom.warren` of serverless.yml, checked: what the author of a project writes. */
export type Section = z.output<ReturnType<typeof sectionSchema>>;

/**
 * Checks `custom.warren`. Call it once, when serverless.yml or a manifest is read, and pass the result on.
 *
 * @param section the value as it was read; undefined for a project without it.
 * @throws WarrenError ERR_TOPOLOGY that lists every problem at once.
 */
export function readSection(section: unknown): Section {
  const unresolved = unresolvedProblems(withoutDeployment(section), ['custom', 'warren']);
  if (unresolved.length > 0) throw topologyError(unresolved);
  const schema = sectionSchema();
  const result = schema.safeParse(section ?? {});
  if (result.success) return result.data;
  throw topologyError(problemsUnder(['custom', 'warren'], result.error, section, undefined, schema));
}

/** A deployment resolves `source` and `release`; the topology does not depend on them. */
function withoutDeployment(section: unknown): unknown {
  if (typeof section !== 'object' || section === null) return section;
  return { ...section, source: undefined, release: undefined };
}

/**
 * What feeds deployed functions, as `custom.warren.source` specifies; undefined without it.
 *
 * @param section with serverless's variables resolved.
 * @throws WarrenError ERR_TOPOLOGY for anything but one of the three.
 */
export function deployedFeed({ source }: Section): Feed | undefined {
  if (source === undefined) return undefined;
  const known = feeds.find((each) => each === source);
  if (known !== undefined) return known;
  const text = `custom.warren.source: expected amazon-mq, adapter or worker, got "${source}"`;
  throw topologyError([{ path: ['custom', 'warren', 'source'], text }]);
}

export function topologyError(problems: readonly Problem[]): ProblemsError {
  return new ProblemsError(
    'ERR_TOPOLOGY',
    problems,
    (texts) => `the topology is inconsistent:\n  ${texts.join('\n  ')}`,
  );
}

/** A problem of a queue or an exchange. */
export function problemIn(kind: 'queues' | 'exchanges', name: string, text: string): Problem {
  return { path: ['custom', 'warren', kind, name], text };
}
