"""Each thing that `check` must find, one at a time, in a desk of two intents that is otherwise sound."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from mailflow.core.check import Link, Problem, answers, check, unfit_words
from mailflow.core.playbook import Audience, AudienceRow, Defaults, Intent, Playbook, PolicyAction
from mailflow.core.ports import AnswerPart
from mailflow.errors import AssetError
from mailflow.testing import defaults

SEND = PolicyAction.SEND
NEVER = AudienceRow(action=PolicyAction.NEVER)
DEFAULTS = defaults(max_pathless_doubt=0.3, silent_intents=("spam",), hold_if=("is_follow_up",))


def intent(name: str, audiences: Mapping[Audience, AudienceRow], **changes: object) -> Intent:
    known: dict[str, object] = {
        "intent": name,
        "title": f"Your {name}",
        "description": name,
        "in_scope": True,
        "rules": ("R5",),
        "audiences": audiences,
        "queue": "general",
    }
    return Intent.model_validate(known | changes)


def row(intent_name: str, audience: str, action: PolicyAction = SEND) -> AudienceRow:
    return AudienceRow(action=action, template=f"{intent_name}.{audience}")


GREETING_ROWS = {Audience.EXTERNAL: row("greeting", "external"), Audience.INTERNAL: row("greeting", "internal")}
SILENT_ROWS = {Audience.EXTERNAL: NEVER, Audience.INTERNAL: NEVER}


@dataclass(frozen=True)
class Desk:
    """Everything that `check` reads; the default is sound."""

    intents: Mapping[str, Intent] = field(
        default_factory=lambda: {"greeting": intent("greeting", GREETING_ROWS), "spam": intent("spam", SILENT_ROWS)}
    )
    defaults: Defaults = DEFAULTS
    links: Mapping[str, Link] = field(
        default_factory=lambda: {
            "portal": Link(label="Portal", url="https://portal.example/", rules=("R26",), audience="both"),
            "handle": Link(label="@partner operations", rules=("R9",), audience="internal"),
        }
    )
    templates: Mapping[str, str] = field(
        default_factory=lambda: {
            "_answer.md.j2": "Hello {{ sections }}",
            "greeting.external.md.j2": "See the {{ links.portal }}",
            "greeting.internal.md.j2": "Chatter {{ links.handle }}",
        }
    )
    translations: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    model_labels: Sequence[str] | None = ("greeting", "spam")
    examples: Mapping[str, Iterable[str]] = field(default_factory=lambda: {"greeting.jsonl": ["greeting"]})

    def with_template(self, name: str, source: str) -> "Desk":
        return replace(self, templates={**self.templates, name + ".md.j2": source})

    def with_intent(self, changed: Intent, name: str = "greeting") -> "Desk":
        return replace(self, intents={**self.intents, name: changed})

    def problems(self) -> list[str]:
        playbook = Playbook(defaults=self.defaults, intents=dict(self.intents), version="0")
        found = check(
            playbook,
            self.links,
            {"en": self.templates, **self.translations},
            lambda part, language: {"en": self.templates, **self.translations}[language][part.template + ".md.j2"],
            model_labels=self.model_labels,
            examples=self.examples,
        )
        return list(map(str, found))


SOUND = Desk()


def without(mapping: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in mapping.items() if key != name}


def test_a_sound_desk_has_no_problem() -> None:
    assert SOUND.problems() == []
    assert replace(SOUND, model_labels=None, examples={}).problems() == []
    assert replace(SOUND, translations={"de": GERMAN}).problems() == []


GERMAN = {"_answer.md.j2": "Guten Tag {{ sections }}", "greeting.external.md.j2": "Siehe {{ links.portal }}"}

BROKEN: dict[str, tuple[Desk, str]] = {
    "unknown fact of an intent": (
        SOUND.with_intent(intent("greeting", GREETING_ROWS, hold_if=("is_monday",))),
        "classifiers/intents/greeting.yaml: hold_if names `is_monday`, which is no fact; use one of: already_submitted",
    ),
    "unknown fact of the defaults": (
        replace(SOUND, defaults=DEFAULTS.model_copy(update={"hold_if": ("is_monday",)})),
        "classifiers/intents/_defaults.yaml: hold_if names `is_monday`",
    ),
    "unknown silent intent": (
        replace(SOUND, defaults=DEFAULTS.model_copy(update={"silent_intents": ("spam", "silence")})),
        "silent_intents names `silence`, which is no intent",
    ),
    "silent intent with an answer": (
        replace(SOUND, defaults=DEFAULTS.model_copy(update={"silent_intents": ("spam", "greeting")})),
        "silent_intents names `greeting`, but that intent has an answer",
    ),
    "intent under another name": (
        SOUND.with_intent(intent("hello", GREETING_ROWS)),
        "the file is named `greeting`, but says `intent: hello`",
    ),
    "audience without a row": (
        SOUND.with_intent(intent("spam", {Audience.EXTERNAL: NEVER}), "spam"),
        "classifiers/intents/spam.yaml: audiences has no row `internal`",
    ),
    "never, but with a template": (
        SOUND.with_intent(
            intent("spam", SILENT_ROWS | {Audience.EXTERNAL: row("spam", "external", PolicyAction.NEVER)}), "spam"
        ),
        "audiences.external never answers, but names a template",
    ),
    "template of another row": (
        SOUND.with_intent(intent("greeting", GREETING_ROWS | {Audience.EXTERNAL: row("greeting", "internal")})),
        "audiences.external.template is `greeting.internal`; it must be `greeting.external`",
    ),
    "send without a file": (
        replace(SOUND, templates=without(SOUND.templates, "greeting.internal.md.j2")),
        "audiences.internal wants templates/greeting.internal.md.j2; write that file",
    ),
    "draft without a file": (
        SOUND.with_intent(
            intent("spam", SILENT_ROWS | {Audience.EXTERNAL: row("spam", "external", PolicyAction.DRAFT)}), "spam"
        ),
        "audiences.external wants templates/spam.external.md.j2; write that file",
    ),
    "no answer template": (
        replace(SOUND, templates=without(SOUND.templates, "_answer.md.j2")),
        "templates/_answer.md.j2: is missing",
    ),
    "orphan template": (
        SOUND.with_template("farewell.external", "Bye."),
        "templates/farewell.external.md.j2: no intent and no other template uses this file",
    ),
    "orphan partial": (SOUND.with_template("_steps", "1. Go"), "templates/_steps.md.j2: no intent and no other"),
    "unused link": (
        replace(SOUND, links={**SOUND.links, "old": Link(label="Old", rules=("R1",), audience="both")}),
        "classifiers/links.yaml: `old` is used by no template",
    ),
    "literal URL": (
        SOUND.with_template("greeting.internal", "{{ links.handle }} https://evil.example/"),
        "templates/greeting.internal.md.j2: writes the address `https:` itself",
    ),
    "literal host": (
        SOUND.with_template("greeting.internal", "{{ links.handle }} partners.gitlab.com"),
        "writes the address `partners.gitlab.com` itself",
    ),
    "literal handle": (
        SOUND.with_template("greeting.internal", "{{ links.handle }} @billing ops"),
        "writes the address `@billing` itself",
    ),
    "internal link to partners": (
        SOUND.with_template("greeting.external", "{{ links.portal }} {{ links.handle }}"),
        "templates/greeting.external.md.j2: uses links.handle, which is for internal readers only",
    ),
    "internal link to partners through a partial": (
        SOUND.with_template("_steps", "{{ links.handle }}").with_template(
            "greeting.external", '{{ links.portal }} {% include "_steps.md.j2" %}'
        ),
        "templates/greeting.external.md.j2: uses links.handle",
    ),
    "D1 word to partners": (
        SOUND.with_template("greeting.external", "{{ links.portal }} Please chatter us"),
        "templates/greeting.external.md.j2: says `chatter`: chatter (D1) must not stand in an external answer",
    ),
    "D1 word behind a condition that did not come true": (
        SOUND.with_template("greeting.external", "{{ links.portal }}{% if false %} on Slack{% endif %}"),
        "says `Slack`",
    ),
    "D1 word in the heading": (
        SOUND.with_intent(intent("greeting", GREETING_ROWS, title="Your Salesforce record")),
        "templates/greeting.external.md.j2: says `Salesforce`",
    ),
    "D3 promise, to anyone": (
        SOUND.with_template("greeting.internal", "{{ links.handle }} The license will be approved"),
        "templates/greeting.internal.md.j2: says `will be approved`: a promise of eligibility or approval (D3)",
    ),
    "translation without a path": (
        replace(SOUND, translations={"de": GERMAN | {"greeting.external.md.j2": "Guten Tag"}}),
        "templates/de/greeting.external.md.j2: does not use links.portal, which templates/greeting.external.md.j2 uses",
    ),
    "translation with another path": (
        replace(SOUND, translations={"de": GERMAN | {"_answer.md.j2": "Guten Tag {{ links.portal }}"}}),
        "templates/de/_answer.md.j2: uses links.portal, which templates/_answer.md.j2 does not",
    ),
    "translation that promises": (
        replace(SOUND, translations={"de": GERMAN | {"greeting.external.md.j2": "{{ links.portal }} für 20 %"}}),
        "templates/de/greeting.external.md.j2: says `20 %`",
    ),
    "slot that nobody can find": (
        SOUND.with_intent(intent("greeting", GREETING_ROWS, slots=("weight",))),
        "classifiers/intents/greeting.yaml: slots names `weight`, which is not in classifiers/slots.yaml",
    ),
    "model lacks an intent": (
        replace(SOUND, model_labels=("spam",)),
        "classifiers/model/meta.json: the model does not know the intent `greeting`",
    ),
    "model knows more": (
        replace(SOUND, model_labels=("greeting", "spam", "old")),
        "classifiers/model/meta.json: the model knows `old`, which is no intent",
    ),
    "example of an unknown intent": (
        replace(SOUND, examples={"greeting.jsonl": ["greeting", "hello"]}),
        "classifiers/examples/greeting.jsonl: an example has the intent `hello`",
    ),
}


@pytest.mark.parametrize(("desk", "expected"), BROKEN.values(), ids=list(BROKEN))
def test_a_problem_is_found_and_named(desk: Desk, expected: str) -> None:
    assert any(expected in problem for problem in desk.problems()), desk.problems()


def test_a_template_that_does_not_render_is_a_problem_and_not_a_crash() -> None:
    def render(part: AnswerPart, language: str) -> str:
        raise AssetError(f"{part.template} has no value for `x`; mend it")

    playbook = Playbook(defaults=DEFAULTS, intents=dict(SOUND.intents), version="0")
    found = check(playbook, SOUND.links, {"en": SOUND.templates}, render)
    assert found == [
        Problem(
            "templates/greeting.external.md.j2", "does not render: greeting.external has no value for `x`; mend it"
        ),
        Problem(
            "templates/greeting.internal.md.j2", "does not render: greeting.internal has no value for `x`; mend it"
        ),
    ]


def test_answers_are_the_rows_that_may_send_or_draft() -> None:
    playbook = Playbook(defaults=DEFAULTS, intents=dict(SOUND.intents), version="0")
    assert [part.template for part in answers(playbook)] == ["greeting.external", "greeting.internal"]


@pytest.mark.parametrize(
    "words",
    [
        "@partner operations",
        "@ Partner Operations",
        "@Partner Help Desk",
        "@billing ops",
        "please chatter",
        "#channel-programs-ops",
        "docs.google.com/document",
        "issue board",
        "gitlab.com/groups/gitlab-com/-/boards/1",
        "support/internal-requests-form/",
        "internal request form",
        'choose "GitLab PS"',
        "on Slack",
        "in SFDC",
        "Impartner",
    ],
)
def test_the_d1_list_is_for_colleagues_only(words: str) -> None:
    assert list(unfit_words(words, Audience.EXTERNAL))
    assert not list(unfit_words(words, Audience.INTERNAL))


@pytest.mark.parametrize(
    "words",
    [
        "partnersupport@gmail.com",
        "you are eligible",
        "Your company will be accepted",
        "it has been approved",
        "we will grant",
        "we guarantee",
        "a discount of 10 %",
        "$500",
        "300 USD",
        "within 2 business days",
        "as soon as possible",
        "free of charge",
    ],
)
def test_d3_promises_and_the_c10_mailbox_are_for_nobody(words: str) -> None:
    for audience in Audience:
        assert list(unfit_words(words, audience))


@pytest.mark.parametrize(
    "words",
    [
        "https://about.gitlab.com/handbook/resellers/channel-working-with-GitLab/#training--certification-requirements",
        "see what partners can be eligible to receive",
        "Not all requests are granted.",
        "at least 5 working days",
        "the NFR requirements are met",
        "GitLab's license support team",
    ],
)
def test_words_of_the_specification_are_fit_for_all(words: str) -> None:
    for audience in Audience:
        assert not list(unfit_words(words, audience))
