"""What the classifier says of a mail. A value; how it came to be is the adapter's business.

Confidences are calibrated probabilities in [0, 1].
"""

from dataclasses import dataclass
from enum import StrEnum

from mailflow.core.message import Role


class Action(StrEnum):
    """What a careful senior specialist would do (labels.md, "Expected action")."""

    REPLY = "reply"
    REVIEW = "review"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of the classified text that spoke for an intent."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class IntentScore:
    intent: str
    confidence: float
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training mail that is like the classified one."""

    example_id: str
    intents: tuple[str, ...]
    """The primary first."""
    action: Action
    similarity: float
    """1 for a twin, 0 for a mail that shares nothing."""
    excerpt: str
    """How it begins: 100 characters at most."""

    @property
    def document(self) -> dict[str, object]:
        """As it is stored and printed."""
        return {
            "example": self.example_id,
            "intents": list(self.intents),
            "action": self.action.value,
            "similarity": round(self.similarity, 4),
            "excerpt": self.excerpt,
        }


@dataclass(frozen=True, slots=True)
class Slot:
    """Something particular that the mail names: an order number, a count of seats. Shown, never sent back."""

    name: str
    """An entry of classifiers/slots.yaml."""
    text: str
    """As it stands in the mail."""


@dataclass(frozen=True, slots=True)
class ActionScores:
    """P(reply), P(review), P(none) of the action head; they sum to 1."""

    reply: float
    review: float
    none: float

    @property
    def best(self) -> Action:
        return max(Action, key=lambda action: float(getattr(self, action.value)))


@dataclass(frozen=True, slots=True)
class Classification:
    intents: tuple[IntentScore, ...]
    """The intents that the mail has, the primary first. Empty where the model abstains."""
    runner_up: IntentScore | None
    """The likeliest intent that was not claimed."""
    actions: ActionScores
    role: Role
    """Who the sender says to be; a claim read from the text, never a proof."""
    model_version: str
    abstained: str = ""
    """Why the model does not want to be believed for this mail; '' if it does."""
    neighbours: tuple[Neighbour, ...] = ()
    """The training mails most like it, the nearest first."""
    nearness: float = 0.0
    """How near the training mails are altogether, 0 to 1; the mail of a stranger has little of it."""
    flip: str = ""
    """What would change the primary intent: the runner-up and what speaks for it, one sentence. '' without one."""
    slots: tuple[Slot, ...] = ()
    """In the order of the text, each once."""

    @property
    def primary(self) -> IntentScore | None:
        return self.intents[0] if self.intents else None


@dataclass(frozen=True, slots=True)
class ClassifierInput:
    """What the classifier sees of a mail: text and the facts beside it (all known before any model runs)."""

    subject: str
    content: str
    role: Role
    is_authenticated_internal: bool
    attachment_names: tuple[str, ...] = ()
    has_deliverable: bool = False
    is_follow_up: bool = False
    has_quote: bool = False
    cc_count: int = 0
    language: str = ""
    origin: str = "human"
