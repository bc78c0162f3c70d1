"""Orders a walk and prints the answer: python3 order_walk.py <amqp url> <order in json> [--no-answer]

The order is persistent and confirmed. With --no-answer it names no queue for one, and prints TAKEN.
"""
import json
import sys

import pika
from messages import WalkOrdered, WalkOrderedReply

url, text = sys.argv[1:3]
order: WalkOrdered = json.loads(text)
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
# From here on a publish returns when the broker has taken responsibility for it, and raises where it has not.
channel.confirm_delivery()
properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
if "--no-answer" in sys.argv:
    channel.basic_publish("chihuahua_scheduling", "walk", json.dumps(order), properties, mandatory=True)
    print("TAKEN")
    sys.exit()
properties.reply_to = channel.queue_declare("", exclusive=True, auto_delete=True).method.queue
properties.correlation_id = order["order_id"]
channel.basic_publish("chihuahua_scheduling", "walk", json.dumps(order), properties, mandatory=True)
for _, answer, content in channel.consume(properties.reply_to, auto_ack=True, inactivity_timeout=10):
    if answer is None:
        sys.exit("no answer within 10 s; the order is safe")
    assert answer.correlation_id == properties.correlation_id
    reply: WalkOrderedReply = json.loads(content)
    print(json.dumps(reply))
    break
connection.close()
