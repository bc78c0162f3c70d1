/** A JSON Schema. */
export type Schema = Readonly<Record<string, unknown>>;

/** An object that has no further properties: a name that has no effect is a mistake. */
export const object = (properties: Record<string, Schema>, required: readonly string[] = []): Schema => ({
  type: 'object',
  additionalProperties: false,
  ...(required.length > 0 && { required }),
  properties,
});
export const described = (description: string, schema: Schema): Schema => ({ description, ...schema });
export const list = (items: Schema): Schema => ({ type: 'array', items });
export const whole = (minimum: number, maximum?: number): Schema => ({ type: 'integer', minimum, maximum });
const mapOf = (values: Schema): Schema => ({ type: 'object', additionalProperties: values });
export const ref = (name: string): Schema => ({ $ref: `#/definitions/${name}` });

export const text: Schema = { type: 'string' };
export const name: Schema = { type: 'string', minLength: 1 };
export const onOff: Schema = { type: 'boolean' };
export const labels = mapOf(text);
/** A part of another API's object, which that API checks. */
export const foreign: Schema = { type: 'object' };

/** The parts of the schema that several values share. */
export const definitions = {
  quantity: {
    description: 'a quantity of Kubernetes, such as 100m or 768Mi',
    type: ['string', 'integer'],
    pattern: '^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$',
  },
  resources: object(
    {
      requests: mapOf(ref('quantity')),
      limits: { ...mapOf(ref('quantity')), required: ['memory'] },
    },
    ['requests', 'limits'],
  ),
  authority: described('a Secret or a ConfigMap with certificates in PEM', {
    ...object({ secretName: name, configMapName: name, key: name }),
    not: { required: ['secretName', 'configMapName'] },
  }),
  reference: object({ name, key: name }, ['name', 'key']),
  incoming: object({ from: list(foreign) }, ['from']),
  outgoing: object({ to: list(foreign), ports: { ...list(whole(1, 65_535)), minItems: 1 } }, ['to', 'ports']),
  worker: object(
    {
      scale: object(
        {
          min: described('replicas without messages', whole(0)),
          max: described('most replicas', whole(1)),
          messages: described('messages for each replica', whole(1)),
          seconds: described(
            'seconds in which the replicas have to empty a queue; 0 for no such trigger',
            whole(0),
          ),
        },
        ['min', 'max', 'messages', 'seconds'],
      ),
      resources: ref('resources'),
    },
    ['scale', 'resources'],
  ),
};
