import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Problem, problemAnswer } from '../http/problem.ts';

/** A function of serverless-offline, as far as its HTTP server uses it. */
interface OfflineFunction {
  setEvent(event: unknown): void;
  runHandler(): Promise<unknown>;
}

/** What serverless-offline exports as `serverless-offline/lambda`. */
interface LambdaModule {
  default: { prototype: { get(functionKey: string): OfflineFunction } };
}

/**
 * Lets `serverless offline` answer a request whose function fails or is late with 500 or 504, as `warren serve` does. By itself, it
 * answers a request of payload format 2.0 with 200, and with the error's stack trace as the body.
 *
 * @param serviceDir the folder of serverless.yml, in which serverless-offline is installed.
 * @param warn prints the error of each such request.
 */
export async function answerFailures(serviceDir: string, warn: (text: string) => void): Promise<void> {
  const loaded = await loadLambda(serviceDir).catch((error: Error) => error);
  if (loaded instanceof Error) {
    warn(
      `requests whose function fails are answered with 200, by this serverless-offline: ${loaded.message}`,
    );
    return;
  }
  const { default: Lambda } = loaded;
  const { get } = Lambda.prototype;
  Lambda.prototype.get = function (functionKey) {
    return answering(get.call(this, functionKey), (error) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      warn(`function ${functionKey}: ${text}`);
    });
  };
}

async function loadLambda(serviceDir: string): Promise<LambdaModule> {
  const path = createRequire(resolve(serviceDir, 'serverless.yml')).resolve('serverless-offline/lambda');
  return (await import(pathToFileURL(path).href)) as LambdaModule;
}

/** The same function, whose failures are answers if its event is a request. */
function answering(fn: OfflineFunction, report: (error: unknown) => void): OfflineFunction {
  let forRequest = false;
  const own: OfflineFunction = {
    setEvent(event) {
      forRequest = isRequest(event);
      fn.setEvent(event);
    },
    async runHandler() {
      if (!forRequest) return fn.runHandler();
      return fn.runHandler().catch((error: unknown) => {
        report(error);
        return answerTo(error);
      });
    },
  };
  return new Proxy(fn, {
    get(target, name) {
      if (name in own) return own[name as keyof OfflineFunction];
      // Its private fields are readable by itself only.
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Whether an event is a request of payload format 2.0; an authorizer's event also has a `type`. */
function isRequest(event: unknown): boolean {
  const { version, type, requestContext } = (event ?? {}) as Record<string, unknown>;
  const { http } = (requestContext ?? {}) as Record<string, unknown>;
  return version === '2.0' && type === undefined && http !== undefined;
}

function answerTo(error: unknown) {
  const isLate = error instanceof Error && error.message.startsWith('[504]');
  const problem = isLate ? new Problem(504, 'No answer in time') : new Problem(500, 'Internal Server Error');
  return problemAnswer(problem);
}
