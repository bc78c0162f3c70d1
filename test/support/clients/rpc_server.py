"""Serves a method that turns a text around: python3 rpc_server.py <amqp url> <method> [--hold]

With --hold it takes a request and never answers: for those who want to see what becomes of it when it is killed.
"""
import json
import sys

import pika

url, method = sys.argv[1:3]
hold = "--hold" in sys.argv
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.queue_declare(method, durable=True)
channel.queue_bind(method, "rpc", method)
channel.basic_qos(prefetch_count=1)


def answer(channel, delivery, request, body):
    print("RECEIVED", flush=True)
    if hold:
        return
    reply = json.dumps({"text": json.loads(body)["text"][::-1], "sub": (request.headers or {}).get("x-warren-sub")})
    properties = pika.BasicProperties(content_type="application/json", correlation_id=request.correlation_id)
    channel.basic_publish("", request.reply_to, reply, properties)
    channel.basic_ack(delivery.delivery_tag)


channel.basic_consume(method, answer)
print("READY", flush=True)
channel.start_consuming()
