import { WarrenError } from '../base/errors.ts';
import { mappingsVariable, type PolledMapping, writePolledMappings } from '../hosts/long-poll.ts';
import { methodsText, methodsVariable } from '../http/methods.ts';
import { policiesText, policiesVariable } from '../messages/policies.ts';
import { longPollSettings, queueSettings } from '../topology/queue-settings.ts';
import { polledQueues } from '../topology/queue-source.ts';
import { type Serverless, timeoutOf, type WarrenService } from './service.ts';

/**
 * Puts the retry settings of queues into the environment of every function, because handlers read no serverless.yml. A function
 * that no queue feeds gets them too: it may handle messages later than their consumer.
 */
export function passPolicies({ functions }: Serverless['service'], { section }: WarrenService): void {
  const text = policiesText(queueSettings(section));
  if (text === undefined) return;
  for (const definition of Object.values(functions))
    definition.environment = { [policiesVariable]: text, ...definition.environment };
}

/** Puts the methods that HTTP may reach into the environment of the functions that answer over HTTP. */
export function passMethods({ functions }: Serverless['service'], { section }: WarrenService): void {
  const text = methodsText(section.methods);
  if (text === undefined) return;
  for (const definition of Object.values(functions)) {
    if (!definition.events?.some(isHttp)) continue;
    definition.environment = { [methodsVariable]: text, ...definition.environment };
  }
}

/**
 * Makes Node name the sources in stack traces, if the bundles have source maps. A variable, because each function has a thread of its
 * own under `serverless offline`, and on Lambda a process, which reads it before it loads the bundle.
 */
export function passSourceMaps({ functions, provider }: Serverless['service']): void {
  for (const definition of Object.values(functions)) {
    const own = definition.environment?.['NODE_OPTIONS'] ?? provider.environment?.['NODE_OPTIONS'] ?? '';
    // A reference, which only a deployment resolves, is left alone.
    if (typeof own !== 'string' || own.includes(option)) continue;
    definition.environment = { ...definition.environment, NODE_OPTIONS: `${own} ${option}`.trim() };
  }
}

const option = '--enable-source-maps';

/** Whether serverless-esbuild makes source maps that Node finds: not those without a comment in the bundle (`external`). */
export function hasSourceMaps({ custom }: Serverless['service']): boolean {
  const { sourcemap } = (custom?.['esbuild'] ?? {}) as { sourcemap?: unknown };
  return sourcemap === true || ['linked', 'inline', 'both'].includes(String(sourcemap));
}

function isHttp(event: unknown): boolean {
  return typeof event === 'object' && event !== null && 'httpApi' in event;
}

/**
 * Puts the mappings that a long-poll function feeds into its environment: the names of functions are known here, and not in
 * the function.
 *
 * @param alias of the functions, in place of their newest code.
 * @throws WarrenError ERR_CONFIG if there is no such function.
 */
export function passMappings(
  service: Serverless['service'],
  { section, mappings }: WarrenService,
  alias?: string,
): void {
  const settings = longPollSettings(section);
  if (!settings) return;
  const definition = service.functions[settings.function];
  if (!definition) {
    throw new WarrenError(
      'ERR_CONFIG',
      `custom.warren.longPoll: there is no function "${settings.function}"`,
    );
  }
  // AWS's own mappings feed the functions of the other queues.
  const queues = section.source === 'amazon-mq' ? polledQueues(section) : settings.queues;
  const polled = mappings
    .filter(({ queue }) => queues.includes(queue))
    .map((mapping): PolledMapping => {
      const { functionName } = mapping;
      const name = service.functions[functionName]?.name ?? functionName;
      const invokeAs = alias === undefined ? name : `${name}:${alias}`;
      return { ...mapping, invokeAs, timeoutMs: timeoutOf(service, functionName) * 1000 };
    });
  definition.environment = { [mappingsVariable]: writePolledMappings(polled), ...definition.environment };
}
