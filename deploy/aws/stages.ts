import { type PlatformSettings, production, small } from './settings.ts';

/** The platforms of this account, by stage. Change these: a domain of yours and its zone, and who gets alerts. */
export const stages: Record<string, PlatformSettings> = {
  dev: small({
    mailDomain: 'dev.example.com',
    opsMail: 'ops@example.com',
  }),
  prod: production({
    zone: { hostedZoneId: 'Z0123456789ABCDEFGHIJ', zoneName: 'example.com' },
    domain: 'warren.example.com',
    mailDomain: 'example.com',
    opsMail: 'ops@example.com',
    apiMail: 'api@example.com',
  }),
};
