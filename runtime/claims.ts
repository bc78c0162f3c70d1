/** Large bodies: a message carries a claim, and its body lies in object storage. */
export { claimHeader } from './amqp/headers.ts';
export { type ClaimOptions, withClaims } from './claims/publisher.ts';
export { type S3ClaimsOptions, type S3Like, s3Claims } from './claims/s3.ts';
export type { Claim, ClaimStore } from './claims/store.ts';
