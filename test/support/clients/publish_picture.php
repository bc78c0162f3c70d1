<?php
declare(strict_types=1);
// Announces a picture: php publish_picture.php <host> <port> <user> <password> <image id> <user id> <path> [--text]
// With --text the ids go out as strings of digits.
require_once '/usr/share/php/PhpAmqpLib/autoload.php';
require_once __DIR__ . '/messages.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;

[, $host, $port, $user, $password, $image_id, $user_id, $path] = $argv;
$as_text = in_array('--text', $argv);
$connection = new AMQPStreamConnection($host, (int) $port, $user, $password);
$channel = $connection->channel();
$channel->exchange_declare('upload-pictures', 'fanout', false, true, false);
$body = new PictureUploaded(
    image_id: $as_text ? $image_id : (int) $image_id,
    user_id: $as_text ? $user_id : (int) $user_id,
    image_path: $path,
);
$properties = ['content_type' => 'application/json', 'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT];
$channel->basic_publish(new AMQPMessage(json_encode($body), $properties), 'upload-pictures');
$channel->close();
$connection->close();
