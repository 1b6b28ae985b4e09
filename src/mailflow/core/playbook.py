"""What the desk knows about each intent, as data: one YAML file an intent, read into these frozen models.

Unknown keys are refused. A row may only ask for what the code can do: facts come from FACTS, branches from BRANCHES,
actions from PolicyAction, ways to go live from Rollout.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, time
from enum import StrEnum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mailflow.core.certify import Certificate

RuleNumber = Annotated[str, Field(pattern=r"^(R\d{1,3}|D\d|A\d{1,2}|C\d{1,2})$")]

FACTS: dict[str, str] = {
    "has_deliverable": "a real document is attached: an order, a statement of work, a proof, an invoice (D6)",
    "has_attachment": "anything is attached but the pictures of a signature",
    "is_follow_up": "the thread already had an answer from us (D8)",
    "mixed_recipients": "people of ours and strangers are both among the recipients (A14, A15)",
    "has_cc": "somebody else is in Cc",
    "is_free_mail": "the sender's domain is a free mail provider, which proves nothing (A1)",
    "tried_and_failed": "the mail says that the path was tried and failed (D8)",
    "already_submitted": "the mail asks what became of something already sent in (A3, A18)",
    "escalation": "the mail is angry, escalates or threatens (A30)",
    "legal": "lawyers, contracts in dispute, notices (A30)",
    "privacy": "a data-protection request",
    "security": "a security report",
    "money_paid": "money has already been paid (R6)",
    "instructs_machine": "the text gives orders to the machine that reads it",
    "other_programme": "the text speaks of another vendor's programme and never of ours",
    "seeks_alliance": "the text asks for a technology or alliance partnership (A5)",
    "names_license": "the text speaks of a license, key or activation code (A9)",
    "names_customer": "the text speaks of a customer or end user (A9)",
    "names_own_use": "the text speaks of the partner's own lab, demo or NFR use (A9)",
}


BRANCHES: dict[str, tuple[str, ...]] = {
    "route": ("distributor", "distribution", "direct"),
    "membership": ("partner",),
    "license": ("other", "customer", "own"),
}
"""What an answer may turn on (section 3 of the requirements), and its values; '' where it is not known.

route: a distributor, a reseller that buys through one, or one that buys directly (A6 to A8); of the partner directory.
membership: the sender's company is a partner (A1); of the partner directory.
license: whose license the mail is about, a customer's or the partner's own (A9, A10), or that it is about something
other than a license; of the words of the mail.
"""


class PolicyAction(StrEnum):
    """SEND answers by itself; DRAFT prepares the answer for a specialist; NEVER leaves the mail to a person."""

    SEND = "send"
    DRAFT = "draft"
    NEVER = "never"


class Audience(StrEnum):
    """Who reads the answer (D1, D2): INTERNAL only for proven colleagues."""

    EXTERNAL = "external"
    INTERNAL = "internal"


class Rollout(StrEnum):
    """How far an intent's automatic answers have come; each trusts the desk more than the one before it.

    OFF: a person acts, nothing is prepared. SHADOW: what would be answered is noted, nobody sees a draft. DRAFT: a
    person approves each answer. CANARY: a share of the mails is answered, for the others there is a draft.
    """

    OFF = "off"
    SHADOW = "shadow"
    DRAFT = "draft"
    CANARY = "canary"
    LIVE = "live"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuietHours(_Frozen):
    """When nothing is answered automatically, though somebody could: from `start` to `end`, over midnight too."""

    start: time
    end: time
    time_zone: str
    """IANA name: Europe/Berlin."""
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    """On which it begins, 1 for Monday."""

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no time zone; write one such as Europe/Berlin") from error
        return value

    @field_validator("weekdays")
    @classmethod
    def _are_days(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if not values or any(day not in range(1, 8) for day in values):
            raise ValueError("weekdays are numbers from 1 (Monday) to 7 (Sunday)")
        return values

    def hold(self, now: datetime) -> bool:
        """`now`: aware."""
        here = now.astimezone(ZoneInfo(self.time_zone))
        today, yesterday = here.isoweekday(), (here.isoweekday() - 2) % 7 + 1
        if self.start <= self.end:
            return today in self.weekdays and self.start <= here.time() < self.end
        return (today in self.weekdays and here.time() >= self.start) or (
            yesterday in self.weekdays and here.time() < self.end
        )


class Branching(_Frozen):
    """What the external answer turns on, and what is done where that is not known (requirements, section 3)."""

    by: Literal["route", "membership", "license"]
    unknown: Literal["all", "ask", "hold"]
    """all: every branch stands in the answer. ask: the answer asks which. hold: a person finds out."""

    @property
    def values(self) -> tuple[str, ...]:
        """Each value that a template must render with."""
        without = {"all": ("",), "ask": ("ask",), "hold": ()}
        return (*without[self.unknown], *BRANCHES[self.by])


class AudienceRow(_Frozen):
    action: PolicyAction
    template: str = ""
    """File name under templates/ without `.md.j2`; empty only with action `never`."""
    rules: tuple[RuleNumber, ...] = ()


class Intent(_Frozen):
    """One file classifiers/intents/<intent>.yaml."""

    intent: str
    title: str
    """What it is called in an answer's heading: `Your NFR licence request`."""
    description: str
    in_scope: bool
    rules: tuple[RuleNumber, ...]
    audiences: dict[Audience, AudienceRow]
    min_confidence: float | None = Field(default=None, ge=0, le=1)
    """None: the desk's default."""
    hold_if: tuple[str, ...] = ()
    branches: Branching | None = None
    slots: tuple[str, ...] = ()
    """What the mail may name that a specialist needs: entries of classifiers/slots.yaml."""
    needed: tuple[str, ...] = ()
    """Of `slots`, those that an answer asks for where they are missing."""
    rollout: Rollout | None = None
    """None: the desk's default."""
    canary_share: float | None = Field(default=None, gt=0, lt=1)
    quiet_hours: QuietHours | None = None
    """Beside the desk's own."""
    queue: str
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    next_steps: tuple[str, ...] = ()
    """What the specialist does next, and in which system."""

    @model_validator(mode="after")
    def _asks_for_what_it_looks_for(self) -> "Intent":
        if unknown := sorted(set(self.needed) - set(self.slots)):
            raise ValueError(f"needed names {', '.join(unknown)}, which is not among its slots; add it there")
        return self


