"""The bodies of the messages in asyncapi.json. `npm run docs` generates this file."""

from typing import Literal, NotRequired, TypedDict


class DescribePicture(TypedDict):
    image_id: NotRequired[int | str]
    image_path: NotRequired[str]


class FriendsToNotify(TypedDict):
    image_id: int | str
    user_id: int | str
    image_path: str
    friends: NotRequired[list[int | str]]


class PictureUploaded(TypedDict):
    image_id: int | str
    user_id: int | str
    image_path: str


class WalkOrdered(TypedDict):
    dog: str
    at: str
    minutes: int
    order_id: str
    user_id: int | str


class WashOrdered(TypedDict):
    dog: str
    at: str
    order_id: str
    user_id: int | str


class WalkNotice(TypedDict):
    walk_id: str
    walker_id: int | str
    notice: Literal["booked", "soon"]


class WalkText(TypedDict):
    walk_id: str
    walker_id: int | str
    notice: Literal["booked", "soon"]


class Ping(TypedDict):
    client_name: NotRequired[str]
    time: float | str


class DescribePictureReply(TypedDict):
    width: int
    height: int
    format: str
    bytes: int


class WalkOrderedReplyWalker(TypedDict):
    name: str


class WalkOrderedReply(TypedDict):
    status: Literal["booked"]
    walker: NotRequired[WalkOrderedReplyWalker]
    walk_id: NotRequired[str]


class WashOrderedReplyWalker(TypedDict):
    name: str


class WashOrderedReply(TypedDict):
    status: Literal["booked"]
    walker: NotRequired[WashOrderedReplyWalker]
    walk_id: NotRequired[str]
