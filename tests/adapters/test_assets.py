"""The playbook and the templates as files: what is refused, and that no value can become markup."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailflow.adapters.assets import (
    TemplateRenderer,
    escape_markdown,
    inert_name,
    link_markdown,
    load_links,
    load_playbook,
    load_templates,
    to_text,
)
from mailflow.core.check import Link
from mailflow.core.playbook import Audience
from mailflow.core.ports import AnswerPart
from mailflow.errors import AssetError

DEFAULTS = """\
kill_switch: false
min_confidence: 0.5
min_reply_probability: 0.6
min_ignore_probability: 0.6
max_pathless_doubt: 0.15
max_age_days: 14
silent_intents: []
hold_if: [is_follow_up]
send_budget: {per_thread: 1, per_sender_and_intent_3_hours: 2, per_sender_day: 5, per_domain_hour: 20, desk_hour: 200}
"""

GREETING = """\
intent: greeting
title: Your greeting
description: Says hello.
in_scope: true
rules: [R5]
audiences:
  external: {action: send, template: greeting.external, rules: [R5]}
  internal: {action: never}
queue: general
"""

ANSWER = """\
Hello{% if greeting_name %} {{ greeting_name }}{% endif %},

{% for section in sections %}
## {{ section.title }}

{{ section.body }}

