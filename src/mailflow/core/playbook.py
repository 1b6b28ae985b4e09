"""What the desk knows about each intent, as data: one YAML file an intent, read into these frozen models.

Unknown keys are refused. A row may only ask for what the code can do: facts come from FACTS, actions from PolicyAction.
"""

import hashlib
import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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
}


class PolicyAction(StrEnum):
    """SEND answers by itself; DRAFT prepares the answer for a specialist; NEVER leaves the mail to a person."""

    SEND = "send"
    DRAFT = "draft"
    NEVER = "never"


class Audience(StrEnum):
    """Who reads the answer (D1, D2): INTERNAL only for proven colleagues."""

    EXTERNAL = "external"
    INTERNAL = "internal"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


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
    queue: str
    priority: Literal["low", "normal", "high", "urgent"] = "normal"
    next_steps: tuple[str, ...] = ()
    """What the specialist does next, and in which system."""


class SendBudget(_Frozen):
    """How many automatic answers may go out. Tripping one means Review, never silence."""

    per_thread: int = Field(ge=0)
    per_sender_and_intent_3_hours: int = Field(ge=0)
    per_sender_day: int = Field(ge=0)
    per_domain_hour: int = Field(ge=0)
    desk_hour: int = Field(ge=0)


class Defaults(_Frozen):
    """classifiers/intents/_defaults.yaml."""

    kill_switch: bool
    """True: nothing is answered automatically."""
    min_confidence: float = Field(ge=0, le=1)
    min_reply_probability: float = Field(ge=0, le=1)
    """The action head must give a reply at least this much."""
    min_ignore_probability: float = Field(ge=0, le=1)
    """Silence needs at least this much of the action head."""
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


class Playbook(_Frozen):
    defaults: Defaults
    intents: dict[str, Intent]
    version: str
    """Hash of everything that was read; stored with each decision."""
    certificate: Certificate | None = None
    """What was shown of the model at work; None where nothing was."""

    def min_confidence(self, intent: str) -> float:
        own = self.intents[intent].min_confidence
        return self.defaults.min_confidence if own is None else own

    def min_reply_probability(self, intents: Sequence[str]) -> tuple[float, str]:
        """What an answer to `intents` must reach, and who asks for it: the stricter of playbook and certificate."""
        own = self.defaults.min_reply_probability, "the playbook"
        shown = (self.certificate.needed(intents), "the certificate") if self.certificate else own
        return max(own, shown, key=lambda asked: asked[0])

    @property
    def answering_rules(self) -> str:
        """Hash of all that decides whether a mail may be answered, but for what only ever holds more of them.

        Why not `version`: a mended title or link must not void a certificate.
        """
        rows = {
            name: (intent.min_confidence, intent.hold_if, {who: row.action for who, row in intent.audiences.items()})
            for name, intent in self.intents.items()
        }
        decides = self.defaults.model_dump(mode="json", include=_DECIDING_DEFAULTS), rows
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:12]


_DECIDING_DEFAULTS = {"min_confidence", "min_ignore_probability", "max_pathless_doubt", "silent_intents", "hold_if"}
