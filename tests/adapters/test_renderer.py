"""Answers: that text and HTML say the same, in one language, and that no value can become markup."""

from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailflow.adapters.assets import Words
from mailflow.adapters.markdown_text import to_text
from mailflow.adapters.renderer import TemplateRenderer, escape_markdown, inert_name, link_markdown
from mailflow.core.check import Link
from mailflow.core.playbook import Audience
from mailflow.core.ports import AnswerPart, Closing, Letter
from mailflow.errors import AssetError

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


def words(**titles: str) -> Words:
    return Words("portal login required", titles, {"seats": "the number of users"})


def renderer(folder: Path, languages: Sequence[str] = (), **templates: str) -> TemplateRenderer:
    """A renderer of the templates given by name without suffix; `greeting_external` is `greeting.external`."""
    folder.mkdir(exist_ok=True)
    sources = {"_answer": ANSWER, "greeting_external": "Good day."} | templates
    for name, source in sources.items():
        file = name if name.startswith("_") else name.replace("_", ".")
        (folder / f"{file}.md.j2").write_text(source)
    return TemplateRenderer(folder, LINKS, words(greeting="Your greeting"), languages)


# --- rendering --------------------------------------------------------------------------------------------------------


def test_text_and_html_say_the_same(tmp_path: Path) -> None:
    source = (
        "Steps:\n\n1. Open the {{ links.tab }} tab\n2. See the {{ links.guide }}\n\n- **Bold** and *soft*\n"
        "- {{ links.portal }}\n\nWrite to {{ links.desk }}\\\nor to\n{{ links.handle }}"
    )
    answer = renderer(tmp_path, greeting_external=source).render(Letter((PART,), "Ana", "Hi"))
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
    both = TemplateRenderer(folder, LINKS, words(greeting="First heading", other="Second heading"))
    other = AnswerPart("other", Audience.EXTERNAL, "other.external")
    text = both.render(
        Letter(
            (
                other,
                PART,
            ),
            "",
            "",
        )
    ).text
    places = [text.index(words) for words in ("Second heading", "Second thing.", "First heading", "Good day.")]
    assert places == sorted(places)


def test_an_answer_has_one_audience_d1(tmp_path: Path) -> None:
    internal = AnswerPart("greeting", Audience.INTERNAL, "greeting.external")
    with pytest.raises(AssetError, match="one audience"):
        renderer(tmp_path).render(
            Letter(
                (
                    PART,
                    internal,
                ),
                "",
                "",
            )
        )
    with pytest.raises(AssetError, match="one audience"):
        renderer(tmp_path).render(Letter((), "", ""))


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
        renderer(tmp_path, greeting_external=source).render(Letter((PART,), "", ""))
    assert "greeting.external.md.j2" in str(caught.value)


def test_a_template_that_does_not_compile_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"greeting\.external\.md\.j2, line 2"):
        renderer(tmp_path, greeting_external="one\n{% if %}")


def test_unknown_templates_and_intents_are_asset_errors(tmp_path: Path) -> None:
    desk = renderer(tmp_path)
    with pytest.raises(AssetError, match=r"nothing\.external\.md\.j2"):
        desk.render(Letter((AnswerPart("greeting", Audience.EXTERNAL, "nothing.external"),), "", ""))
    with pytest.raises(AssetError, match="`farewell` has no words"):
        desk.render(Letter((AnswerPart("farewell", Audience.EXTERNAL, "greeting.external"),), "", ""))


@pytest.mark.parametrize("source", ["> quoted", "```\ncode\n```", "a `b` c"])
def test_markdown_without_a_plain_form_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(AssetError, match="has no plain-text form"):
        renderer(tmp_path, greeting_external=source).render(Letter((PART,), "", ""))


def test_html_in_a_template_and_remote_pictures_stay_text(tmp_path: Path) -> None:
    source = "<img src=x> ![pixel](https://track.example/p.png) <script>x</script>"
    html = renderer(tmp_path, greeting_external=source).render(Letter((PART,), "", "")).html
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
    assert desk.render(Letter((PART,), name, "s")) == desk.render(Letter((PART,), "", "s"))


