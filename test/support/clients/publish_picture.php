<?php
// Announces a picture: php publish_picture.php <host> <port> <user> <password> <image id> <user id> <path> [--text]
// With --text the ids go out as strings of digits.
require_once '/usr/share/php/PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;

[, $host, $port, $user, $password, $image_id, $user_id, $path] = $argv;
$as_text = in_array('--text', $argv);
$connection = new AMQPStreamConnection($host, $port, $user, $password);
$channel = $connection->channel();
$channel->exchange_declare('upload-pictures', 'fanout', false, true, false);
$body = json_encode([
    'image_id' => $as_text ? $image_id : (int) $image_id,
    'user_id' => $as_text ? $user_id : (int) $user_id,
    'image_path' => $path,
]);
$properties = ['content_type' => 'application/json', 'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT];
$channel->basic_publish(new AMQPMessage($body, $properties), 'upload-pictures');
$channel->close();
$connection->close();
