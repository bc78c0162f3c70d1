"""Raises an alert, as any AMQP client may: python3 alert.py <amqp url> <routing key> <json body>"""
import sys

import pika

url, routing_key, body = sys.argv[1:4]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()
# Declares nothing: alert_user may not, and the exchange is there. No property but the content type.
channel.basic_publish("alerts", routing_key, body, pika.BasicProperties(content_type="application/json"), mandatory=True)
connection.close()