class SendBudget(_Frozen):
    """How many automatic answers may go out. Tripping one means Review, never silence."""

    per_thread: int = Field(ge=0)
    per_sender_and_intent_3_hours: int = Field(ge=0)
    per_sender_day: int = Field(ge=0)
    per_domain_hour: int = Field(ge=0)
    per_template_hour: int = Field(ge=0)
    desk_hour: int = Field(ge=0)


class Defaults(_Frozen):
    """classifiers/intents/_defaults.yaml."""

    kill_switch: bool
    """True: nothing is answered automatically."""
    rollout: Rollout
    """Of every intent that does not say its own."""
    canary_share: float = Field(gt=0, lt=1)
    """Of the mails of an intent with rollout `canary`, those that are answered."""
    quiet_hours: QuietHours | None = None
    read_languages: tuple[str, ...]
    """ISO 639-1: languages that the model has learned from. A mail in another one is held (A30)."""
    answer_languages: tuple[str, ...]
    """ISO 639-1, beside English: languages whose templates were checked by somebody who reads them (A30)."""
    min_confidence: float = Field(ge=0, le=1)
    min_further_confidence: float = Field(ge=0, le=1)
    """Of every intent of an answered mail but the first (D7).

    Why more: a doubtful further intent is wrong in every second mail, a doubtful first one in every tenth.
    """
    min_reply_probability: float = Field(ge=0, le=1)
    """The action head must give a reply at least this much."""
    min_ignore_probability: float = Field(ge=0, le=1)
    """Silence needs at least this much of the action head."""
    sure_ignore_probability: float = Field(ge=0, le=1)
    """With this much, of the intent too, neither a further intent nor a fact of the text speaks against silence."""
    max_pathless_doubt: float = Field(ge=0, le=1)
    """A further intent without a path that is likelier than this holds the mail, though it is not claimed (D7)."""
    max_age_days: int = Field(ge=1)
    """Older mail is stored and held, never answered.

    Why: the first read of a full mailbox must not write to last year's partners.
    """
    silent_intents: tuple[str, ...]
    """Intents that need no answer at all: spam, no_request."""
    hold_if: tuple[str, ...]
    """Facts that hold any mail, whatever its intents."""
    send_budget: SendBudget


class SlotRule(_Frozen):
    """One entry of classifiers/slots.yaml: something that a mail may name, and how it is found."""

    ask: str = Field(min_length=1)
    """How an answer asks for it: `the number of seats`."""
    patterns: tuple[str | tuple[dict[str, Any], ...], ...] = Field(min_length=1)
    """spaCy's: a phrase, or a token pattern (a list of attributes a token)."""


class Playbook(_Frozen):
    defaults: Defaults
    intents: dict[str, Intent]
    slots: dict[str, SlotRule] = Field(default_factory=dict)
    version: str
    """Hash of everything that was read; stored with each decision."""
    certificate: Certificate | None = None
    """What was shown of the model at work; None where nothing was."""

    def min_confidence(self, intent: str, *, is_first: bool = True) -> float:
        own = self.intents[intent].min_confidence
        asked = self.defaults.min_confidence if own is None else own
        return asked if is_first else max(asked, self.defaults.min_further_confidence)

    def min_reply_probability(self, intents: Sequence[str]) -> tuple[float, str]:
        """What an answer to `intents` must reach, and who asks for it: the stricter of playbook and certificate."""
        own = self.defaults.min_reply_probability, "the playbook"
        shown = (self.certificate.needed(intents), "the certificate") if self.certificate else own
        return max(own, shown, key=lambda asked: asked[0])

    def rollout(self, intent: str) -> Rollout:
        return self.intents[intent].rollout or self.defaults.rollout

    def canary_share(self, intent: str) -> float:
        return self.intents[intent].canary_share or self.defaults.canary_share

    def as_if_live(self) -> "Playbook":
        """The same rules without what only holds answers back for now: kill switch, rollout, quiet hours.

        For judging what the desk understands: a draft is a right answer that waits.
        """
        live = {"kill_switch": False, "rollout": Rollout.LIVE, "quiet_hours": None}
        own = {"rollout": None, "quiet_hours": None}
        return self.model_copy(
            update={
                "defaults": self.defaults.model_copy(update=live),
                "intents": {name: intent.model_copy(update=own) for name, intent in self.intents.items()},
            }
        )

    @property
    def answering_rules(self) -> str:
        """Hash of all that decides whether a mail may be answered, but for what only ever holds more of them.

        Why not `version`: a mended title or link must not void a certificate.
        """
        rows = {
            name: (
                intent.min_confidence,
                intent.hold_if,
                {who: row.action for who, row in intent.audiences.items()},
                intent.branches.unknown if intent.branches else "",
            )
            for name, intent in self.intents.items()
        }
        decides = self.defaults.model_dump(mode="json", include=_DECIDING_DEFAULTS), rows
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:12]


_DECIDING_DEFAULTS = {
    "min_confidence",
    "min_further_confidence",
    "min_ignore_probability",
    "max_pathless_doubt",
    "sure_ignore_probability",
    "silent_intents",
    "hold_if",
}
