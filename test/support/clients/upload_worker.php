<?php
// A new task for each upload: php upload_worker.php <host> <port> <user> <password> <queue> <count>
// Prints each upload as a line, and ends after so many.
require_once '/usr/share/php/PhpAmqpLib/autoload.php';
require_once __DIR__ . '/messages.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;

[, $host, $port, $user, $password, $queue, $count] = $argv;
$connection = new AMQPStreamConnection($host, $port, $user, $password);
$channel = $connection->channel();
$channel->exchange_declare('upload-pictures', 'fanout', false, true, false);
$channel->queue_declare($queue, false, true, false, false);
$channel->queue_bind($queue, 'upload-pictures');
$channel->basic_qos(0, 1, false);
$channel->basic_consume($queue, '', false, false, false, false, function ($message) use (&$count, $channel) {
    echo json_encode(PictureUploaded::from($message->body), JSON_UNESCAPED_SLASHES), "\n";
    $message->ack();
    if (--$count == 0) {
        $channel->basic_cancel($message->getConsumerTag());
    }
});
echo "READY\n";
while ($channel->is_consuming()) {
    $channel->wait();
}
$channel->queue_delete($queue);
$connection->close();