def test_every_value_is_escaped_whoever_passes_it(tmp_path: Path) -> None:
    renderer(tmp_path)
    titled = TemplateRenderer(tmp_path, LINKS, words(greeting="*Bold* & <b>[x](https://evil.example)</b>"))
    answer = titled.render(Letter((PART,), "", ""))
    assert "*Bold* & <b>[x](https://evil.example)</b>\n---" in answer.text
    assert "<h2>*Bold* &amp; &lt;b&gt;[x](https://evil.example)&lt;/b&gt;</h2>" in answer.html


def test_a_line_break_in_a_name_cannot_start_a_new_line(tmp_path: Path) -> None:
    answer = renderer(tmp_path).render(Letter((PART,), "Ana\r\nBcc Bob", ""))
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
    plain = desk.render(Letter((PART,), "", ""))
    hostile = desk.render(Letter((PART,), name, subject))
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
    assert to_text(link_markdown(link, "login")) in (f"{shown}: {link.url}\n", f"{link.url}\n")


# --- branches, closings, languages ------------------------------------------------------------------------------------


def test_a_branch_and_what_is_missing_reach_the_template(tmp_path: Path) -> None:
    source = "{% if branch %}Only {{ branch }}.{% else %}All.{% endif %} Name {{ missing | join(', ') }}."
    desk = renderer(tmp_path, greeting_external=source)
    assert "All. Name ." in desk.render(Letter((PART,))).text
    one = AnswerPart("greeting", Audience.EXTERNAL, "greeting.external", "direct", ("seats",))
    assert "Only direct. Name the number of users." in desk.render(Letter((one,))).text
    unknown = AnswerPart("greeting", Audience.EXTERNAL, "greeting.external", "", ("weight",))
    with pytest.raises(AssetError, match="the slot `weight` has no words"):
        desk.render(Letter((unknown,)))


def test_the_closing_tells_who_stands_behind_the_answer(tmp_path: Path) -> None:
    desk = renderer(tmp_path, _answer=ANSWER + "{{ closing }}")
    assert desk.render(Letter((PART,))).text.endswith("automatic\n")
    assert desk.render(Letter((PART,), closing=Closing.PERSON)).text.endswith("person\n")


@pytest.fixture
def two_languages(tmp_path: Path) -> TemplateRenderer:
    german = tmp_path / "de"
    german.mkdir()
    (german / "_words.yaml").write_text(
        "login_required: Anmeldung nötig\ntitles: {greeting: Ihr Gruß, other: Anderes}\nslots: {}\n"
    )
    (german / "_answer.md.j2").write_text(ANSWER.replace("Hello", "Guten Tag"))
    (german / "greeting.external.md.j2").write_text("Guten Morgen. {{ links.guide }}")
    (tmp_path / "other.external.md.j2").write_text("English alone.")
    renderer(tmp_path)
    return TemplateRenderer(tmp_path, LINKS, words(greeting="Your greeting", other="Other"), ("de",))


def test_an_answer_is_in_the_readers_language(two_languages: TemplateRenderer) -> None:
    answer = two_languages.render(Letter((PART,), "Ana", language="de"))
    assert answer.language == "de"
    assert answer.text == (
        "Guten Tag Ana,\n\nIhr Gruß\n--------\n\nGuten Morgen. Guide: https://portal.example/a?id=1 (Anmeldung nötig)\n"
    )
    assert '<html lang="de">' in answer.html


OTHER = AnswerPart("other", Audience.EXTERNAL, "other.external")


@pytest.mark.parametrize(
    ("parts", "language"), [((PART,), "fr"), ((PART,), ""), ((PART, OTHER), "de"), ((OTHER,), "de")]
)
def test_it_is_english_where_any_part_is_not_there_in_that_language(
    two_languages: TemplateRenderer, parts: tuple[AnswerPart, ...], language: str
) -> None:
    answer = two_languages.render(Letter(parts, language=language))
    assert (answer.language, answer.text.split()[0]) == ("en", "Hello,")
