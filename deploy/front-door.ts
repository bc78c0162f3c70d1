import { bucketId } from './roles.ts';
import type { Environment, FunctionSection, Service } from './service.ts';
import type { Resource } from './template.ts';

/** Requests a second over all users, and how many more at once. */
export interface Throttle {
  rate: number;
  burst: number;
}

export interface FrontDoor {
  throttle: Throttle;
  /** Limits of their own, by route: `GET /health`. */
  routes: Readonly<Record<string, Throttle>>;
  /** Origins of other pages that may call the API. */
  origins: readonly string[];
  /** Whether API Gateway checks the tokens of an issuer before it calls a function. It knows signatures by RSA keys only. */
  gatewayTokens: boolean;
}

const authorizerName = 'issuer';

/**
 * Prepares the HTTP API before osls compiles it: an access log, the issuer's tokens checked by API Gateway itself, CORS for other
 * origins. A function checks its token again, because other hosts have no gateway.
 */
export function openDoor(
  { provider, functions }: Service,
  { origins, gatewayTokens }: Pick<FrontDoor, 'origins' | 'gatewayTokens'>,
): void {
  provider.logs = { ...provider.logs, httpApi: true };
  const guarded = gatewayTokens ? Object.values(functions) : [];
  const authorizer = guarded.flatMap(({ environment }) => authorizerOf(environment))[0];
  provider.httpApi = {
    ...provider.httpApi,
    metrics: true,
    ...(authorizer && { authorizers: { [authorizerName]: authorizer } }),
    ...(origins.length > 0 && {
      cors: {
        allowedOrigins: origins,
        allowedHeaders: ['authorization', 'content-type', 'idempotency-key', 'traceparent'],
        allowedMethods: ['GET', 'POST', 'PUT', 'DELETE'],
        exposedResponseHeaders: ['location', 'retry-after', 'x-request-id'],
        maxAge: 3600,
      },
    }),
  };
  for (const section of guarded) protect(section);
}

/**
 * The authorizer of a function that checks the tokens of an issuer; none for other functions, and none if the audience is in a claim
 * that API Gateway does not check.
 */
function authorizerOf(environment: Environment = {}): { [name: string]: unknown }[] {
  const { AUTH_ISSUER, AUTH_AUDIENCE, AUTH_AUDIENCE_CLAIM } = environment;
  // API Gateway reads the keys at the issuer's address, which is only a name if AUTH_JWKS_URL has them.
  if (typeof AUTH_ISSUER !== 'string' || !AUTH_ISSUER.startsWith('https://')) return [];
  if (typeof AUTH_AUDIENCE !== 'string' || AUTH_AUDIENCE === '') return [];
  if ('AUTH_JWT_SECRET' in environment || !gatewayClaims.has(String(AUTH_AUDIENCE_CLAIM ?? ''))) return [];
  return [
    {
      type: 'jwt',
      identitySource: '$request.header.Authorization',
      issuerUrl: AUTH_ISSUER,
      audience: AUTH_AUDIENCE.split(',').map((each) => each.trim()),
    },
  ];
}

/** Claims with audiences that API Gateway checks; the first is the default. */
const gatewayClaims = new Set(['', 'aud', 'client_id']);

function protect({ environment, events }: FunctionSection): void {
  if (authorizerOf(environment).length === 0) return;
  for (const event of events) {
    const { httpApi } = event;
    if (typeof httpApi === 'string') {
      const [method, path] = httpApi.split(' ');
      event['httpApi'] = { method, path, authorizer: { name: authorizerName } };
    } else if (typeof httpApi === 'object' && httpApi !== null && !('authorizer' in httpApi)) {
      event['httpApi'] = { ...httpApi, authorizer: { name: authorizerName } };
    }
  }
}

/**
 * Limits the requests of the compiled HTTP API: otherwise requests from outside may use up the calls that the account allows at
 * the same time, which the functions behind the queues need.
 *
 * @throws Error if a route with a limit does not exist.
 */
export function throttle(
  resources: Readonly<Record<string, Resource>>,
  door: Pick<FrontDoor, 'throttle' | 'routes'>,
): void {
  const stage = resources['HttpApiStage'];
  if (!stage) return;
  const ids = new Map(
    Object.entries(resources)
      .filter(([, { Type }]) => Type === 'AWS::ApiGatewayV2::Route')
      .map(([id, { Properties }]) => [String(Properties?.['RouteKey']), id]),
  );
  const unknown = Object.keys(door.routes).find((key) => !ids.has(key));
  if (unknown !== undefined)
    throw new Error(`custom.deploy.throttle.routes: expected a route of the HTTP API, got "${unknown}"`);
  const limits = ({ rate, burst }: Throttle) => ({ ThrottlingRateLimit: rate, ThrottlingBurstLimit: burst });
  stage.Properties = {
    ...stage.Properties,
    DefaultRouteSettings: { DetailedMetricsEnabled: true, ...limits(door.throttle) },
    RouteSettings: Object.fromEntries(
      Object.entries(door.routes).map(([key, each]) => [
        key,
        { DetailedMetricsEnabled: true, ...limits(each) },
      ]),
    ),
  };
  // API Gateway refuses settings of a route that it does not have yet.
  const after = Object.keys(door.routes).flatMap((key) => ids.get(key) ?? []);
  stage.DependsOn = [...[stage.DependsOn ?? []].flat(), ...after];
}

/** Lets the pages of these origins upload to the bucket; an origin has no path and no slash at its end. */
export function allowOrigins(resources: Readonly<Record<string, unknown>>, origins: readonly string[]): void {
  const bucket = resources[bucketId] as
    | { Properties: { CorsConfiguration: { CorsRules: { AllowedOrigins: unknown[] }[] } } }
    | undefined;
  for (const rule of bucket?.Properties.CorsConfiguration.CorsRules ?? []) {
    const own = rule.AllowedOrigins.map((each) => (typeof each === 'string' ? new URL(each).origin : each));
    rule.AllowedOrigins = [...new Set([...own, ...origins])];
  }
}
