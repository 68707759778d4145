"""Looks at a podring ring from Python: what docs/layout.md says, and nothing but the standard library.

Reading only: a ring is written by its participants alone.
"""

import mmap
import os
import struct
import sys
from dataclasses import dataclass
from multiprocessing import resource_tracker, shared_memory

MAGIC = b"PODRING\0"
LAYOUT = 1
IDENTITY_BYTES = 512
KINDS = {1: "bytes", 2: "typed"}
TAIL, HEAD, STREAM = 4096, 4224, 4608
SEATS_OFFSET, SEAT_BYTES, SEATS = 8192, 256, 64
MESSAGES = 128  # the first counter of a seat


class NotARing(ValueError):
    """The segment is no ring, or one that this file does not know."""


@dataclass(frozen=True)
class Identity:
    """What never changes."""

    kind: str
    total_bytes: int
    data_offset: int
    capacity: int
    stride: int
    largest_message: int
    id: str
    creator: str
    creator_host: str


@dataclass(frozen=True)
class Positions:
    """In units of the ring: bytes, or elements of a typed one."""

    tail: int
    head: int
    closed: bool

    @property
    def used(self):
        return (self.tail - self.head) % 2**64


def fnv1a(data):
    """The checksum of the identity."""
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = ((digest ^ byte) * 0x100000001B3) % 2**64
    return digest


def text(data):
    """A name that another container chose: nothing in it reaches a terminal as a command."""
    shown = bytes(data).rstrip(b"\0").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def identity(segment):
    """Reads and checks the identity, from one private copy of it."""
    head = bytes(segment[:IDENTITY_BYTES])
    if len(head) < IDENTITY_BYTES or head[:8] != MAGIC:
        raise NotARing("the segment does not begin like a ring")
    layout, kind, total, data, capacity, stride, largest = struct.unpack_from("<IIQQQQQ", head, 8)
    if layout != LAYOUT:
        raise NotARing(f"its layout is {layout}; this file knows layout {LAYOUT}")
    if fnv1a(head[:504]) != struct.unpack_from("<Q", head, 504)[0]:
        raise NotARing("its checksum is wrong")
    if kind not in KINDS:
        raise NotARing(f"it is of a kind that this file does not know: {kind}")
    return Identity(
        kind=KINDS[kind],
        total_bytes=total,
        data_offset=data,
        capacity=capacity,
        stride=stride,
        largest_message=largest,
        id=head[96:112].hex(),
        creator=text(head[112:144]),
        creator_host=text(head[144:208]),
    )


def positions(segment):
    """How far the ring was written and read. The head first: the tail read afterwards is never behind it."""
    head = struct.unpack_from("<Q", segment, HEAD)[0]
    tail = struct.unpack_from("<Q", segment, TAIL)[0]
    stream = struct.unpack_from("<I", segment, STREAM)[0]
    return Positions(tail=tail, head=head, closed=stream & 3 != 0)


def messages(segment, seat):
    """How many messages the holders of a seat have published or released."""
    return struct.unpack_from("<Q", segment, SEATS_OFFSET + SEAT_BYTES * seat + MESSAGES)[0]


def attach(name):
    """The segment as a SharedMemory, which its owner keeps: closing it does not remove it.

    Before Python 3.13, SharedMemory tells a tracker process of every segment that it opens, also of those it has
    not made, and when the program ends the tracker removes them: a ring in use would lose its name. From 3.13 on
    track=False says that it is somebody else's; before, the tracker must not hear of it.
    SharedMemory always opens for writing; where only reading is allowed, use attach_read_only.
    """
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name=name, track=False)
    register = resource_tracker.register
    resource_tracker.register = lambda *_: None
    try:
        return shared_memory.SharedMemory(name=name)
    finally:
        resource_tracker.register = register


def attach_read_only(name, directory="/dev/shm"):
    """The segment as bytes that cannot be written to; needs read permission alone."""
    descriptor = os.open(os.path.join(directory, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return mmap.mmap(descriptor, 0, mmap.MAP_SHARED, mmap.PROT_READ)
    finally:
        os.close(descriptor)
