import type { Json } from '../../runtime/contracts/document-types.ts';
import { pythonType, pythonValue } from './python-types.ts';

/** The message that an example sends. */
export interface Sending {
  name: string;
  /** JSON Schema of the body. */
  schema: Json | undefined;
  exchange: string;
  routingKey: string;
  body: unknown;
  /** Whether the example waits for a reply. */
  isAnswered: boolean;
  /** A call is not persistent, because its caller waits only for a moment. */
  kind: 'message' | 'call';
}

const json = (body: unknown) => JSON.stringify(body);
/** JSON as a string of PHP. */
const quoted = (body: unknown) => `'${json(body).replaceAll(/[\\']/g, '\\$&')}'`;

/** An example for pika. It reads the broker's address from AMQP_URL, and prints the reply. */
export function pythonExample({ name, schema, ...sending }: Sending): string {
  const { exchange, routingKey, body, isAnswered, kind } = sending;
  const type = pythonType(name, schema);
  const properties = [
    'content_type="application/json"',
    ...(kind === 'message' ? ['delivery_mode=2'] : []),
    'message_id=str(uuid.uuid4())',
  ];
  return [
    ['import json', 'import os', ...(isAnswered ? ['import sys'] : []), 'import uuid'].join('\n'),
    ...(type ? [type.imports] : []),
    '\nimport pika\n',
    ...(type ? [`\n${type.code}\n\n`] : []),
    'connection = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"]))',
    'channel = connection.channel()',
    'channel.confirm_delivery()',
    `properties = pika.BasicProperties(${properties.join(', ')})`,
    ...(isAnswered
      ? [
          'properties.reply_to = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue',
          'properties.correlation_id = str(uuid.uuid4())',
        ]
      : []),
    `body${type ? `: ${type.name}` : ''} = ${pythonValue(body)}`,
    `channel.basic_publish("${exchange}", "${routingKey}", json.dumps(body), properties, mandatory=True)`,
    ...(isAnswered
      ? [
          'for _, reply, content in channel.consume(properties.reply_to, auto_ack=True, inactivity_timeout=10):',
          '    if reply is None:',
          '        sys.exit("no reply within 10 s")',
          '    if reply.correlation_id == properties.correlation_id:',
          '        print(content.decode())',
          '        break',
        ]
      : []),
    'connection.close()',
  ].join('\n');
}

/** An example for php-amqplib, with the autoloader of Composer, as `pythonExample`. */
export function phpExample({ exchange, routingKey, body, isAnswered, kind }: Sending): string {
  const properties = [
    "    'content_type' => 'application/json',",
    ...(kind === 'message' ? ["    'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,"] : []),
    "    'message_id' => bin2hex(random_bytes(16)),",
    ...(isAnswered
      ? ["    'reply_to' => $queue,", "    'correlation_id' => $id = bin2hex(random_bytes(16)),"]
      : []),
  ];
  return [
    "<?php\nrequire 'vendor/autoload.php';\n",
    'use PhpAmqpLib\\Connection\\AMQPStreamConnection;',
    'use PhpAmqpLib\\Message\\AMQPMessage;\n',
    "$url = parse_url(getenv('AMQP_URL'));",
    "$vhost = urldecode(substr($url['path'] ?? '/%2F', 1)) ?: '/';",
    "$login = [urldecode($url['user']), urldecode($url['pass'])];",
    "$connection = new AMQPStreamConnection($url['host'], $url['port'], ...[...$login, $vhost]);",
    '$channel = $connection->channel();',
    '$channel->confirm_select();',
    ...(isAnswered ? ["[$queue] = $channel->queue_declare('', false, false, true, true);"] : []),
    `$body = ${quoted(body)};`,
    '$message = new AMQPMessage($body, [',
    ...properties,
    ']);',
    ...(isAnswered
      ? [
          '$reply = null;',
          "$channel->basic_consume($queue, '', false, true, false, false, function ($received) use (&$reply, $id) {",
          "    if ($received->get('correlation_id') === $id) $reply = $received;",
          '});',
        ]
      : []),
    '// Mandatory: the broker returns a message that reaches no queue.',
    '$channel->set_return_listener(fn ($code, $text) => throw new RuntimeException($text));',
    `$channel->basic_publish($message, '${exchange}', '${routingKey}', true);`,
    '$channel->wait_for_pending_acks_returns(10);',
    ...(isAnswered ? ['while (!$reply) $channel->wait(null, false, 10);', 'echo $reply->body, "\\n";'] : []),
    '$channel->close();',
    '$connection->close();',
  ].join('\n');
}

/** An example for amqplib, as `pythonExample`. */
export function javascriptExample({ exchange, routingKey, body, isAnswered, kind }: Sending): string {
  const properties = [
    "  contentType: 'application/json',",
    ...(kind === 'message' ? ['  persistent: true,'] : []),
    '  mandatory: true,',
    '  messageId: randomUUID(),',
    ...(isAnswered ? ['  replyTo: queue,', '  correlationId: id,'] : []),
  ];
  return [
    "import { randomUUID } from 'node:crypto';",
    "import { connect } from 'amqplib';\n",
    'const connection = await connect(process.env.AMQP_URL);',
    'const channel = await connection.createConfirmChannel();',
    '// Mandatory: the broker returns a message that reaches no queue.',
    "channel.on('return', ({ fields }) => {",
    '  throw new Error(fields.replyText);',
    '});',
    ...(isAnswered
      ? [
          'const id = randomUUID();',
          "const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });",
          'const reply = new Promise((resolve) => {',
          '  channel.consume(queue, (message) => message.properties.correlationId === id && resolve(message), { noAck: true });',
          '});',
        ]
      : []),
    `const body = ${json(body)};`,
    `channel.publish('${exchange}', '${routingKey}', Buffer.from(JSON.stringify(body)), {`,
    ...properties,
    '});',
    'await channel.waitForConfirms();',
    ...(isAnswered ? ['console.log((await reply).content.toString());'] : []),
    'await connection.close();',
  ].join('\n');
}
