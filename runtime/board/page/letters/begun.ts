import type { JobFilter } from '../../api-job-types.ts';

/** What an operator is asked to confirm. */
export interface Planned {
  action: 'replay' | 'drop';
  filter: JobFilter;
  number: number;
  /** Which they are, such as `of the queue shop`. */
  which: string;
  /** Called when the job has begun. */
  begun?: () => void;
}

/** What a user has written into the dialog of an edit. */
export interface Draft {
  offset: number;
  to: string;
  type: string;
  /** The body as it is shown: in base64 if it is no text. */
  body: string;
  headers: string;
}
