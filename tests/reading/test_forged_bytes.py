"""D2 on the wire: octets that only our reading would turn into our server's name prove nothing."""

import pytest
from tests.reading.sent_mail import DESK

from mailflow.core.message import Trust
from mailflow.reading.parse import parse
from mailflow.reading.sender import identify

PASS = b"mx.vendor.example; dmarc=pass header.from=vendor.example"
FROM = b"From: Jo <jo@vendor.example>\r\n\r\nhello\r\n"


def trust(*fields: bytes) -> Trust:
    return identify(parse(b"\r\n".join((*fields, FROM))), DESK).trust


def test_our_servers_field_is_a_proof() -> None:
    assert trust(b"Authentication-Results: " + PASS) is Trust.KNOWN
    assert (
        trust(b"Authentication-Results: mx.vendor.example;\r\n\tdmarc=pass\r\n\t header.from=vendor.example")
        is Trust.KNOWN
    )


@pytest.mark.parametrize(
    "field",
    [
        b"Authentication-Results: mx.ven\x00dor.example; dmarc=pass header.from=vendor.example",
        b"Authentication-Results: mx.ven\x1bdor.example; dmarc=pass header.from=vendor.example",
        b"Authentication-Results: \x1b(B" + PASS,
        b"Authentication-Results: \x0b" + PASS,
        b"Authentication-Results: \x0c" + PASS,
        b"Authentication-Results: \x1c" + PASS,
        b"Authentication-Results: \xef\xbb\xbf" + PASS,
        b"Authentication-Results: \xc2\xa0" + PASS,
        b"Authentication-Results: mx.vendor.example\xc2\xa0; dmarc=pass header.from=vendor.example",
        b"Authentication-Results: mx.vendor.example\xe2\x80\xa8; dmarc=pass header.from=vendor.example",
        b"Authentication-Results: \xff\xfe" + PASS.decode().encode("utf-16-le"),
        b"Authentication-Results: \xfe\xff" + PASS.decode().encode("utf-16-be"),
        b"Authentication-Results: =?utf-8?q?" + PASS.replace(b" ", b"_").replace(b"=", b"=3D") + b"?=",
        b"Authentication-Results\x00: " + PASS,
        b"Authentication\x00-Results: " + PASS,
        b"\xef\xbb\xbfAuthentication-Results: " + PASS,
        b"=?utf-8?q?Authentication-Results?=: " + PASS,
        b"X: y\r\n Authentication-Results: " + PASS,
        b"Subject: a\r\n\r\nAuthentication-Results: " + PASS,
    ],
)
def test_what_only_turns_into_it_is_none(field: bytes) -> None:
    assert trust(field) is Trust.UNAUTHENTICATED
