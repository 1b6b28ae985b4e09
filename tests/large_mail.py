"""Mails of 50 MiB, made slice by slice: whoever asks for one holds no more of it than its reader."""

import base64
import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from mailflow.core.message import Attachment

MIB = 1 << 20
FILE_SIZE = 37_500_000
"""Octets; as base64 in lines about 49 MiB."""
_LINES_AT_ONCE = 57 * 10_000
HEAD = (
    b"From: Ann Example <ann@partner.example>\r\nTo: partnersupport@gitlab.com\r\nSubject: A large mail\r\n"
    b"Date: Mon, 02 Mar 2026 11:59:00 +0000\r\nMessage-ID: <large@partner.example>\r\nMIME-Version: 1.0\r\n"
)
QUESTION = b"How do we get a licence for our lab?"


@dataclass(slots=True)
class File:
    """Octets without any order in them, as a packed file has; counted and hashed while they are made."""

    size: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def octets(self, length: int = FILE_SIZE) -> Iterator[bytes]:
        dice = Random(length)
        while self.size < length:
            one = dice.randbytes(min(_LINES_AT_ONCE, length - self.size))
            self.size += len(one)
            self.digest.update(one)
            yield one

    def attachment(self, filename: str, content_type: str) -> Attachment:
        return Attachment(filename, content_type, self.size, self.digest.hexdigest())


def _base64(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for one in pieces:
        rest += one
        whole = len(rest) // 57 * 57
        yield base64.encodebytes(rest[:whole]).replace(b"\n", b"\r\n")
        rest = rest[whole:]
    yield base64.encodebytes(rest).replace(b"\n", b"\r\n")


def with_file(file: File, head: bytes = HEAD, length: int = FILE_SIZE) -> Iterator[bytes]:
    yield head + b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\n" + QUESTION + b"\r\n--bb\r\n"
    yield b"Content-Type: application/zip; name=scan.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    yield from _base64(file.octets(length))
    yield b"--bb--\r\n"


def with_doubled_crs(file: File) -> Iterator[bytes]:
    """As a gateway makes it that writes CR LF for every LF it finds."""
    for one in with_file(file):
        yield one.replace(b"\r\n", b"\r\r\n")


def with_message(inner: Iterable[bytes]) -> Iterator[bytes]:
    yield HEAD + b"Content-Type: multipart/mixed; boundary=cc\r\n\r\n--cc\r\n\r\n" + QUESTION + b"\r\n--cc\r\n"
    yield b"Content-Type: message/rfc822\r\n\r\n"
    yield from inner
    yield b"\r\n--cc--\r\n"


def with_text(line: str) -> Iterator[bytes]:
    yield HEAD + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + QUESTION + b"\r\n\r\n"
    lines = (line + "\r\n").encode() * (MIB // len(line.encode()))
    for _ in range(50):
        yield lines


def with_winmail_dat(file: File) -> Iterator[bytes]:
    """MS-OXTNEF, 2.1.3: the body, and a file with its title."""

    def attribute(identifier: int, length: int) -> bytes:
        return struct.pack("<BHHI", 2, identifier, 6, length)

    def octets() -> Iterator[bytes]:
        yield b"\x78\x9f\x3e\x22\x01\x00" + attribute(0x800C, len(QUESTION)) + QUESTION + b"\0\0"
        yield attribute(0x9002, 0) + b"\0\0" + attribute(0x8010, 9) + b"scan.zip\0" + b"\0\0"
        yield attribute(0x800F, FILE_SIZE)
        yield from file.octets()
        yield b"\0\0"

    yield HEAD + b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    yield from _base64(octets())
