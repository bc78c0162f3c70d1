import { WarrenError } from '../base/errors.ts';
import { mappingsVariable, type PolledMapping, writePolledMappings } from '../hosts/long-poll.ts';
import { methodsText, methodsVariable } from '../http/methods.ts';
import { policiesText, policiesVariable } from '../messages/policies.ts';
import { longPollSettings, queueSettings } from '../topology/queue-settings.ts';
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
 * own under `serverless offline`, which reads it before it loads the bundle.
 */
export function passSourceMaps({ functions, provider }: Serverless['service']): void {
  for (const definition of Object.values(functions)) {
    const own = definition.environment?.['NODE_OPTIONS'] ?? provider.environment?.['NODE_OPTIONS'] ?? '';
    definition.environment = {
      ...definition.environment,
      NODE_OPTIONS: `${own} --enable-source-maps`.trim(),
    };
  }
}

function isHttp(event: unknown): boolean {
  return typeof event === 'object' && event !== null && 'httpApi' in event;
}

/**
 * Puts the mappings that a long-poll function feeds into its environment: the names of functions are known here, and not in
 * the function.
 *
 * @throws WarrenError ERR_CONFIG if there is no such function.
 */
export function passMappings(service: Serverless['service'], { section, mappings }: WarrenService): void {
  const settings = longPollSettings(section);
  if (!settings) return;
  const definition = service.functions[settings.function];
  if (!definition) {
    throw new WarrenError(
      'ERR_CONFIG',
      `custom.warren.longPoll: there is no function "${settings.function}"`,
    );
  }
  const polled = mappings
    .filter(({ queue }) => settings.queues.includes(queue))
    .map((mapping): PolledMapping => {
      const { functionName } = mapping;
      const invokeAs = service.functions[functionName]?.name ?? functionName;
      return { ...mapping, invokeAs, timeoutMs: timeoutOf(service, functionName) * 1000 };
    });
  definition.environment = { [mappingsVariable]: writePolledMappings(polled), ...definition.environment };
}
