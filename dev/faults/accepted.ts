import type { Photo } from './photos.ts';

/** How often a message was accepted, and when it was first tried and last accepted, in milliseconds since 1970. */
export interface Published {
  times: number;
  from: number;
  to: number;
}

/** A picture that was accepted: by the upload function, or by the broker from another program. */
export interface AcceptedPicture {
  id: number;
  userId: number;
  /** Undefined if the stored object is not a picture. */
  photo: Photo | undefined;
  published: Published;
}

export interface AcceptedAlert {
  id: string;
  routingKey: string;
  /** Occurs in the text of this mail only. */
  token: string;
  /** False for what is not even JSON. */
  good: boolean;
  /** Of alerts with the same key, the first is mailed immediately and the others are counted. */
  dedupKey: string | undefined;
  published: Published;
}

/** An order for a dog walk, or for a wash, which includes a walk. */
export interface AcceptedOrder {
  id: string;
  service: 'walk' | 'wash';
  /** Name of the dog; occurs in the mail to the walker of this order only. */
  dog: string;
  published: Published;
}

export interface Call {
  method: 'ping' | 'ping over HTTP' | 'describe-picture';
  /** `wrong` is an answer to another question. */
  outcome: 'answered' | 'failed' | 'wrong';
  /** Milliseconds since 1970. */
  from: number;
  to: number;
}

/** A call with an effect, published as a foreign client does. */
export interface RecordedCall {
  id: string;
  /** When it was published, in milliseconds since 1970. */
  from: number;
  /** Whether it carries the time at which its caller stops waiting; otherwise its limit begins when it arrives at the broker. */
  timed: boolean;
  /** Whether it ends the process that runs it. */
  deadly: boolean;
}

/** A message of a fault to the harness's own function. */
export interface OwnMessage {
  id: string;
  queue: string;
  /** `either` if it may also be dead-lettered, with the reason. */
  end: 'done' | 'dead-lettered' | 'either';
  published: Published;
}

/** What was accepted, and so has to have its effects. */
export interface Accepted {
  pictures: AcceptedPicture[];
  alerts: AcceptedAlert[];
  orders: AcceptedOrder[];
  calls: Call[];
  recorded: RecordedCall[];
  messages: OwnMessage[];
  /** When each request came and came to its end, in milliseconds since 1970. */
  requests: { from: number; to: number }[];
  /** When one was refused and had to be made again. */
  refusals: number[];
}

/** A caller's patience, in milliseconds. */
export const callTimeoutMs = 5000;
