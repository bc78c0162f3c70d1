"""Calls a method and prints its reply: python3 rpc_client.py <amqp url> <method> <json body> [correlation id]"""
import sys

import pika

url, method, body = sys.argv[1:4]
correlation_id = sys.argv[4] if len(sys.argv) > 4 else None
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
# A name that the broker gives out: rpc_user may declare no other.
reply_queue = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue
properties = pika.BasicProperties(reply_to=reply_queue, correlation_id=correlation_id)
channel.basic_publish("rpc", method, body, properties)
for _, reply, content in channel.consume(reply_queue, auto_ack=True, inactivity_timeout=10):
    if reply is None:
        sys.exit("no reply within 10 s")
    assert reply.correlation_id == correlation_id, f"another correlation id: {reply.correlation_id}"
    print(content.decode())
    break
connection.close()
