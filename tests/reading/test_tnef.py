"""winmail.dat unpacked (MS-OXTNEF): names, octets and bodies, and that no count in it is believed."""

import struct
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.reading.attachment import measured
from mailflow.reading.tnef import MAX_VALUE, Tnef, unpack

RENDERING, TITLE, DATA, ATTACHMENT = 0x9002, 0x8010, 0x800F, 0x9005
MESSAGE, BODY, CODE_PAGE = 0x9003, 0x800C, 0x9007
LONG_NAME, MIME_TYPE, CONTENT_ID, ATTACHED_DATA = 0x3707, 0x370E, 0x3712, 0x3701
TEXT, RICH_TEXT, HTML, INTERNET_PAGE = 0x1000, 0x1009, 0x1013, 0x3FDE


def unpacked(data: bytes, size: int = 7) -> Tnef | None:
    """As the transfer decoder hands it over: in pieces."""
    return unpack(data[at : at + size] for at in range(0, len(data), size))


def attribute(identifier: int, value: bytes) -> bytes:
    return struct.pack("<BHHI", 2, identifier, 6, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def tnef(*attributes: bytes) -> bytes:
    return b"\x78\x9f\x3e\x22\x01\x00" + b"".join(attributes)


def one(tag: int, value: str | bytes | int, kind: int | None = None) -> bytes:
    """A property: text as Unicode, octets as binary, a number as a long integer."""
    if isinstance(value, int):
        return struct.pack("<HHI", 0x0003, tag, value)
    octets = value.encode("utf-16-le") + b"\0\0" if isinstance(value, str) else value
    head = struct.pack("<HHII", kind or (0x001F if isinstance(value, str) else 0x0102), tag, 1, len(octets))
    return head + octets + bytes(-len(octets) % 4)


def properties(*each: bytes) -> bytes:
    return struct.pack("<I", len(each)) + b"".join(each)


def test_files_have_their_names_octets_and_types() -> None:
    named = properties(one(LONG_NAME, "price list für Köln.pdf"), one(MIME_TYPE, "application/pdf"))
    packed = tnef(
        attribute(RENDERING, b""),
        attribute(TITLE, b"PRICEL~1.PDF\0"),
        attribute(DATA, b"%PDF\0\0\0"),
        attribute(ATTACHMENT, named),
        attribute(RENDERING, b""),
        attribute(TITLE, "Größe.txt".encode("cp1252") + b"\0"),
        attribute(DATA, b"two"),
    )
    read = unpacked(packed)
    assert read is not None
    assert [(file.filename, file.content_type, file.content) for file in read.files] == [
        ("price list für Köln.pdf", "application/pdf", measured([b"%PDF\0\0\0"])),
        ("Größe.txt", "", measured([b"two"])),
    ]


def test_a_picture_keeps_its_content_id_and_an_object_loses_its_interface() -> None:
    named = properties(one(CONTENT_ID, "<logo@x>"), one(ATTACHED_DATA, bytes(16) + b"OLE\0", 0x000D))
    read = unpacked(tnef(attribute(RENDERING, b""), attribute(ATTACHMENT, named)))
    assert read is not None
    assert [(file.content_id, file.content) for file in read.files] == [("logo@x", measured([b"OLE\0"]))]


RTF = b"{\\rtf1\\ansi\\ansicpg1252 Hello \\'fc\\par again}"
BODIES: list[tuple[tuple[bytes, ...], str, str]] = [
    ((attribute(BODY, "Grüße\r\n".encode("cp1252") + b"\0"),), "Grüße\r\n", ""),
    ((attribute(CODE_PAGE, struct.pack("<I", 1251)), attribute(BODY, "Привет".encode("cp1251"))), "Привет", ""),
    ((attribute(MESSAGE, properties(one(TEXT, "Grüße"))),), "Grüße", ""),
    ((attribute(MESSAGE, properties(one(INTERNET_PAGE, 65001), one(HTML, "<p>ü</p>".encode()))),), "", "<p>ü</p>"),
    (
        (
            attribute(
                MESSAGE,
                properties(one(RICH_TEXT, struct.pack("<II4sI", len(RTF) + 12, len(RTF), b"MELA", 0) + RTF)),
            ),
        ),
        "Hello ü\nagain",
        "",
    ),
]


@pytest.mark.parametrize(("attributes", "text", "html"), BODIES)
def test_the_body_is_plain_text_html_or_rich_text(attributes: tuple[bytes, ...], text: str, html: str) -> None:
    read = unpacked(tnef(*attributes))
    assert read is not None
    assert (read.text, read.html) == (text, html)


def test_named_and_multiple_properties_are_stepped_over() -> None:
    by_number = struct.pack("<HH16sII", 0x0003, 0x8001, bytes(16), 0, 7) + struct.pack("<I", 42)
    name = "odd".encode("utf-16-le") + b"\0\0"
    by_name = struct.pack("<HH16sII", 0x000B, 0x8002, bytes(16), 1, len(name)) + name + bytes(-len(name) % 4)
    several = struct.pack("<HHI", 0x1003, 0x0E1F, 2) + struct.pack("<II", 1, 2)
    read = unpacked(
        tnef(attribute(MESSAGE, properties(by_number, by_name + struct.pack("<I", 1), several, one(TEXT, "x"))))
    )
    assert read is not None
    assert read.text == "x"


HUGE = 0xFFFF_FFFF
HOSTILE = {
    "count of properties": struct.pack("<I", HUGE),
    "count of values": struct.pack("<IHHI", 1, 0x1003, 0x1000, HUGE),
    "count of texts": struct.pack("<IHHI", 1, 0x101F, 0x1000, HUGE),
    "length of a text": struct.pack("<IHHII", 1, 0x001F, 0x1000, 1, HUGE),
    "length of a name": struct.pack("<IHH16sII", 1, 0x001F, 0x8000, bytes(16), 1, HUGE),
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_count_is_believed(value: bytes) -> None:
    """Four thousand million values in thirty octets: the answer comes, and with nothing in it."""
    read = unpacked(tnef(attribute(MESSAGE, value), attribute(RENDERING, b""), attribute(ATTACHMENT, value)))
    assert read is not None
    assert (read.text, read.html, read.files[0].content) == ("", "", measured([]))


def test_of_a_damaged_file_the_start_is_read() -> None:
    whole = tnef(attribute(RENDERING, b""), attribute(TITLE, b"a.txt\0"), attribute(DATA, b"x" * 100))
    read = unpacked(whole[:-50])
    assert read is not None
    assert [(file.filename, file.content.size) for file in read.files] == [("a.txt", 52)]


def test_a_large_file_passes_by_and_only_that_is_no_loss() -> None:
    large = bytes(range(256)) * (MAX_VALUE // 256) + b"the end"
    properties_too_large = properties(one(LONG_NAME, "a.bin"), one(ATTACHED_DATA, large, 0x000D))
    behind = (attribute(RENDERING, b""), attribute(TITLE, b"b.txt\0"), attribute(DATA, b"two"))
    whole = unpacked(tnef(attribute(RENDERING, b""), attribute(DATA, large), *behind), MAX_VALUE // 3)
    cut = unpacked(tnef(attribute(RENDERING, b""), attribute(ATTACHMENT, properties_too_large), *behind), 1 << 20)
    assert whole is not None
    assert cut is not None
    assert [file.content for file in whole.files] == [measured([large]), measured([b"two"])]
    assert (whole.is_cut, cut.is_cut) == (False, True)
    assert [file.filename for file in cut.files] == ["a.bin", "b.txt"]


@given(st.binary(max_size=80))
def test_what_is_no_tnef_is_none(data: bytes) -> None:
    assert (unpacked(data) is None) == (data[:4] != b"\x78\x9f\x3e\x22")


@given(st.lists(st.one_of(st.sampled_from(list(chain(HOSTILE.values()))), st.binary(max_size=40)), max_size=6))
def test_unpacking_is_total(values: list[bytes]) -> None:
    identifiers = (MESSAGE, RENDERING, ATTACHMENT, TITLE, BODY, CODE_PAGE)
    attributes = (attribute(identifier, value) for identifier, value in zip(identifiers, values, strict=False))
    assert unpacked(tnef(*attributes)) is not None
