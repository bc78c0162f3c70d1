/** What we use of s3rver, which brings no types. */
declare module 's3rver' {
  import type { Server } from 'node:http';

  export default class S3rver {
    constructor(options: { address: string; port: number; directory: string; silent: boolean });
    httpServer: Server;
    run(): Promise<unknown>;
    close(): Promise<void>;
  }
}
