import { alertSteps } from './alerts.ts';
import { type Call, createCall, type DemoStep, type Env, stopwatch } from './client.ts';
import { pictureSteps } from './pictures.ts';

/**
 * Does the main job over HTTP, as any client would: it uploads a photograph that is resized, rewarded and announced, raises
 * two alerts for their audiences, and pings over RPC.
 *
 * @param env addresses and keys of a running stack, with the names of `.data/stack.env`.
 * @param report gets a line at the start of each part.
 * @returns each step with its outcome. A failed step does not prevent the others.
 */
export async function runDemo(env: Env, report: (text: string) => void): Promise<DemoStep[]> {
  const call = await createCall(env);
  const parts = [
    () => pictureSteps(call, env, report),
    () => alertSteps(call, env, report),
    () => pingSteps(call, report),
  ];
  const steps: DemoStep[] = [];
  for (const part of parts) {
    try {
      steps.push(...(await part()));
    } catch (error) {
      steps.push({ step: 'failed', result: (error as Error).message, ok: false });
    }
  }
  return steps;
}

async function pingSteps(call: Call, report: (text: string) => void): Promise<DemoStep[]> {
  report('Pinging over RPC.');
  const time = Date.now() / 1000;
  const since = stopwatch();
  const body = await call('POST', '/rpc/ping', { client_name: 'warren demo', time });
  return [{ step: 'POST /rpc/ping', result: String(body), ok: body === `Pong!${time}`, ms: since() }];
}
