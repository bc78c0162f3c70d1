import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Resource, readTemplate, type Template } from './serverless.ts';

/** What moto does not know in CloudFormation, or refuses: mappings of Amazon MQ. */
const beyondMoto = [
  'AWS::ApiGatewayV2::Api',
  'AWS::ApiGatewayV2::Integration',
  'AWS::ApiGatewayV2::Route',
  'AWS::ApiGatewayV2::Stage',
  'AWS::CloudWatch::Alarm',
  'AWS::Lambda::EventSourceMapping',
  'AWS::S3::BucketPolicy',
];

/** The part of a template that moto holds: without what it does not know, and without what refers to that. */
export function heldByMoto(template: Template): Template {
  let resources = entries(template.Resources).filter(([, { Type }]) => !beyondMoto.includes(Type));
  for (;;) {
    const ids = new Set(resources.map(([id]) => id));
    const gone = Object.keys(template.Resources).filter((id) => !ids.has(id));
    const left = resources.filter(([, resource]) => !refersTo(resource, gone));
    if (left.length === resources.length) {
      const outputs = Object.entries(template.Outputs).filter(([, output]) => !refersTo(output, gone));
      return { ...template, Resources: Object.fromEntries(left), Outputs: Object.fromEntries(outputs) };
    }
    resources = left;
  }
}

function entries(resources: Template['Resources']): [string, Resource][] {
  return Object.entries(resources);
}

function refersTo(value: unknown, ids: readonly string[]): boolean {
  const text = JSON.stringify(value);
  return ids.some((id) => text.includes(`{"Ref":"${id}"}`) || text.includes(`{"Fn::GetAtt":["${id}",`));
}

interface State {
  service: { provider: { compiledCloudFormationTemplate: Template } };
}

/**
 * Copies a package, and leaves in the copy's template what moto holds. The artifacts are the same, and it is deployed by the
 * same command.
 */
export async function packageForMoto(folder: string, copy: string): Promise<Template> {
  await cp(folder, copy, { recursive: true });
  const held = heldByMoto(await readTemplate(folder));
  const stateFile = join(copy, 'serverless-state.json');
  // What the CLI notes twice, it notes the second time as the way to the first, which may be gone.
  const dropRepeated = (_key: string, value: unknown) =>
    typeof value === 'object' && value !== null && '$ref' in value ? undefined : value;
  const state = JSON.parse(await readFile(stateFile, 'utf8'), dropRepeated) as State;
  state.service.provider.compiledCloudFormationTemplate = held;
  await writeFile(stateFile, JSON.stringify(state));
  return held;
}
