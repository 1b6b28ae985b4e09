"""What must hold between the desk's playbook, links, templates, examples and model before any of them is used.

Rule: nothing here is a warning. A Problem is mended or the desk does not start.
Rule: an external answer names nothing that a partner cannot use or should not see (D1); no answer promises (D3).
Rule: a template writes no address itself; it names an entry of links.yaml. Why: then a list says what can ever be sent.

Pure: texts and values in, sentences out. Files are read, and templates rendered, by the caller.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mailflow.core.playbook import FACTS, Audience, AudienceRow, Playbook, PolicyAction, RuleNumber
from mailflow.core.ports import AnswerPart
from mailflow.core.promises import PROMISES
from mailflow.errors import AssetError

TEMPLATE_SUFFIX = ".md.j2"
ENGLISH = "en"
ANSWER_TEMPLATE = "_answer" + TEMPLATE_SUFFIX
"""Puts greeting, sections and closing together; every answer goes through it."""


class Link(BaseModel):
    """One entry of classifiers/links.yaml: something that an answer may name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1)
    """What the reader sees; of a click path the literal words on the page."""
    url: str = Field(default="", pattern=r"^(|https://\S+|mailto:\S+@\S+)$")
    """Empty for click paths, handles and channels."""
    rules: tuple[RuleNumber, ...] = Field(min_length=1)
    audience: Literal["external", "internal", "both"]
    login_required: bool = False

    def may_reach(self, audience: Audience) -> bool:
        return self.audience in ("both", audience.value)


@dataclass(frozen=True, slots=True)
class Problem:
    file: str
    sentence: str
    """What is wrong and what to do."""

    def __str__(self) -> str:
        return f"{self.file}: {self.sentence}"


UNFIT_FOR_PARTNERS: dict[str, re.Pattern[str]] = {
    "a Salesforce handle (D1)": re.compile(r"@ ?(partner operations|partner help desk|billing ops)", re.I),
    "chatter (D1)": re.compile(r"\bchatter", re.I),
    "a Slack channel (D1)": re.compile(r"\bslack\b|(?<![/\w])#[a-z]+(-[a-z]+)+", re.I),
    "an internal document (D1)": re.compile(r"docs\.google\.com", re.I),
    "an issue board (D1)": re.compile(r"issue board|/-/boards/", re.I),
    "the internal request form (D1)": re.compile(r"internal[- ]requests?[- ]form", re.I),
    "the demo company (D1)": re.compile(r"gitlab ps\b", re.I),
    "a system that partners do not see (R1)": re.compile(r"\b(sfdc|salesforce|impartner|coupa)\b", re.I),
}

UNFIT_FOR_ANYONE: dict[str, re.Pattern[str]] = {
    "a mailbox that is not ours (C10)": re.compile(r"gmail\.com", re.I),
}

LITERAL_ADDRESS = re.compile(r"https?:|mailto:|www\.|\b[\w-]+(\.[\w-]+)*\.(com|io|org|net)\b|@ ?\w+|#[a-z]+-\w+", re.I)
USED_LINK = re.compile(r"\blinks\.(\w+)")
JINJA_TAG = re.compile(r"\{[{%#].*?[}%#]\}", re.S)
INCLUDED = re.compile(r"""include\s+["']([^"']+)["']""")


def check(
    playbook: Playbook,
    links: Mapping[str, Link],
    templates: Mapping[str, Mapping[str, str]],
    render: Callable[[AnswerPart, str], str],
    *,
    model_labels: Sequence[str] | None = None,
    examples: Mapping[str, Iterable[str]] | None = None,
) -> list[Problem]:
    """Everything that is wrong, in the order of the files; empty where all is well.

    `templates`: language -> file name -> source, partials too. `render`: one answer, in a language -> its plain text,
    or AssetError.
    `model_labels`: None where there is no model yet. `examples`: file name -> the intents that it names.
    """
    problems = [
        *_check_defaults(playbook),
        *_check_intents(playbook, templates[ENGLISH]),
        *_check_links(links, templates[ENGLISH]),
        *(
            problem
            for language, sources in templates.items()
            for problem in (
                *_check_templates(playbook, language, sources),
                *_check_answers(playbook, links, language, sources, render),
                *_check_translation(language, sources, templates[ENGLISH]),
            )
        ),
        *_check_model(playbook, model_labels),
        *_check_examples(playbook, examples or {}),
    ]
    return list(dict.fromkeys(problems))