{% endfor %}
"""

PART = AnswerPart("greeting", Audience.EXTERNAL, "greeting.external")
LINKS = {
    "portal": Link(label="Partner Portal", url="https://portal.example/English/", rules=("R26",), audience="both"),
    "guide": Link(
        label="Guide", url="https://portal.example/a?id=1", rules=("R34",), audience="both", login_required=True
    ),
    "desk": Link(label="desk@desk.example", url="mailto:desk@desk.example", rules=("R24",), audience="both"),
    "tab": Link(label="Support", rules=("R71",), audience="both"),
    "handle": Link(label="@partner operations", rules=("R9",), audience="internal"),
}


@pytest.fixture
def classifiers(tmp_path: Path) -> Path:
    root = tmp_path / "classifiers"
    (root / "intents").mkdir(parents=True)
    (root / "intents" / "_defaults.yaml").write_text(DEFAULTS)
    (root / "intents" / "greeting.yaml").write_text(GREETING)
    (root / "links.yaml").write_text(
        "portal: {label: Portal, url: 'https://p.example/', rules: [R26], audience: both}\n"
    )
    return root


def renderer(folder: Path, **templates: str) -> TemplateRenderer:
    """A renderer of the templates given by name without suffix; `greeting_external` is `greeting.external`."""
    folder.mkdir(exist_ok=True)
    sources = {"_answer": ANSWER, "greeting_external": "Good day."} | templates
    for name, source in sources.items():
        file = name if name.startswith("_") else name.replace("_", ".")
        (folder / f"{file}.md.j2").write_text(source)
    return TemplateRenderer(folder, LINKS, {"greeting": "Your greeting"})


# --- loading ----------------------------------------------------------------------------------------------------------


def test_the_playbook_is_read_by_file_name(classifiers: Path) -> None:
    playbook = load_playbook(classifiers)
    assert list(playbook.intents) == ["greeting"]
    assert playbook.intents["greeting"].audiences[Audience.EXTERNAL].template == "greeting.external"
    assert playbook.defaults.send_budget.per_domain_hour == 20


@pytest.mark.parametrize("file", ["intents/greeting.yaml", "intents/_defaults.yaml", "links.yaml"])
def test_any_changed_byte_changes_the_version(classifiers: Path, file: str) -> None:
    before = load_playbook(classifiers).version
    assert load_playbook(classifiers).version == before
    path = classifiers / file
    path.write_text(path.read_text() + "# a comment\n")
    after = load_playbook(classifiers).version
    assert len(before) == len(after) == 12
    assert after != before


def rewrite(file: str, old: str, new: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


REFUSED: list[tuple[str, Callable[[Path], None], list[str]]] = [
    (
        "unknown key",
        rewrite("intents/greeting.yaml", "{action: send,", "{acton: send,"),
        ["greeting.yaml", "audiences.external.acton is not a known key", "did you mean `action`?"],
    ),
    (
        "unknown key without a likeness",
        rewrite("intents/greeting.yaml", "queue:", "zzzz: 1\nqueue:"),
        ["zzzz is not a known key", "remove it"],
    ),
    ("missing key", rewrite("intents/greeting.yaml", "queue: general", ""), ["queue is missing", "add it"]),
    (
        "unknown action",
        rewrite("intents/greeting.yaml", "action: send", "action: sned"),
        ["'send', 'draft' or 'never'"],
    ),
    (
        "no rule number",
        rewrite("intents/greeting.yaml", "rules: [R5]", "rules: [rule 5]"),
        ["rules.0", "mend the value"],
    ),
    ("file and intent differ", rewrite("intents/greeting.yaml", "intent: greeting", "intent: hello"), ["`hello`"]),
    (
        "a key twice",
        rewrite("intents/greeting.yaml", "queue:", "title: Other\nqueue:"),
        ["`title` stands twice", "line"],
    ),
    ("not YAML", rewrite("intents/greeting.yaml", "title: Your", "title: [Your"), ["is not valid YAML", "line"]),
    ("probability over 1", rewrite("intents/_defaults.yaml", "0.5", "1.5"), ["_defaults.yaml", "min_confidence"]),
    ("not UTF-8", lambda root: bad_bytes(root / "intents" / "greeting.yaml"), ["is not UTF-8"]),
    ("no defaults", lambda root: (root / "intents" / "_defaults.yaml").unlink(), ["_defaults.yaml", "cannot be read"]),
    ("no intents", lambda root: (root / "intents" / "greeting.yaml").unlink(), ["no intent is here"]),
]


def bad_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"# \xff\n")


@pytest.mark.parametrize(("change", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_bad_playbook_is_refused_with_a_helpful_sentence(
    classifiers: Path, change: Callable[[Path], None], expected: list[str]
) -> None:
    change(classifiers)
    with pytest.raises(AssetError) as caught:
        load_playbook(classifiers)
    for words in expected:
        assert words in str(caught.value)


@pytest.mark.parametrize("url", ["http://plain.example/", "javascript:alert(1)", "https://two words.example/"])
def test_links_are_https_or_mailto(classifiers: Path, url: str) -> None:
    (classifiers / "links.yaml").write_text(f"bad: {{label: Bad, url: '{url}', rules: [R26], audience: both}}\n")
    with pytest.raises(AssetError, match=r"bad\.url"):
        load_links(classifiers)


def test_links_are_read_by_name(classifiers: Path) -> None:
    assert load_links(classifiers)["portal"].url == "https://p.example/"


def test_templates_need_the_answer_template(tmp_path: Path) -> None:
    (tmp_path / "greeting.external.md.j2").write_text("Hi.")
    with pytest.raises(AssetError, match=r"_answer\.md\.j2"):
        load_templates(tmp_path)


# --- rendering --------------------------------------------------------------------------------------------------------


def test_text_and_html_say_the_same(tmp_path: Path) -> None:
    source = (
        "Steps:\n\n1. Open the {{ links.tab }} tab\n2. See the {{ links.guide }}\n\n- **Bold** and *soft*\n"
        "- {{ links.portal }}\n\nWrite to {{ links.desk }}\\\nor to\n{{ links.handle }}"
    )
    answer = renderer(tmp_path, greeting_external=source).render([PART], greeting_name="Ana", subject="Hi")
    assert answer.text == (
        "Hello Ana,\n\nYour greeting\n-------------\n\nSteps:\n\n"
        '1. Open the "Support" tab\n2. See the Guide: https://portal.example/a?id=1 (portal login required)\n\n'
        "- Bold and soft\n- Partner Portal: https://portal.example/English/\n\n"
        "Write to desk@desk.example\nor to @partner operations\n"
    )
    assert '<a href="https://portal.example/a?id=1">Guide</a> (portal login required)' in answer.html
    assert '<a href="mailto:desk@desk.example">desk@desk.example</a>' in answer.html
    assert "<li>Open the &quot;<strong>Support</strong>&quot; tab</li>" in answer.html
    assert '<html lang="en">' in answer.html


def test_an_ordered_list_goes_on_where_it_says(tmp_path: Path) -> None:
    assert to_text("3. three\n4. four\n   - nested\n") == "3. three\n4. four\n   - nested\n"


def test_sections_stand_in_the_order_given(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    renderer(folder, other_external="Second thing.")
    both = TemplateRenderer(folder, LINKS, {"greeting": "First heading", "other": "Second heading"})
    other = AnswerPart("other", Audience.EXTERNAL, "other.external")
    text = both.render([other, PART], greeting_name="", subject="").text
    places = [text.index(words) for words in ("Second heading", "Second thing.", "First heading", "Good day.")]
    assert places == sorted(places)


def test_an_answer_has_one_audience_d1(tmp_path: Path) -> None:
    internal = AnswerPart("greeting", Audience.INTERNAL, "greeting.external")
    with pytest.raises(AssetError, match="one audience"):
        renderer(tmp_path).render([PART, internal], greeting_name="", subject="")
    with pytest.raises(AssetError, match="one audience"):
        renderer(tmp_path).render([], greeting_name="", subject="")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ links.nowhere }}", "nowhere"),
        ("{{ greting_name }}", "greting_name"),
        ('{{ "".__class__.__mro__ }}', "unsafe"),
        ('{% include "_missing.md.j2" %}', "_missing"),
    ],
    ids=["unknown link", "unknown value", "sandbox", "unknown partial"],
)
def test_an_unknown_or_unsafe_name_is_an_error_not_an_empty_word(tmp_path: Path, source: str, expected: str) -> None:
    with pytest.raises(AssetError, match=expected) as caught:
        renderer(tmp_path, greeting_external=source).render([PART], greeting_name="", subject="")
    assert "greeting.external.md.j2" in str(caught.value)


def test_a_template_that_does_not_compile_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"greeting\.external\.md\.j2, line 2"):
        renderer(tmp_path, greeting_external="one\n{% if %}")


def test_unknown_templates_and_intents_are_asset_errors(tmp_path: Path) -> None:
    desk = renderer(tmp_path)
    with pytest.raises(AssetError, match=r"nothing\.external\.md\.j2"):
        desk.render([AnswerPart("greeting", Audience.EXTERNAL, "nothing.external")], greeting_name="", subject="")
    with pytest.raises(AssetError, match="`farewell` has no title"):
        desk.render([AnswerPart("farewell", Audience.EXTERNAL, "greeting.external")], greeting_name="", subject="")


@pytest.mark.parametrize("source", ["> quoted", "```\ncode\n```", "a `b` c"])
def test_markdown_without_a_plain_form_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(AssetError, match="has no plain-text form"):
        renderer(tmp_path, greeting_external=source).render([PART], greeting_name="", subject="")


def test_html_in_a_template_and_remote_pictures_stay_text(tmp_path: Path) -> None:
    source = "<img src=x> ![pixel](https://track.example/p.png) <script>x</script>"
    html = renderer(tmp_path, greeting_external=source).render([PART], greeting_name="", subject="").html
    assert "<img" not in html
    assert "<script" not in html


def test_the_renderer_has_a_version_that_changes_with_a_template(tmp_path: Path) -> None:
    before = renderer(tmp_path).version
    assert renderer(tmp_path).version == before
    assert renderer(tmp_path, greeting_external="Good evening.").version != before


# --- hostile values ---------------------------------------------------------------------------------------------------

NAMES = {
    "Ana Pérez": "Ana Pérez",
    "  Jean-Luc   O’Neil Jr. ": "Jean-Luc O’Neil Jr.",
    "J.R. Smith": "J.R. Smith",
    "王小明": "王小明",
    "Žofie D'Arc": "Žofie D'Arc",
    "Zoe\u0308": "Zoë",
}

HOSTILE_NAMES = [
    "",
    "   ",
    "<script>alert(1)</script>",
    "[click](https://evil.example)",
    "![x](https://evil.example/p.png)",
    "www.evil.example",
    "evil.example",
    "https://evil.example",
    "Ana ana@evil.example",
    "{{ links }}",
    "{% raw %}",
    "**bold**",
    "# Heading",
    "Ana & Bob",
    "Ana\u202eevil",
    "Ana\u200bBob",
    "Ana\x00",
    "-- Ana",
    "`Ana`",
    "Ana 007",
    "A" * 61,
    "one two three four five six seven",
]


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
def test_a_name_of_a_person_is_kept(name: str, expected: str) -> None:
    assert inert_name(name) == expected


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_leaves_the_greeting_without_one(tmp_path: Path, name: str) -> None:
    desk = renderer(tmp_path)
    assert desk.render([PART], greeting_name=name, subject="s") == desk.render([PART], greeting_name="", subject="s")


def test_every_value_is_escaped_whoever_passes_it(tmp_path: Path) -> None:
    renderer(tmp_path)
    titled = TemplateRenderer(tmp_path, LINKS, {"greeting": "*Bold* & <b>[x](https://evil.example)</b>"})
    answer = titled.render([PART], greeting_name="", subject="")
    assert "*Bold* & <b>[x](https://evil.example)</b>\n---" in answer.text
    assert "<h2>*Bold* &amp; &lt;b&gt;[x](https://evil.example)&lt;/b&gt;</h2>" in answer.html


def test_a_line_break_in_a_name_cannot_start_a_new_line(tmp_path: Path) -> None:
    answer = renderer(tmp_path).render([PART], greeting_name="Ana\r\nBcc Bob", subject="")
    assert answer.text.splitlines()[0] == "Hello Ana Bcc Bob,"


class _Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, object]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append((tag, attrs))


@given(name=st.text(max_size=80), subject=st.text(max_size=80))
def test_no_name_and_no_subject_adds_a_tag_or_a_line(
    tmp_path_factory: pytest.TempPathFactory, name: str, subject: str
) -> None:
    desk = renderer(tmp_path_factory.getbasetemp() / "hostile")
    plain = desk.render([PART], greeting_name="", subject="")
    hostile = desk.render([PART], greeting_name=name, subject=subject)
    assert _Tags(hostile.html).seen == _Tags(plain.html).seen
    assert hostile.text.split("\n")[1:] == plain.text.split("\n")[1:]


PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


@given(PRINTABLE)
@example("&amp; &#60;b&#62; <b>*x*</b> `c` [l](https://x.example) ![i](u)")
@example("1. one")
@example("- one")
@example("# one")
def test_escaped_text_reads_as_it_was_written(value: str) -> None:
    """CommonMark 2.4: whatever the characters, they are shown and never obeyed."""
    assert to_text(escape_markdown(value)) == " ".join(value.split()) + "\n"


@given(PRINTABLE.filter(str.strip))
def test_the_label_of_a_link_cannot_break_out_of_it(label: str) -> None:
    link = Link(label=label, url="https://portal.example/x", rules=("R26",), audience="both")
    shown = " ".join(label.split())
    assert to_text(link_markdown(link)) in (f"{shown}: {link.url}\n", f"{link.url}\n")
