<?php
// The bodies of the messages in asyncapi.json. `npm run docs` generates this file.
declare(strict_types=1);

abstract class Body implements JsonSerializable
{
    /** Reads a body, without the fields that it may get later. */
    public static function from(string $json): static
    {
        $fields = json_decode($json, true, 512, JSON_THROW_ON_ERROR);
        $known = (new ReflectionMethod(static::class, '__construct'))->getParameters();
        return new static(...array_intersect_key($fields, array_column($known, 'name', 'name')));
    }

    public function jsonSerialize(): array
    {
        return array_filter(get_object_vars($this), fn ($value) => $value !== null);
    }
}

final class DescribePicture extends Body
{
    public function __construct(
        public readonly int|string|null $image_id = null,
        public readonly string|null $image_path = null,
    ) {
    }
}

final class FriendsToNotify extends Body
{
    public function __construct(
        public readonly int|string $image_id,
        public readonly int|string $user_id,
        public readonly string $image_path,
        public readonly array|null $friends = null,
    ) {
    }
}

final class PictureUploaded extends Body
{
    public function __construct(
        public readonly int|string $image_id,
        public readonly int|string $user_id,
        public readonly string $image_path,
    ) {
    }
}

final class WalkOrdered extends Body
{
    public function __construct(
        public readonly string $dog,
        public readonly string $at,
        public readonly int $minutes,
        public readonly string $order_id,
        public readonly int|string $user_id,
    ) {
    }
}

final class WashOrdered extends Body
{
    public function __construct(
        public readonly string $dog,
        public readonly string $at,
        public readonly string $order_id,
        public readonly int|string $user_id,
    ) {
    }
}

final class WalkNotice extends Body
{
    public function __construct(
        public readonly string $walk_id,
        public readonly int|string $walker_id,
        public readonly string $notice,
    ) {
    }
}

final class WalkText extends Body
{
    public function __construct(
        public readonly string $walk_id,
        public readonly int|string $walker_id,
        public readonly string $notice,
    ) {
    }
}

final class Ping extends Body
{
    public function __construct(
        public readonly float|string $time,
        public readonly string|null $client_name = null,
    ) {
    }
}

final class DescribePictureReply extends Body
{
    public function __construct(
        public readonly int $width,
        public readonly int $height,
        public readonly string $format,
        public readonly int $bytes,
    ) {
    }
}

final class WalkOrderedReply extends Body
{
    public function __construct(
        public readonly string $status,
        public readonly array|null $walker = null,
        public readonly string|null $walk_id = null,
    ) {
    }
}

final class WashOrderedReply extends Body
{
    public function __construct(
        public readonly string $status,
        public readonly array|null $walker = null,
        public readonly string|null $walk_id = null,
    ) {
    }
}