def answers(playbook: Playbook) -> Iterator[AnswerPart]:
    """Each answer that the playbook may send or draft, in every branch, in the order of the intents."""
    for name, intent in playbook.intents.items():
        for audience, row in intent.audiences.items():
            if row.action is PolicyAction.NEVER:
                continue
            branching = intent.branches if audience is Audience.EXTERNAL else None
            for branch in branching.values if branching else ("",):
                asks = audience is Audience.EXTERNAL and intent.needed
                for missing in ((), intent.needed) if asks else ((),):
                    yield AnswerPart(name, audience, row.template, branch, missing)


def _intent_file(intent: str) -> str:
    return f"classifiers/intents/{intent}.yaml"


def _template_file(name: str, language: str = ENGLISH) -> str:
    return f"templates/{name}" if language == ENGLISH else f"templates/{language}/{name}"


def _check_defaults(playbook: Playbook) -> Iterator[Problem]:
    file = _intent_file("_defaults")
    yield from _check_facts(file, playbook.defaults.hold_if)
    for name in playbook.defaults.silent_intents:
        if name not in playbook.intents:
            yield Problem(file, f"silent_intents names `{name}`, which is no intent; mend the name or remove it")
        elif any(row.action is not PolicyAction.NEVER for row in playbook.intents[name].audiences.values()):
            yield Problem(file, f"silent_intents names `{name}`, but that intent has an answer; choose one")


def _check_facts(file: str, facts: Iterable[str]) -> Iterator[Problem]:
    for fact in facts:
        if fact not in FACTS:
            yield Problem(file, f"hold_if names `{fact}`, which is no fact; use one of: {', '.join(sorted(FACTS))}")


def _check_intents(playbook: Playbook, templates: Mapping[str, str]) -> Iterator[Problem]:
    for name, intent in playbook.intents.items():
        file = _intent_file(name)
        if name != intent.intent:
            yield Problem(file, f"the file is named `{name}`, but says `intent: {intent.intent}`; make them equal")
        yield from _check_facts(file, intent.hold_if)
        for slot in intent.slots:
            if slot not in playbook.slots:
                yield Problem(file, f"slots names `{slot}`, which is not in classifiers/slots.yaml; add it there")
        for audience in Audience:
            row = intent.audiences.get(audience)
            if row is None:
                yield Problem(
                    file, f"audiences has no row `{audience}`; add one, with `action: never` if there is no path"
                )
            else:
                yield from _check_row(file, name, audience, row, templates)


def _check_row(
    file: str, intent: str, audience: Audience, row: AudienceRow, templates: Mapping[str, str]
) -> Iterator[Problem]:
    if row.action is PolicyAction.NEVER:
        if row.template:
            yield Problem(file, f"audiences.{audience} never answers, but names a template; remove `template`")
        return
    expected = f"{intent}.{audience}"
    if row.template != expected:
        yield Problem(file, f"audiences.{audience}.template is `{row.template}`; it must be `{expected}`")
    elif expected + TEMPLATE_SUFFIX not in templates:
        yield Problem(file, f"audiences.{audience} wants {_template_file(expected + TEMPLATE_SUFFIX)}; write that file")


def _check_links(links: Mapping[str, Link], templates: Mapping[str, str]) -> Iterator[Problem]:
    used = {name for source in templates.values() for name in USED_LINK.findall(source)}
    for name in links:
        if name not in used:
            yield Problem("classifiers/links.yaml", f"`{name}` is used by no template; remove it or use it")


def _check_templates(playbook: Playbook, language: str, templates: Mapping[str, str]) -> Iterator[Problem]:
    wanted = {part.template + TEMPLATE_SUFFIX for part in answers(playbook)} | {ANSWER_TEMPLATE}
    wanted |= {name for source in templates.values() for name in INCLUDED.findall(source)}
    for name, source in templates.items():
        file = _template_file(name, language)
        if name not in wanted:
            yield Problem(file, "no intent and no other template uses this file; remove it or name it")
        yield from check_addresses(file, source)
    if ANSWER_TEMPLATE not in templates:
        yield Problem(_template_file(ANSWER_TEMPLATE, language), "is missing; every answer is put together by it")


