"""Letters of strangers do nothing and load nothing; files are saved, whatever they say that they are."""

import base64
import re
from email.message import EmailMessage

import pytest
from tests.hostile_mail import IN_HTML
from tests.web.desk_pages import WebOffice, held

from mailflow.testing import DESK
from mailflow.web.letter import cleaned, content_disposition, saved_as

ACTS = re.compile(
    r"<(script|iframe|object|embed|form|input|button|svg|math|link|meta|base|style|video|audio|frame)\b|\son\w+\s*=|"
    r"javascript:|vbscript:|expression\(.*\burl|@import|srcset|xlink",
    re.IGNORECASE,
)
PIXEL = base64.b64encode(b"GIF89a").decode()


@pytest.mark.parametrize("source", IN_HTML)
def test_nothing_that_acts_is_left(source: str) -> None:
    for with_pictures in (False, True):
        left = cleaned(source, {}, with_pictures=with_pictures).html
        assert not ACTS.search(re.sub(r">[^<]*<", "><", left)), left


def test_pictures_of_others_are_not_loaded_and_said_to_be_there() -> None:
    found = cleaned('<img src="https://track.example/p.gif?you" alt="logo">', {}, with_pictures=False)
    assert "track.example" not in found.html and 'alt="logo"' in found.html
    assert found.pictures == ["https://track.example/p.gif?you"]


def test_by_choice_they_are_but_never_in_clear_text() -> None:
    source = '<img src="https://a.example/1.png"><img src="http://b.example/2.png">'
    left = cleaned(source, {}, with_pictures=True).html
    assert "https://a.example/1.png" in left and "b.example" not in left


def test_pictures_that_came_along_are_shown() -> None:
    source = '<img src="cid:logo@x"><img src="cid:other"><img src="data:image/svg+xml;base64,AAAA">'
    left = cleaned(source, {"logo@x": f"data:image/gif;base64,{PIXEL}"}, with_pictures=False).html
    assert left.count("src=") == 1 and PIXEL in left


def test_links_are_listed_with_where_they_lead() -> None:
    source = '<a href="https://evil.example/x">your bank</a><a href="javascript:1">a</a>'
    found = cleaned(source, {}, with_pictures=False)
    assert found.links == ["https://evil.example/x"]


def test_nothing_is_hidden_by_style() -> None:
    left = cleaned('<p style="display:none;position:fixed;color:red">words</p>', {}, with_pictures=False).html
    assert left == '<p style="color:red">words</p>'


def a_mail() -> bytes:
    mail = EmailMessage()
    for name, value in (
        ("From", "ann@partner.example"),
        ("To", DESK),
        ("Subject", "Riddle"),
        ("Message-ID", "<m1@x.example>"),
    ):
        mail[name] = value
    mail.set_content("a riddle")
    mail.add_alternative('<p>a <b>riddle</b></p><script>x</script><img src="https://t.example/a.gif">', subtype="html")
    mail.add_attachment(b"<script>alert(1)</script>", "text", "html", filename="../../evil\u202e.html")
    mail.add_attachment(b"%PDF-1.4", "application", "pdf", filename='Bestellung "Ä".pdf')
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_a_letter_is_a_document_of_its_own_that_can_do_nothing(desk: WebOffice) -> None:
    desk.office.work(a_mail())
    sam, mail = desk.person("sam"), desk.view().mails[0].id
    page = sam.get(f"/mails/{mail}/letter")
    assert "<b>riddle</b>" in page.text and "<script" not in page.text
    assert "Pictures on other servers were not loaded (t.example)" in page.words
    assert page.headers["content-security-policy"] == (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "frame-ancestors 'self'; form-action 'none'; base-uri 'none'"
    )
    assert page.headers["referrer-policy"] == "no-referrer"
    chosen = sam.get(f"/mails/{mail}/letter?images=1")
    assert "img-src data: https:;" in chosen.headers["content-security-policy"]
    assert "Pictures were loaded from t.example" in chosen.words


def test_files_are_saved_under_a_safe_name_and_type(desk: WebOffice) -> None:
    desk.office.work(a_mail())
    sam, mail = desk.person("sam"), desk.view().mails[0]
    assert [one.content_type for one in mail.attachments] == ["text/html", "application/pdf"]
    page, pdf = sam.get(f"/mails/{mail.id}/files/0"), sam.get(f"/mails/{mail.id}/files/1")
    assert page.text == "<script>alert(1)</script>" and page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"].startswith("attachment; filename=")
    assert ".." not in page.headers["content-disposition"] and "/" not in page.headers["content-disposition"]
    assert pdf.headers["content-type"] == "application/pdf"
    assert "filename*=UTF-8''Bestellung%20_%C3%84_.pdf" in pdf.headers["content-disposition"]
    for answer in (page, pdf):
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert sam.get(f"/mails/{mail.id}/files/2").status == 404
    assert "may run something" in sam.get("/threads/1").words


def test_the_raw_mail_is_text_or_a_file(desk: WebOffice) -> None:
    desk.office.work(a_mail())
    sam, mail = desk.person("sam"), desk.view().mails[0].id
    shown, saved = sam.get(f"/mails/{mail}/source"), sam.get(f"/mails/{mail}/source?save=1")
    assert shown.headers["content-type"] == "text/plain; charset=utf-8" and "Message-ID: <m1@x.example>" in shown.text
    assert saved.headers["content-disposition"].startswith('attachment; filename="mail-')


def test_a_mail_without_html_says_so(desk: WebOffice) -> None:
    desk.office.work(held())
    sam = desk.person("sam")
    assert "This mail has no HTML" in sam.get(f"/mails/{desk.view().mails[0].id}/letter").words
    assert sam.get("/mails/99/letter").status == 404


def test_our_own_mail_has_no_source(desk: WebOffice) -> None:
    desk.office.work(held())
    sam = desk.person("sam")
    sam.act("send", desk.view(), desk, markdown="Hello")
    ours = next(mail.id for mail in desk.view().mails if mail.direction == "out")
    assert sam.get(f"/mails/{ours}/source").status == 404


@pytest.mark.parametrize(
    "name", ["a/b", "..", "", "x" * 500, "a\r\nSet-Cookie: y", 'q"uote', "\u202egnp.exe", "日本.pdf", "%00", "a;b"]
)
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    value = content_disposition(name)
    assert value.isascii() and value.isprintable()
    assert re.fullmatch(r"attachment; filename=\"[^\"/\\]+\"; filename\*=UTF-8''[\w%.~!$&'()+,;=@-]+", value), value


def test_only_harmless_types_are_told() -> None:
    assert saved_as("image/svg+xml") == saved_as("text/html") == saved_as("x/y") == "application/octet-stream"
    assert saved_as("application/pdf") == "application/pdf"
