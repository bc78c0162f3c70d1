import { RemovalPolicy } from 'aws-cdk-lib';
import { Certificate, CertificateValidation } from 'aws-cdk-lib/aws-certificatemanager';
import { Key } from 'aws-cdk-lib/aws-kms';
import { HostedZone } from 'aws-cdk-lib/aws-route53';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { Broker } from './broker.ts';
import { Database } from './database.ts';
import { Mail } from './mail.ts';
import { MailLogin } from './mail-login.ts';
import { Network } from './network.ts';
import { loginOf, Secrets } from './secrets.ts';
import type { PlatformSettings } from './settings.ts';

export interface WarrenPlatformProps extends PlatformSettings {
  /** Name of the service in serverless.yml. */
  service: string;
  stage: string;
}

/** Groups of functions with a login of their own at the broker, as deploy/groups.ts finds them in serverless.yml. */
export const brokerGroups = [
  'http',
  'schedule',
  'alerts',
  'pictures',
  'resize',
  'bookings',
  'rpc',
  'adapter',
] as const;

/** Those of them that use the database. */
export const databaseGroups = brokerGroups.filter((group) => group !== 'adapter');

/** The login of AWS's mappings, which deploy/prepare-function creates at the broker. */
const mappings = 'aws-mapping';
const administratorName = 'admin';
/** Owner of the tables. */
const ownerName = 'warren';

/** Everything that a deployment of Warren needs beside its own stack: network, broker, database, secrets, mail and DNS. */
export class WarrenPlatform extends Construct {
  /** The deployment's parameters: each is one of serverless.yml. */
  readonly parameters: Record<string, string>;
  readonly network: Network;
  readonly database: Database;
  readonly mail: Mail;
  readonly mailLogin: MailLogin;
  readonly secrets: Secrets;
  /** Whether a second instance of the database takes over. */
  readonly multiAz: boolean;

  constructor(scope: Construct, id: string, props: WarrenPlatformProps) {
    super(scope, id);
    const { service, stage, mailDomain, domain } = props;
    const name = `${service}-${stage}`;
    const path = `${service}/${stage}`;
    const key = new Key(this, 'Key', {
      alias: name,
      description: `Secrets and database of ${name}`,
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    const zone = props.zone && HostedZone.fromHostedZoneAttributes(this, 'Zone', props.zone);
    this.secrets = new Secrets(this, 'Secrets', { prefix: path, key });
    this.multiAz = props.database.multiAz;
    const { secrets } = this;
    this.network = new Network(this, 'Network', props.network);

    const administrator = secrets.login('admin/broker', administratorName);
    const broker = new Broker(this, 'Broker', {
      ...props.broker,
      name,
      network: this.network,
      administratorName,
      administrator,
    });
    const amqps = (login: string) => ['amqps://', login, '@', broker.host, ':5671'];
    const adminLogin = loginOf(administratorName, administrator);
    secrets.known('admin/amqp-url', ...amqps(adminLogin));
    secrets.known('admin/amqp-management-url', 'https://', adminLogin, '@', broker.host);
    for (const group of brokerGroups) {
      const login = loginOf(group, secrets.login(`broker/${group}`, group));
      secrets.known(`amqp-url-${group}`, ...amqps(login));
    }
    const mapping = secrets.login(`broker/${mappings}`, mappings);

    const owner = secrets.login('admin/database', ownerName);
    const { network } = this;
    this.database = new Database(this, 'Database', {
      ...props.database,
      name,
      network,
      ownerName,
      owner,
      key,
    });
    const { instance } = this.database;
    secrets.known('admin/database-url', this.database.url(loginOf(ownerName, owner)));
    for (const group of databaseGroups) {
      // There is no password in it.
      new StringParameter(this, `DatabaseUrl-${group}`, {
        parameterName: `/${path}/database-url-${group}`,
        stringValue: this.database.url(group, ['auth=rds-iam']),
      });
    }

    this.mail = new Mail(this, 'Mail', { name, domain: mailDomain, zone });
    const { mail } = this;
    this.mailLogin = new MailLogin(this, 'MailLogin', {
      name,
      domain: mailDomain,
      mail,
      secrets,
      serial: props.mailKey ?? 1,
    });
    secrets.text('unsubscribe-secret');
    if (!props.issuer) secrets.text('jwt-secret');
    const certificate =
      domain && zone
        ? new Certificate(this, 'Certificate', {
            domainName: domain,
            validation: CertificateValidation.fromDns(zone),
          })
        : undefined;

    const { subnetIds } = network.vpc.selectSubnets(network.subnetsOf('functions'));
    this.parameters = {
      brokerArn: broker.arn,
      brokerSecretArn: mapping.secretArn,
      subnets: subnetIds.join(','),
      securityGroups: network.functions.securityGroupId,
      secretsKeyArn: key.keyArn,
      amqpUrl: secrets.reference('amqp-url-{group}'),
      databaseUrl: `ssm:/${path}/database-url-{group}`,
      databaseLogin: `${instance.instanceResourceId}/{group}`,
      databaseInstance: instance.instanceIdentifier,
      databaseQuota: String(props.database.connections),
      databaseStorage: String(props.database.storageGiB),
      adminAmqpUrl: secrets.reference('admin/amqp-url'),
      adminAmqpManagementUrl: secrets.reference('admin/amqp-management-url'),
      adminDatabaseUrl: secrets.reference('admin/database-url'),
      smtpUrl: secrets.reference('smtp-url'),
      unsubscribeSecret: secrets.reference('unsubscribe-secret'),
      ...(props.issuer
        ? { jwtSecret: 'none', jwtIssuer: props.issuer.url, jwtAudience: props.issuer.audience }
        : { jwtSecret: secrets.reference('jwt-secret') }),
      ses: 'true',
      mailFrom: props.mailFrom ?? `Warren <warren@${mailDomain}>`,
      opsMail: props.opsMail,
      apiMail: props.apiMail ?? props.opsMail,
      alarmMail: props.opsMail,
      ...(domain && certificate && props.zone
        ? {
            domain,
            certificateArn: certificate.certificateArn,
            hostedZone: props.zone.hostedZoneId,
            publicUrl: `https://${domain}`,
          }
        : {}),
    };
  }
}
