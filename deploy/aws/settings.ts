import type { BrokerProps } from './broker.ts';
import type { DatabaseProps } from './database.ts';
import type { NetworkProps } from './network.ts';

/** What differs from stage to stage. */
export interface PlatformSettings {
  network: NetworkProps;
  broker: Pick<BrokerProps, 'instanceType' | 'cluster'>;
  database: Pick<DatabaseProps, 'instanceType' | 'multiAz' | 'storageGiB' | 'connections'>;
  /** Domain of the sender's address. */
  mailDomain: string;
  /** Default: `Warren <warren@...>`. */
  mailFrom?: string | undefined;
  /** Gets critical alerts and alarms. */
  opsMail: string;
  /** Gets alerts about rate limits, default `opsMail`. */
  apiMail?: string | undefined;
  /** Number of the access key behind the password at SES: another number makes a new one. Default 1. */
  mailKey?: number | undefined;
  /** The zone in Route 53 that has the domains. Without one, DNS records are made by hand, and there is no certificate. */
  zone?: { hostedZoneId: string; zoneName: string } | undefined;
  /** Domain of the HTTP API; it needs the zone. */
  domain?: string | undefined;
  /** The issuer of people's tokens. Without one, a secret signs them. */
  issuer?: { url: string; audience: string } | undefined;
}

type Sizes = Pick<PlatformSettings, 'network' | 'broker' | 'database'>;
type Rest = Omit<PlatformSettings, keyof Sizes> & Partial<Sizes>;

/** To try things out: one of each, without a replacement for what fails. */
export const small = (rest: Rest): PlatformSettings => ({
  network: { zones: 2, natGateways: 1 },
  broker: { instanceType: 'mq.m7g.medium', cluster: false },
  database: { instanceType: 't4g.small', multiAz: false, storageGiB: 20, connections: 200 },
  ...rest,
});

/** Everything goes on without one zone. */
export const production = (rest: Rest): PlatformSettings => ({
  network: { zones: 3, natGateways: 3 },
  broker: { instanceType: 'mq.m7g.large', cluster: true },
  database: { instanceType: 'm7g.large', multiAz: true, storageGiB: 100, connections: 800 },
  ...rest,
});
