import { ArnFormat, Stack } from 'aws-cdk-lib';
import { CfnRecordSet, type IHostedZone } from 'aws-cdk-lib/aws-route53';
import {
  ConfigurationSet,
  ConfigurationSetTlsPolicy,
  EmailIdentity,
  Identity,
  SuppressionReasons,
} from 'aws-cdk-lib/aws-ses';
import { Construct } from 'constructs';

export interface MailProps {
  name: string;
  /** Domain of the sender's address. */
  domain: string;
  /** The zone that has the domain. Without one, `records` have to be made by hand. */
  zone?: IHostedZone | undefined;
}

interface MailRecord {
  name: string;
  type: 'CNAME' | 'MX' | 'TXT';
  value: string;
}

/** A domain that may send through SES: signed by DKIM, with bounces to a subdomain of its own so that SPF agrees with the sender. */
export class Mail extends Construct {
  readonly configurationSet: ConfigurationSet;
  /** What the domain's DNS has to contain. */
  readonly records: readonly MailRecord[];

  constructor(scope: Construct, id: string, { name, domain, zone }: MailProps) {
    super(scope, id);
    const bounces = `bounces.${domain}`;
    this.configurationSet = new ConfigurationSet(this, 'ConfigurationSet', {
      configurationSetName: name,
      tlsPolicy: ConfigurationSetTlsPolicy.REQUIRE,
      reputationMetrics: true,
      // Addresses that bounced or complained get no further mail.
      suppressionReasons: SuppressionReasons.BOUNCES_AND_COMPLAINTS,
    });
    const identity = new EmailIdentity(this, 'Identity', {
      identity: Identity.domain(domain),
      mailFromDomain: bounces,
      configurationSet: this.configurationSet,
    });
    this.records = [
      ...identity.dkimRecords.map((record) => ({ ...record, type: 'CNAME' as const })),
      { name: bounces, type: 'MX', value: `10 feedback-smtp.${Stack.of(this).region}.amazonses.com` },
      { name: bounces, type: 'TXT', value: '"v=spf1 include:amazonses.com -all"' },
      { name: `_dmarc.${domain}`, type: 'TXT', value: '"v=DMARC1; p=quarantine"' },
    ];
    if (zone) this.#write(zone);
  }

  /** What the login at SES may send through: its rights are checked for recipients too, as long as SES is in its sandbox. */
  get identities(): string[] {
    const arn = (resource: string, resourceName: string) =>
      Stack.of(this).formatArn({
        service: 'ses',
        resource,
        resourceName,
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      });
    return [arn('identity', '*'), arn('configuration-set', this.configurationSet.configurationSetName)];
  }

  #write(zone: IHostedZone): void {
    this.records.forEach(({ name, type, value }, index) => {
      const record = { name, type, ttl: '1800', resourceRecords: [value] };
      new CfnRecordSet(this, `Record${index + 1}`, { hostedZoneId: zone.hostedZoneId, ...record });
    });
  }
}
