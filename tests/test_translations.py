"""The answers in each other language than English, as they stand under templates/ (A30).

Rule: a language folder is complete, so no answer in it mixes two languages, and none falls back to English unseen.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.golden_files import assert_golden

from mailflow.adapters.assets import english_words, load_links, load_playbook, load_templates, load_words
from mailflow.adapters.renderer import TemplateRenderer
from mailflow.core.check import INCLUDED, answers, check, unfit_words
from mailflow.core.playbook import Audience
from mailflow.core.ports import AnswerPart, Closing, Letter, RenderedAnswer

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "answers"
PLAYBOOK = load_playbook(ROOT / "classifiers")
LINKS = load_links(ROOT / "classifiers")
ENGLISH = load_templates(ROOT / "templates")
ENGLISH_WORDS = english_words(PLAYBOOK)
LANGUAGES = sorted(path.parent.name for path in (ROOT / "templates").glob("*/_words.yaml"))
RENDERER = TemplateRenderer(ROOT / "templates", LINKS, ENGLISH_WORDS, LANGUAGES)
PARTS = [part for part in answers(PLAYBOOK) if part.audience is Audience.EXTERNAL]

ANSWERS = [(language, part, closing) for language in LANGUAGES for part in PARTS for closing in Closing]
"""Each language, in each branch, with and without what the mail did not name, for each who may stand behind it."""

STARTS_NOTHING = {
    "de": "Mit Ihrer E-Mail allein ",
    "es": "Su correo, por sí solo, no ",
    "fr": "À lui seul, votre message n",
    "ja": "メールをお送りいただいただけでは、",
    "pt": "O seu e-mail, por si só, não ",
}
"""How each language says that the mail itself starts nothing (D4)."""

AUTOMATIC = {
    "de": "Dies ist eine automatische Antwort.",
    "es": "Esta es una respuesta automática.",
    "fr": "Ceci est une réponse automatique.",
    "ja": "本メールは自動返信です。",
    "pt": "Esta é uma resposta automática.",
}

POINTS_TO_DOCUMENTS_ONLY = {"agreement_docs", "certification"}
"""There is nothing that a mail could be thought to start."""


@cache
def rendered(language: str, closing: Closing, *parts: AnswerPart) -> RenderedAnswer:
    return RENDERER.render(Letter(parts, "Ana Pérez", "A question", language, closing))


def by_name(part: AnswerPart, closing: Closing) -> str:
    who = "by_a_person" if closing is Closing.PERSON else ""
    return ".".join(filter(None, (part.template, part.branch, "asking" if part.missing else "", who)))


def answer_id(value: object) -> str | None:
    if isinstance(value, AnswerPart):
        return by_name(value, Closing.AUTOMATIC)
    return value if isinstance(value, str) else None


in_each_answer = pytest.mark.parametrize(("language", "part", "closing"), ANSWERS, ids=answer_id)
in_each_language = pytest.mark.parametrize("language", LANGUAGES)


# --- what is there ----------------------------------------------------------------------------------------------------


def external_files() -> Iterator[str]:
    """Every English template that a partner may read, and all that it includes."""
    external = [name for name in ENGLISH if name.endswith(".external.md.j2")]
    yield from external
    yield "_answer.md.j2"
    for name in external:
        yield from INCLUDED.findall(ENGLISH[name])


def test_the_languages_are_those_that_the_desk_answers_in() -> None:
    assert set(LANGUAGES) == set(PLAYBOOK.defaults.answer_languages)
    assert set(LANGUAGES) == {path.parent.name for path in (ROOT / "templates").glob("??/*.j2")}


@in_each_language
def test_each_template_for_partners_and_each_partial_of_it_is_translated(language: str) -> None:
    assert set(load_templates(ROOT / "templates" / language)) == set(external_files())


@in_each_language
def test_each_title_and_each_slot_has_its_words(language: str) -> None:
    words = load_words(ROOT / "templates" / language)
    assert set(words.titles) == set(ENGLISH_WORDS.titles)
    assert set(words.slots) == set(ENGLISH_WORDS.slots)
    assert all(words.titles.values()) and all(words.slots.values())
    assert len(set(words.titles.values())) == len(words.titles), "two sections would have one heading"
    assert len(set(words.slots.values())) == len(words.slots), "one thing would be asked for twice"
    assert not [said for name, said in words.titles.items() if said == ENGLISH_WORDS.titles[name] != "Partner Insights"]


@in_each_language
def test_a_translation_branches_where_the_english_template_does(language: str) -> None:
    for name, source in load_templates(ROOT / "templates" / language).items():
        assert re.findall(r"\{%.*?%\}", source) == re.findall(r"\{%.*?%\}", ENGLISH[name]), name


@in_each_language
def test_the_desk_is_sound_in_the_language(language: str) -> None:
    problems = check(
        PLAYBOOK,
        LINKS,
        {"en": ENGLISH, language: load_templates(ROOT / "templates" / language)},
        lambda part, spoken: RENDERER.render(Letter((part,), language=spoken)).text,
    )
    assert problems == []


# --- what the answers say ---------------------------------------------------------------------------------------------


@in_each_answer
def test_the_answer_is_the_golden_one(language: str, part: AnswerPart, closing: Closing) -> None:
    """UPDATE_GOLDEN=1 rewrites the files; somebody who reads the language reads the difference before the commit."""
    answer = rendered(language, closing, part)
    assert answer.language == language
    assert_golden(f"answers/{language}/{by_name(part, closing)}.txt", answer.text)


def test_there_is_no_golden_answer_too_many() -> None:
    found = {f"{path.parent.name}/{path.stem}" for path in GOLDEN.glob("*/*.txt")}
    assert found == {f"{language}/{by_name(part, closing)}" for language, part, closing in ANSWERS}


@in_each_answer
def test_no_markup_is_left_in_the_text_and_no_picture_in_the_html(
    language: str, part: AnswerPart, closing: Closing
) -> None:
    answer = rendered(language, closing, part)
    assert not re.search(r"\*\*|\]\(|\\|\{\{|\{%|<[a-z]|&\w+;", answer.text)
    assert not re.search(r"\*\*|\]\(|\{\{|\{%|<img|<script|src=|url\(", answer.html)
    assert f'<html lang="{language}">' in answer.html


def addresses(text: str) -> set[str]:
    mailboxes = {f"mailto:{found}" for found in re.findall(r"[\w.]+@[\w.]+\w", text)}
    return set(re.findall(r"https?://[!-~]+", text)) | mailboxes


@in_each_answer
def test_the_answer_says_the_addresses_of_the_english_one_and_no_others(
    language: str, part: AnswerPart, closing: Closing
) -> None:
    allowed = {link.url for link in LINKS.values() if link.may_reach(Audience.EXTERNAL)}
    text, english = rendered(language, closing, part).text, rendered("en", closing, part).text
    assert addresses(text) <= allowed
    assert addresses(text) == addresses(english)


@in_each_answer
def test_the_answer_says_the_literal_words_of_the_page_as_the_english_one_does(
    language: str, part: AnswerPart, closing: Closing
) -> None:
    """R71, R87, R92, R98: they are what the reader looks for on the page, so they are not translated."""
    text, english = rendered(language, closing, part).text, rendered("en", closing, part).text
    quoted = {f'"{link.label}"' for link in LINKS.values() if not link.url}
    assert {words for words in quoted if words in text} == {words for words in quoted if words in english}


@in_each_answer
def test_r33_the_portal_documents_say_that_a_login_is_needed(language: str, part: AnswerPart, closing: Closing) -> None:
    note = load_words(ROOT / "templates" / language).login_required
    for line in rendered(language, closing, part).text.splitlines():
        assert ("/prm/English/s/assets" in line) == (f"({note})" in line)


@in_each_answer
def test_d1_d3_c10_the_answer_holds_nothing_unfit(language: str, part: AnswerPart, closing: Closing) -> None:
    answer = rendered(language, closing, part)
    assert list(unfit_words(answer.text, Audience.EXTERNAL, language)) == []
    assert list(unfit_words(answer.html, Audience.EXTERNAL, language)) == []


@in_each_answer
def test_d4_the_answer_says_that_the_mail_itself_starts_nothing(
    language: str, part: AnswerPart, closing: Closing
) -> None:
    said = STARTS_NOTHING[language] in rendered(language, closing, part).text
    assert said == (part.intent not in POINTS_TO_DOCUMENTS_ONLY)


@in_each_answer
def test_the_answer_is_called_automatic_only_where_no_person_sends_it(
    language: str, part: AnswerPart, closing: Closing
) -> None:
    assert (AUTOMATIC[language] in rendered(language, closing, part).text) == (closing is Closing.AUTOMATIC)


@in_each_answer
def test_what_the_mail_did_not_name_is_asked_for(language: str, part: AnswerPart, closing: Closing) -> None:
    words, text = load_words(ROOT / "templates" / language).slots, rendered(language, closing, part).text
    needed = PLAYBOOK.intents[part.intent].needed
    assert [slot for slot in part.missing if words[slot] not in text] == []
    if needed and not part.missing:
        assert [slot for slot in needed if words[slot] in text] == []


@in_each_language
def test_several_intents_are_answered_in_one_mail_each_under_its_heading(language: str) -> None:
    two = [part for part in PARTS if part.intent in ("certification", "deal_registration")]
    titles = load_words(ROOT / "templates" / language).titles
    text = rendered(language, Closing.AUTOMATIC, *two).text
    for part in two:
        assert f"\n{titles[part.intent]}\n-" in text
    assert text.count(AUTOMATIC[language]) == 1
    assert text.count("GitLab Partner Help Desk") == 1
