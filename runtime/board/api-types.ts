/**
 * Types of the answers and requests of the board's API, which the board and its page share; those of jobs and of live data are in
 * `api-job-types.ts` and `api-live-types.ts`. Times are in ISO 8601. An error is
 * `application/problem+json` with `title`, `status` and `detail`; a 401 also has `sign_in`.
 *
 * Each request that is not a GET needs the header `X-Warren-Board: 1`. If `sign_in` of the session is set, each request needs
 * `Authorization: Bearer <token>`, except for those of the page, its assets and `GET /api/session`.
 */

/** The header, with the value `1`, that a form of another site cannot send. */
export const boardHeader = 'X-Warren-Board';

/** What a user may do: a viewer reads, an operator also replays and drops. */
export type Role = 'viewer' | 'operator';

/** How the page signs in: OpenID Connect's code flow with PKCE. */
export interface SignIn {
  /** Issuer, whose metadata is at `<authority>/.well-known/openid-configuration`. */
  authority: string;
  client_id: string;
  scope: string;
  /** Further parameters of the authorization request, such as `resource` (RFC 8707). */
  parameters: Record<string, string>;
}

/** `GET /api/session`. Without a token, if one is needed, it answers 200 with `user: null` and `role: null`. */
export interface Session {
  /** The user of the token; without an issuer, the user of the operating system. */
  user: string | null;
  role: Role | null;
  vhost: string;
  /** Product, version and address, without credentials: "RabbitMQ 4.3.6 at localhost:5672". */
  broker: string;
  sign_in: SignIn | null;
  /** Version of Warren; empty without a role, as `vhost` and `broker`. */
  version: string;
  /** The queues whose dead letters are shown. */
  sources: Source[];
  /** Whether the functions run beside the board (`warren dev --board`), so that there is `GET /api/problems`. */
  development: boolean;
}

/** `GET /api/problems`: mistakes in the code and in serverless.yml that are not mended. */
export interface Problems {
  problems: string[];
}

/** A queue whose dead letters are shown. */
export interface Source {
  queue: string;
  /** `index` for the project's own dead letters; otherwise the type of a queue of other clients. */
  kind: 'index' | 'stream' | 'classic' | 'quorum';
  /** Number of dead letters. */
  total: number;
  /** Why its dead letters cannot be read, and what is needed; null if they can. */
  problem: string | null;
}

/** State of the index, in the answers about dead letters. */
export interface IndexState {
  total: number;
  updated_at: string | null;
  /** Why the last update failed, so that the data is of `updated_at`; null if it succeeded. */
  problem: string | null;
}

/** What dead letters of a group have in common. */
export interface FailureFields {
  queue: string;
  reason: string;
  /** First line of the error. */
  error?: string | undefined;
  /** First line of the error's stack in the project's own code. */
  place?: string | undefined;
}

export interface Group extends FailureFields {
  count: number;
  first_seen: string | null;
  last_seen: string | null;
  /** Number of dead letters in each interval, if `intervals` was given. */
  counts?: number[];
}

/** `GET /api/groups?queue&reason&error&error_is&place&id&from&to&intervals`. */
export interface Groups extends IndexState {
  groups: Group[];
  /** Start and end of the intervals, if `intervals` was given. */
  from?: string | null;
  to?: string | null;
}

export interface LetterSummary extends FailureFields {
  /** Position in the index, by which the dead letter is read. */
  offset: number;
  id: string;
  failed_at: string | null;
  bytes: number;
}

/** `GET /api/letters?queue&reason&error&error_is&place&id&after&before&order=oldest|newest&limit&text`. */
export interface Letters extends IndexState {
  letters: LetterSummary[];
  /** For `after` (`before` if the newest come first) of the next page; null at the end. */
  next: number | null;
}

/** How a dead letter went. */
export interface LetterEnd {
  /** null if it was only found to be gone: another program took it, or a board was killed before it recorded that. */
  ending: 'replayed' | 'dropped' | null;
  at: string | null;
  /** Queue to which it was replayed, if that was not its own. */
  to: string | null;
  /** User of a board who did it. */
  by: string | null;
}

/** `GET /api/letters/:offset`. */
export interface Letter {
  offset: number;
  /** Whether it was replayed or dropped. */
  is_gone: boolean;
  /** null if it is not gone, or if it is not known how it went. */
  end: LetterEnd | null;
  id: string;
  queue: string;
  reason: string;
  /** The whole error with its stack. */
  error?: string | undefined;
  attempts?: number | undefined;
  firstFailedAt?: string | undefined;
  lastFailedAt?: string | undefined;
  exchange?: string | undefined;
  routingKey?: string | undefined;
  contentType?: string | undefined;
  headers: Record<string, unknown>;
  bytes: number;
  body: string;
  bodyEncoding: 'utf-8' | 'base64';
}

export interface GoneSummary extends LetterSummary {
  end: LetterEnd;
}

/** `GET /api/gone?before&limit`: dead letters that were replayed or dropped, the latest to go first. */
export interface GoneLetters {
  letters: GoneSummary[];
  /** For `before` of the next page; null at the end. */
  next: number | null;
}

/** An error. */
export interface ApiProblem {
  title: string;
  status: number;
  detail?: string;
  sign_in?: SignIn;
  /** With 503 while the board reads the index for the first time: the number of dead letters so far. */
  read?: number;
}
