/** The API for functions of HTTP API routes. */
export { type ReadJsonOptions, readJson, readJsonBytes, readQuery } from './http/body.ts';
export {
  type HttpEvent,
  type HttpOptions,
  type HttpReply,
  type HttpRequest,
  httpFunction,
  json,
  noContent,
  publicFunction,
} from './http/function.ts';
export { type HttpMethod, type HttpMethods, methodsVariable, readMethods } from './http/methods.ts';
export { readFiles, type UploadedFile } from './http/multipart.ts';
export { page, pagePolicy } from './http/page.ts';
export { Problem } from './http/problem.ts';
export type { PageSecurity } from './http/security.ts';
export { fileReply } from './http/static-file.ts';
export { bearerToken, refuseToken, tokenCheck } from './tokens/bearer.ts';
export { checkAudience, checkRequired, refuseClaim, textsOf } from './tokens/claims.ts';
export { createDiscovery, type Discovered } from './tokens/discovery.ts';
export { issuerKeys } from './tokens/issuer-keys.ts';
