"""Raises an alert, as any AMQP client may: python3 alert.py <amqp url> <routing key> <json body> [message id]"""
import sys

import pika

url, routing_key, body = sys.argv[1:4]
message_id = sys.argv[4] if len(sys.argv) > 4 else None
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()
# Declares nothing: alert_user may not, and the exchange is there. No more than the content type has to be set.
properties = pika.BasicProperties(content_type="application/json", message_id=message_id)
channel.basic_publish("alerts", routing_key, body, properties, mandatory=True)
connection.close()
