"""Sends one message with no other knowledge than an AsyncAPI document: python3 from_document.py <amqp url> <document> <message> [json body]

Without a body it sends the first example. Words of the routing key come from the examples of the channel. If the document describes a
reply, it waits for it and prints it.
"""
import json
import sys
import time
import uuid

import pika

url, path, name = sys.argv[1:4]
with open(path, encoding="utf-8") as file:
    document = json.load(file)


def resolved(value):
    """Follows references (RFC 6901)."""
    while "$ref" in value:
        target = document
        for part in value["$ref"][2:].split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        value = target
    return value


def operation_of(action):
    """The service's operation with the message."""
    for each in document["operations"].values():
        if each["action"] == action and any(one["$ref"].split("/")[-1] == name for one in each["messages"]):
            return each
    return None


def attribute(schema):
    """The value of a CloudEvent's attribute."""
    if "const" in schema:
        return schema["const"]
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) if schema.get("format") == "date-time" else str(uuid.uuid4())


message = document["components"]["messages"][name]
# What the service receives, its clients send.
operation = operation_of("receive") or sys.exit(f"{name}: the service does not receive it")
sent = (operation_of("send") or {}).get("bindings", {}).get("amqp", {})
channel_description = resolved(operation["channel"])
exchange = channel_description["bindings"]["amqp"]["exchange"]["name"]
words = {word: each["examples"][0] for word, each in channel_description.get("parameters", {}).items()}
routing_key = channel_description["address"].format(**words)
body = json.loads(sys.argv[4]) if len(sys.argv) > 4 else message["examples"][0]["payload"]
required = [each for part in message.get("headers", {}).get("allOf", [message.get("headers", {})]) for each in part.get("required", [])]
headers = {each: attribute(message["headers"]["properties"][each]) for each in required}

connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()
properties = pika.BasicProperties(
    content_type=message["contentType"],
    delivery_mode=sent.get("deliveryMode", 2),
    message_id=str(uuid.uuid4()),
    type=message["bindings"]["amqp"].get("messageType"),
    headers=headers,
)
reply = operation.get("reply")
if reply:
    # `$message.header#/reply_to` and `$message.header#/correlation_id` are properties of AMQP.
    setattr(properties, reply["address"]["location"].split("/")[-1], channel.queue_declare("", exclusive=True).method.queue)
    setattr(properties, message["correlationId"]["location"].split("/")[-1], str(uuid.uuid4()))
content = json.dumps(body, ensure_ascii=False).encode()
channel.basic_publish(exchange, routing_key, content, properties, mandatory=sent.get("mandatory", True))
if reply:
    for _, answer, content in channel.consume(properties.reply_to, auto_ack=True, inactivity_timeout=20):
        if answer is None:
            sys.exit("no reply within 20 s")
        if answer.correlation_id == properties.correlation_id:
            print(content.decode())
            break
connection.close()