def _check_answers(
    playbook: Playbook,
    links: Mapping[str, Link],
    language: str,
    templates: Mapping[str, str],
    render: Callable[[AnswerPart, str], str],
) -> Iterator[Problem]:
    seen = set()
    for part in answers(playbook):
        name = part.template + TEMPLATE_SUFFIX
        if name not in templates:
            continue
        file = _template_file(name, language)
        sources = _with_includes(name, templates)
        is_first = name not in seen
        seen.add(name)
        if is_first:
            used = (link for source in sources for link in USED_LINK.findall(source) if link in links)
            yield from check_reach(file, used, links, part.audience)
        try:
            rendered = render(part, language)
        except AssetError as error:
            yield Problem(file, f"does not render: {error}")
            continue
        words = [JINJA_TAG.sub("", source) for source in sources] if is_first else []
        title = playbook.intents[part.intent].title
        yield from _check_wording(file, part.audience, "\n".join([*words, title, rendered]), language)


def check_addresses(file: str, source: str) -> Iterator[Problem]:
    """A template writes no address itself."""
    for found in sorted({match.group() for match in LITERAL_ADDRESS.finditer(source)}):
        yield Problem(file, f"writes the address `{found}` itself; put it into links.yaml and use its name")


def check_reach(file: str, used: Iterable[str], links: Mapping[str, Link], audience: Audience) -> Iterator[Problem]:
    """Its reader may see every link. `used`: names in `links`."""
    for link in sorted(set(used)):
        if not links[link].may_reach(audience):
            yield Problem(file, f"uses links.{link}, which is for {links[link].audience} readers only; remove it")


def _check_translation(language: str, templates: Mapping[str, str], english: Mapping[str, str]) -> Iterator[Problem]:
    """A translation names the same paths as the English template, or the two would answer differently."""
    if language == ENGLISH:
        return
    for name, source in templates.items():
        file, own = _template_file(name, language), set(USED_LINK.findall(source))
        wanted = set(USED_LINK.findall(english.get(name, "")))
        for link in sorted(wanted - own):
            yield Problem(file, f"does not use links.{link}, which {_template_file(name)} uses; translate the whole")
        for link in sorted(own - wanted):
            yield Problem(file, f"uses links.{link}, which {_template_file(name)} does not; make them equal")


def _with_includes(name: str, templates: Mapping[str, str]) -> list[str]:
    """The source of `name` and of all that it includes, each once."""
    seen: dict[str, str] = {}
    waiting = [name, ANSWER_TEMPLATE]
    while waiting:
        current = waiting.pop()
        if current in templates and current not in seen:
            seen[current] = templates[current]
            waiting.extend(INCLUDED.findall(templates[current]))
    return list(seen.values())


def unfit_words(text: str, audience: Audience, language: str = ENGLISH) -> Iterator[tuple[str, str]]:
    """(words found, what they are) for each thing in `text` that this audience must not read.

    Promises are looked for in the words of `language` and in English, because the quoted labels are English.
    """
    tables = [UNFIT_FOR_ANYONE, PROMISES[ENGLISH], PROMISES.get(language, {})]
    for table in [*tables, UNFIT_FOR_PARTNERS] if audience is Audience.EXTERNAL else tables:
        for what, pattern in table.items():
            if match := pattern.search(text):
                yield match.group(), what


def _check_wording(file: str, audience: Audience, text: str, language: str) -> Iterator[Problem]:
    for words, what in dict.fromkeys(unfit_words(text, audience, language)):
        yield Problem(file, f"says `{words}`: {what} must not stand in an {audience} answer; reword it")


def _check_model(playbook: Playbook, labels: Sequence[str] | None) -> Iterator[Problem]:
    if labels is None:
        return
    file = "classifiers/model/meta.json"
    for name in sorted(set(playbook.intents) - set(labels)):
        yield Problem(file, f"the model does not know the intent `{name}`; give it examples and run `mailflow train`")
    for name in sorted(set(labels) - set(playbook.intents)):
        yield Problem(file, f"the model knows `{name}`, which is no intent; run `mailflow train` again")


def _check_examples(playbook: Playbook, examples: Mapping[str, Iterable[str]]) -> Iterator[Problem]:
    for file, names in examples.items():
        for name in sorted(set(names) - set(playbook.intents)):
            yield Problem(
                f"classifiers/examples/{file}",
                f"an example has the intent `{name}`, which is none; mend it or write {_intent_file(name)}",
            )
