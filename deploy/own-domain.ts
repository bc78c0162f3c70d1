import { attribute, type Resource, ref } from './template.ts';

/**
 * A domain for the HTTP API, if one is set, and its record in Route 53 if its zone is.
 *
 * @throws Error for a domain without a certificate, or the other way round; for a zone without a domain.
 */
export function ownDomain({
  domain,
  certificateArn,
  hostedZone = '',
}: {
  domain: string;
  certificateArn: string;
  hostedZone?: string;
}) {
  const none: Record<string, Resource> = {};
  if (domain === '' && hostedZone !== '')
    throw new Error('hostedZone: expected --param=domain and --param=certificateArn beside it');
  if (domain === '' && certificateArn === '') return none;
  if (domain === '' || certificateArn === '')
    throw new Error('domain: expected --param=domain and --param=certificateArn together');
  const configuration = {
    CertificateArn: certificateArn,
    EndpointType: 'REGIONAL',
    SecurityPolicy: 'TLS_1_2',
  };
  const resources: Record<string, Resource> = {
    HttpApiDomain: {
      Type: 'AWS::ApiGatewayV2::DomainName',
      Properties: { DomainName: domain, DomainNameConfigurations: [configuration] },
    },
    HttpApiMapping: {
      Type: 'AWS::ApiGatewayV2::ApiMapping',
      Properties: { ApiId: ref('HttpApi'), DomainName: ref('HttpApiDomain'), Stage: ref('HttpApiStage') },
    },
  };
  if (hostedZone !== '') {
    const [name, zone] = ['RegionalDomainName', 'RegionalHostedZoneId'].map((each) =>
      attribute('HttpApiDomain', each),
    );
    resources['HttpApiRecord'] = {
      Type: 'AWS::Route53::RecordSet',
      Properties: {
        HostedZoneId: hostedZone,
        Name: domain,
        Type: 'A',
        AliasTarget: { DNSName: name, HostedZoneId: zone },
      },
    };
  }
  return resources;
}
