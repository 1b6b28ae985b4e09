"""Which parts are the text, which are attachments, and what HTML says (RFC 2045-2049, 2183, 2387, 3676)."""

import base64
import binascii
import hashlib
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.message import join_spans
from mailflow.reading.body import read_body
from mailflow.reading.html_text import MAX_HTML, html_text
from mailflow.reading.mime_tree import Part, mime_tree
from mailflow.reading.transfer import decoded
from mailflow.reading.uuencode import without_uuencoded


def part(body: str, content_type: str = "text/plain", *fields: str) -> str:
    return "\n".join((f"Content-Type: {content_type}", *fields, "", body))


def multipart(kind: str, *parts: str, boundary: str = "b") -> str:
    inner = "".join(f"--{boundary}\n{each}\n" for each in parts)
    return f"Content-Type: multipart/{kind}; boundary={boundary}\n\n{inner}--{boundary}--\n"


def tree(source: str) -> Part:
    return mime_tree(source.encode())[0]


ALTERNATIVES = [
    ((part("plain words"), part("<p>html words</p>", "text/html")), "plain words"),
    ((part("<p>html words</p>", "text/html"), part("plain words")), "plain words"),
    ((part("  \n"), part("<p>html words</p>", "text/html")), "html words"),
    ((part("***"), part("<p>html words</p>", "text/html")), "html words"),
    ((part("plain words"), part("<p></p>", "text/html")), "plain words"),
    ((part("AMP", "text/x-amp-html"), part("<p>html words</p>", "text/html")), "html words"),
]


@pytest.mark.parametrize(("parts", "expected"), ALTERNATIVES)
def test_of_alternatives_the_plain_text_is_read_if_it_says_something(parts: tuple[str, ...], expected: str) -> None:
    assert read_body(tree(multipart("alternative", *parts))).text == expected


@pytest.mark.parametrize(
    ("fields", "content_type", "is_attachment"),
    [
        ((), "text/plain", False),
        (("Content-Disposition: inline",), "text/plain", False),
        (("Content-Disposition: attachment",), "text/plain", True),
        (("Content-Disposition: inline; filename=a.txt",), "text/plain", True),
        ((), "text/plain; name=a.txt", True),
        ((), "text/csv", True),
        ((), "text/x-unknown", False),
        ((), "image/png", True),
        ((), "application/octet-stream", True),
    ],
)
def test_what_is_body_and_what_is_attachment(fields: tuple[str, ...], content_type: str, is_attachment: bool) -> None:
    body = read_body(tree(multipart("mixed", part("first"), part("second", content_type, *fields))))
    assert len(body.attachments) == int(is_attachment)
    assert body.text == ("first" if is_attachment else "first\n\nsecond")


NAMED = "Content-Disposition: inline; filename=text_0.txt"


def test_a_named_text_that_comes_first_is_the_body() -> None:
    """RFC 8621, 4.1.4; phones name every part."""
    body = read_body(tree(multipart("mixed", part("words", "text/plain", NAMED), part("x", "image/png"))))
    assert (body.text, [item.content_type for item in body.attachments]) == ("words", ["image/png"])


def test_texts_between_pictures_are_the_body_named_or_not() -> None:
    picture = part("x", "image/jpeg", "Content-Disposition: inline; filename=a.jpg")
    parts = (part("one"), picture, part("two", "text/plain", NAMED), picture, part("three", "text/plain; name=t"))
    body = read_body(tree(multipart("mixed", *parts)))
    assert (body.text, len(body.attachments)) == ("one\n\ntwo\n\nthree", 2)


def test_a_named_text_behind_an_attached_picture_is_an_attachment() -> None:
    picture = part("x", "image/jpeg", "Content-Disposition: attachment; filename=a.jpg")
    body = read_body(tree(multipart("mixed", part("one"), picture, part("two", "text/plain", NAMED))))
    assert (body.text, [item.filename for item in body.attachments]) == ("one", ["a.jpg", "text_0.txt"])


def test_all_named_texts_are_the_body_if_there_is_no_other() -> None:
    picture = part("x", "image/jpeg", "Content-Disposition: attachment; filename=a.jpg")
    named = (part("one", "text/plain; name=a.txt"), picture, part("two", "text/plain; name=b.txt"))
    body = read_body(tree(multipart("mixed", picture, *named)))
    assert (body.text, len(body.attachments)) == ("one\n\ntwo", 4)


def test_an_attached_text_is_never_the_body() -> None:
    attached = part("log", "text/plain", "Content-Disposition: attachment; filename=a.log")
    assert read_body(tree(multipart("mixed", part(" "), attached))).text == ""


