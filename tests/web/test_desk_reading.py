"""What a page shows of words of strangers, of failures and of figures, so that nobody is misled by it."""

from email.message import EmailMessage

import pytest
from tests.services.office import question
from tests.web.desk_pages import WebOffice, drafted, held

from mailflow.adapters.sql.desk import DeskWork
from mailflow.web import queue, words
from mailflow.web.filenames import may_run, saved_name
from mailflow.web.letter import cleaned

TURNED = "invoice\u202efdp.exe"


def test_a_long_subject_is_folded_so_that_the_head_covers_nothing(desk: WebOffice) -> None:
    desk.office.work(question(1, subject="very long " * 900))
    page = desk.person("sam").get("/threads/1").text
    heading = page[page.index("<h1>") : page.index("</h1>")]
    assert len(heading) < 320
    assert "Whole subject" in page
    assert page.index("</h1>") < page.index("Whole subject")
    assert len(page[page.index("<title>") : page.index("</title>")]) < 300
    assert desk.person("sam").get("/queue").text.count("very long") < 30


def test_words_of_strangers_hide_nothing_and_turn_nothing(desk: WebOffice) -> None:
    mail = EmailMessage()
    mail["From"], mail["Message-ID"], mail["Subject"] = "ann@partner1.example", "<b@x.example>", f"About {TURNED}"
    mail.set_content("a riddle")
    mail.add_attachment(b"MZ", maintype="application", subtype="pdf", filename=TURNED)
    desk.office.work(mail.as_bytes())
    page = desk.person("sam").get("/threads/1").text
    assert "\u202e" not in page
    assert "<bdi>About invoice[U+202E]fdp.exe</bdi>" in page
    assert "<bdi>ann@partner1.example</bdi>" in page
    assert "may run something" in page
    assert "</a> <span" in " ".join(page.split()), "a blank before the media type"
    assert "<bdi>About invoice[U+202E]fdp.exe</bdi>" in desk.person("sam").get("/queue").text


@pytest.mark.parametrize(("text", "shown"), [("a\0b", "a[U+0000]b"), ("\u2066x\u2069", "[U+2066]x[U+2069]")])
def test_what_cannot_be_seen_is_shown_as_its_number(text: str, shown: str) -> None:
    assert words.visible(text) == shown
    assert words.theirs(f"<b>{text}") == f"<bdi>&lt;b&gt;{shown}</bdi>"
    assert words.visible("نامه\u200cای 👩\u200d💻") == "نامه\u200cای 👩\u200d💻", "these joiners are spelling"


@pytest.mark.parametrize(
    "name",
    [
        "a.pif",
        "a.VBE",
        "a.reg",
        "a.chm",
        "a.url",
        "a.cpl",
        "a.mhtml",
        "a.vhd",
        "a.xlam",
        "a.exe.",
        "a.exe . ",
        "x/a.js",
    ],
)
def test_a_file_that_may_run_something_is_known_by_the_name_it_is_saved_under(name: str) -> None:
    assert may_run(name)
    assert not saved_name(name).endswith((".", " "))


@pytest.mark.parametrize("name", ["order.pdf", "notes.txt", "", "exe", "picture.png", "table.xlsx"])
def test_other_files_are_not_warned_of(name: str) -> None:
    assert not may_run(name)


def test_a_link_of_a_letter_says_where_it_leads_and_leads_nowhere() -> None:
    found = cleaned('<a href="https://evil.example/?a=1&b=2">your bank</a>', {}, with_pictures=False)
    assert found.html == '<a title="https://evil.example/?a=1&amp;b=2">your bank</a>'
    assert found.links == ["https://evil.example/?a=1&b=2"]


@pytest.mark.parametrize("path", ["/threads/99", "/nothing/here", "/queue/views/x/drop"])
def test_a_failure_keeps_the_way_back(desk: WebOffice, path: str) -> None:
    page = desk.person("sam").get(path)
    assert page.status in (404, 405)
    assert 'href="/numbers"' in page.text and "Sign out" in page.words


def test_who_may_not_do_something_is_told_so_in_words(desk: WebOffice) -> None:
    desk.office.work(held())
    page = desk.person("vera").act("spam", desk.view(), desk)
    assert page.status == 403
    assert "Your account may not do this: its role is viewer." in page.words


def test_the_correction_form_begins_with_what_was_said_last(desk: WebOffice) -> None:
    desk.office.work(drafted())
    sam, mail = desk.person("sam"), desk.view().mails[0].id
    said = {"first": "rebate", "further": "nfr_request", "action": "none", "role": "customer", "why": "read it twice"}
    sam.post(f"/mails/{mail}/correct", said)
    page = sam.get("/threads/1").text
    form = page[page.index('id="correct"') :]
    assert '<option value="rebate" selected>' in form
    assert 'value="nfr_request" checked' in form
    assert 'value="none" required checked' in form
    assert "<option selected>customer" in form
    assert 'value="read it twice"' in form
    assert form.index("It asks for") < form.index("It also asks for") < form.index("What would have been right")


def test_the_text_of_a_canned_reply_is_read_before_it_is_used(desk: WebOffice) -> None:
    desk.office.work(drafted())
    page = desk.person("sam").get("/threads/1/canned").text
    first = page[page.index('<details id="canned-') :]
    assert len(first[first.index("<pre") : first.index("</pre>")]) > 100


def test_a_page_does_not_promise_how_many_follow(desk: WebOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "ROWS", 2)
    desk.office.work(held(1), held(2), held(3))
    assert "Next page" in desk.person("sam").get("/queue").words


def test_of_very_many_names_one_is_typed(desk: WebOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [f"Partner {n}" for n in range(201)]
    values = {"reason": [], "language": [], "partner": many, "assignee": []}
    monkeypatch.setattr(DeskWork, "values_in_queue", lambda _: values)
    page = desk.person("sam").get("/queue?partner=Partner+7").text
    assert '<input name="partner" value="Partner 7"' in page
    assert "Partner 8" not in page


def test_one_is_not_many(desk: WebOffice) -> None:
    desk.office.work(held())
    chosen = f"1.{desk.view().row.version}"
    page = desk.person("lee").post("/queue/bulk", {"action": "no-answer", "chosen": chosen, "in": "box=held"})
    assert "1 thread is done" in page.words
    assert (words.counted(1, "mail"), words.counted(2, "mail")) == ("1 mail", "2 mails")
