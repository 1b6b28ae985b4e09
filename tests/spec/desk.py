"""A desk of the shipped files: real reading, playbook, links and templates. What the model says, the test says."""

from pathlib import Path

from mailflow.adapters.assets import load_links, load_playbook
from mailflow.adapters.canned import load_canned
from mailflow.adapters.examples import EXAMPLE_DESK, Example, read_labelled
from mailflow.bootstrap import Assets, build_renderer
from mailflow.core.classification import Action, Classification
from mailflow.core.partner import NO_PARTNERS, PartnerDirectory
from mailflow.core.playbook import Playbook
from mailflow.core.ports import Classifier
from mailflow.reading.understand import reader
from mailflow.services.triage import Preview, Triage
from mailflow.testing import FixedClassifier, FrozenClock, classification

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = Assets(ROOT / "templates", ROOT / "classifiers", ROOT / "demo")
PLAYBOOK = load_playbook(SHIPPED.classifiers)
LINKS = load_links(SHIPPED.classifiers)
CANNED = load_canned(SHIPPED.classifiers)
RENDERER = build_renderer(SHIPPED, PLAYBOOK)
EXAMPLES = {example.id: example for example in read_labelled(Path(__file__).with_name("examples.jsonl"))}
"""The forty example mails of the requirements, in other words; by id."""

NEVER_TO_PARTNERS = (
    "@partner operations",
    "@partner help desk",
    "@billing ops",
    "chatter",
    "slack",
    "#channel-programs-ops",
    "docs.google.com",
    "/boards/",
    "internal-requests-form",
    "gitlab ps",
    "internal-only",
    "gmail.com",
)
"""In small letters (D1; the last is C10)."""


def triage_of(
    classifier: Classifier, playbook: Playbook = PLAYBOOK, partners: PartnerDirectory = NO_PARTNERS
) -> Triage:
    """A desk that judges as if it were live, whatever its playbook is rolled out to."""
    return Triage(
        read=reader(EXAMPLE_DESK),
        classifier=classifier,
        playbook=playbook,
        desk_addresses=EXAMPLE_DESK.addresses,
        clock=FrozenClock(),
        partners=partners,
    )


def previewed(content: bytes, triage: Triage) -> Preview:
    """The decision, and the answer or draft that goes with it."""
    return triage.preview(content, RENDERER, desk_name="Partner Help Desk")


def said(*intents: str, action: Action = Action.REPLY) -> Classification:
    """What a model says that is sure of these intents and of the action."""
    reply, review, none = (0.9 if one is action else 0.05 for one in Action)
    return classification(*((intent, 0.95) for intent in intents), reply=reply, review=review, none=none)


def dealt_with(content: bytes, says: Classification, partners: PartnerDirectory = NO_PARTNERS) -> Preview:
    """What becomes of a mail of which the model says `says`."""
    return previewed(content, triage_of(FixedClassifier(says), partners=partners))


def words_of(preview: Preview) -> str:
    """The text of the answer or draft on one line; '' without one."""
    return " ".join(preview.answer.text.split()) if preview.answer else ""


def unfit_for_partners(text: str) -> list[str]:
    return [words for words in NEVER_TO_PARTNERS if words in text.lower()]


def labelled(example: Example) -> Classification:
    """What a model that is right says of an example."""
    return said(*example.intents, action=example.action)