def test_of_related_parts_the_root_is_the_body() -> None:
    """RFC 2387: `start` names it, else it is the first; the rest belongs to it."""
    root = part("<p>root</p>", "text/html", "Content-ID: <r@x>")
    style = part("p{}", "text/plain", "Content-ID: <s@x>")
    first = multipart("related", root, style)
    second = multipart("related", style, root).replace("boundary=b", 'boundary=b; start="<r@x>"', 1)
    for source in (first, second):
        body = read_body(tree(source))
        assert (body.text, [item.content_type for item in body.attachments]) == ("root", ["text/plain"])


def test_a_nested_message_is_one_attachment_and_not_our_text() -> None:
    """Its own text and its own attachments belong to somebody else."""
    inner = "Subject: Q3 numbers\n" + multipart(
        "mixed", part("inner"), part("x", "image/png; name=i.png"), boundary="c"
    )
    body = read_body(tree(multipart("mixed", part("outer"), part(inner, "message/rfc822"))))
    assert body.text == "outer"
    assert [(item.filename, item.content_type) for item in body.attachments] == [("Q3 numbers.eml", "message/rfc822")]


def test_a_nested_message_keeps_its_octets() -> None:
    inner = "Subject: s\nX-Odd:   spaced\n\nGrüße\n"
    body = read_body(tree(multipart("mixed", part("outer"), part(inner, "message/rfc822"))))
    item = body.attachments[0]
    assert (item.size, item.sha256) == (len(inner.encode()), hashlib.sha256(inner.encode()).hexdigest())


def test_an_image_that_the_html_shows_is_inline() -> None:
    """RFC 2392: `cid:` in the HTML names the Content-ID of the part."""
    shown = part("x", "image/png", "Content-ID: <logo@x.example>", "Content-Disposition: attachment; filename=l.png")
    other = part("y", "image/png", "Content-ID: <other@x.example>", "Content-Disposition: attachment; filename=o.png")
    html = part('<p>See <img src="cid:logo@x.example"></p>', "text/html")
    body = read_body(tree(multipart("related", html, shown, other)))
    assert [(item.filename, item.is_inline) for item in body.attachments] == [("l.png", True), ("o.png", False)]


def test_an_attachment_is_known_by_its_hash() -> None:
    data = bytes(range(256)) * 10
    encoded = base64.encodebytes(data).decode()
    source = multipart("mixed", part(encoded, "application/pdf; name=a.pdf", "Content-Transfer-Encoding: base64"))
    item = read_body(tree(source)).attachments[0]
    assert (item.size, item.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_wrong_boundaries_inside_wrong_boundaries_come_to_an_end() -> None:
    """What is read anew may be wrong anew; a mail cannot keep us at it."""
    levels = "".join(f"--x{level}\nContent-Type: multipart/mixed; boundary=b\n\n" for level in range(500))
    body = read_body(tree(f"Content-Type: multipart/mixed; boundary=b\n\n{levels}words"))
    assert body.text.endswith("words")
    assert "broken_multipart" in {defect.code for defect in body.defects}


def test_a_likely_boundary_that_cannot_be_named_in_a_header_is_none() -> None:
    body = read_body(tree('Content-Type: multipart/mixed; boundary=b\n\n--x"y\nContent-Type: text/plain\n\nwords'))
    assert body.text.endswith("words")


# ---- transfer encodings -------------------------------------------------------------------------------------


@given(st.binary(max_size=500))
def test_base64_round_trip(data: bytes) -> None:
    assert decoded(base64.encodebytes(data), "base64") == data


@given(st.binary(max_size=300))
def test_base64_is_total(data: bytes) -> None:
    assert isinstance(decoded(data, "base64"), bytes)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"aGVsbG8=\r\naGVsbG8=", b"hellohello"),
        (b"aGVs*bG8=", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"aGVsbG8=\r\n--\r\nlist footer", b"hello"),
        (b"_-8=", b"\xff\xef"),
        (b"These words were never encoded.", b"These words were never encoded."),
        ("Größe".encode(), "Größe".encode()),
    ],
)
def test_damaged_base64(data: bytes, expected: bytes) -> None:
    """In pieces, with a stray mark, without padding, with a footer, of the other alphabet, none at all."""
    assert decoded(data, "base64") == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a=\r\nb", b"ab"),
        (b"a= \r\nb=\t\nc", b"abc"),
        (b"a=3Db =3d", b"a=b ="),
        (b"a=ZZ b=", b"a=ZZ b"),
        (b"a = b", b"a = b"),
    ],
)
def test_damaged_quoted_printable(data: bytes, expected: bytes) -> None:
    assert decoded(data, "quoted-printable") == expected


