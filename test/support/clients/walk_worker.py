"""Works on orders for walks, all by one walker of its own: python3 walk_worker.py <amqp url> <walker's name>"""
import json
import sys

import pika
from messages import WalkOrdered, WalkOrderedReply

url, walker = sys.argv[1:3]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.basic_qos(prefetch_count=1)


def book(channel, delivery, order, body):
    walk: WalkOrdered = json.loads(body)
    print(walk["order_id"], walk["dog"], walk["at"], walk["minutes"], flush=True)
    if order.reply_to:
        answer: WalkOrderedReply = {"status": "booked", "walker": {"name": walker}}
        properties = pika.BasicProperties(content_type="application/json", correlation_id=order.correlation_id)
        channel.basic_publish("", order.reply_to, json.dumps(answer), properties)
    channel.basic_ack(delivery.delivery_tag)


channel.basic_consume("dog-walk", book)
print("READY", flush=True)
channel.start_consuming()