@pytest.mark.parametrize("name", ["base64", "BASE64", " base64 ", "base64;", '"base64"'])
def test_careless_names_of_transfer_encodings(name: str) -> None:
    assert tree(f"Content-Transfer-Encoding: {name}\n\naGVsbG8=\n").unpacked() == b"hello"


@given(st.binary(max_size=300))
def test_decoding_agrees_with_the_standard_library_on_regular_mail(data: bytes) -> None:
    """Oracle: email.message, for quoted-printable as it should be."""
    encoded = binascii.b2a_qp(data, quotetabs=True)
    source = b"Content-Transfer-Encoding: quoted-printable\n\n" + encoded
    assert decoded(encoded, "quoted-printable") == message_from_bytes(source).get_payload(decode=True)


@given(st.binary(min_size=1, max_size=200))
def test_uuencoded_files_are_taken_out_of_the_text(data: bytes) -> None:
    lines = [binascii.b2a_uu(data[at : at + 45]).decode() for at in range(0, len(data), 45)]
    text, files = without_uuencoded("before\nbegin 644 a.bin\n" + "".join(lines) + "`\nend\nafter")
    assert (text, files) == ("before\nafter", [("a.bin", data)])


@pytest.mark.parametrize("text", ["begin 644 x", "begin 644 x\nno uu line, lower case\nend", "begin again\nend"])
def test_words_that_look_like_uuencode_stay(text: str) -> None:
    assert without_uuencoded(text) == (text, [])


# ---- HTML ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("a<b>b</b>c", "abc"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<p class=MsoNormal>one</p><p class=MsoNormal>two</p>", "one\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<div><div><div>one</div></div></div>two", "one\ntwo"),
        ("one<br>two<br><br>three", "one\ntwo\n\nthree"),
        ("one \n\t two", "one two"),
        ("<td>a</td>", "a"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<ol><li>a</li><li>b</li></ol>", "- a\n- b"),
        ("<script>x()</script><style>p{}</style><title>t</title>text", "text"),
        ("<!-- note -->text<!--[if mso]>office<![endif]-->", "text"),
        ('<span style="DISPLAY : none">preheader</span>text', "text"),
        ("<p hidden>no</p><p style='visibility:hidden'>no</p><p style='opacity:0'>no</p>text", "text"),
        ("<div style='max-height:0;overflow:hidden'>no</div><div style='overflow:hidden;max-height:0'>no</div>x", "x"),
        ("<p style='opacity:0.8;max-height:0.5em;overflow:hidden'>text</p>", "text"),
        ("<p>text</p>&#847;&zwnj;&nbsp;&#847; &#8203;", "text"),
        ("<p>one</p><p class=MsoNormal>&nbsp;</p><p class=MsoNormal>two</p>", "one\n\n\u00a0\ntwo"),
        ("&Uuml;ber &amp; &lt;unter&gt; &#8364;", "Über & <unter> €"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<a href='https://x.example'>link</a>", "link"),
        ("<?xml version='1.0'?><html><body>x</body></html>", "x"),
        ("<o:p>office</o:p>", "office"),
        ("", ""),
        ("<", "<"),
    ],
)
def test_html_reads_as_a_person_sees_it(html: str, expected: str) -> None:
    assert html_text(html).text == expected


QUOTES = [
    ("new<blockquote>old</blockquote>", "old"),
    ('new<blockquote type="cite" style="border:none">old</blockquote>', "old"),
    ('new<blockquote style="margin:0 0 0 40px;border:none;padding:0">indented</blockquote>', ""),
    ('new<div class="gmail_attr">On Monday X wrote:</div><blockquote>old</blockquote>', "On Monday X wrote:\nold"),
    ('new<div class="moz-cite-prefix">Am Montag:</div>', "Am Montag:"),
    ("new<blockquote>a<blockquote>b</blockquote>c</blockquote>after", "a\n\nb\n\nc"),
    ("new<blockquote>never closed", "never closed"),
]


@pytest.mark.parametrize(("html", "quoted"), QUOTES)
def test_quotes_in_html_are_remembered(html: str, quoted: str) -> None:
    read = html_text(html)
    assert join_spans(read.text, read.quoted) == quoted


@given(st.text(alphabet="<>/=\"' abpdivblockquotestyle&;\n", max_size=300))
def test_html_text_is_total(html: str) -> None:
    read = html_text(html)
    assert all(0 <= span.start < span.end <= len(read.text) for span in read.quoted)


def test_html_is_capped() -> None:
    assert len(html_text("word " * MAX_HTML).text) <= MAX_HTML


def test_absurd_nesting_loses_its_tags_and_not_its_words() -> None:
    assert html_text("<div>" * 5_000 + "word" + "</div>" * 5_000).text.split() == ["word"]
