"""Answer, hold or ignore: two action heads, and the gate over them.

    mailflow_action: batch, intents, neighbours -> doc._.mail_actions

The plain head reads what the intent heads read, the stacked one the intents' probabilities beside it. The gate says how
likely an automatic answer to the claimed intents is right.
Why a gate: most wrong answers are right in that an answer was due, and wrong in what was answered.
Rule: the gate learns from neighbours by other authors alone, as it will find them at work.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from mailflow.adapters.component import Component, Matrix, batch_of, extensions, mail_of
from mailflow.adapters.features import fact_row
from mailflow.adapters.heads import beside, gate_probability, head_scores, logit, softmax
from mailflow.adapters.memory import NEAREST
from mailflow.core.classification import Action, Neighbour

ACTIONS = tuple(action.value for action in Action)
ACTION_HEADS = ("plain", "stacked")

extensions("mail_actions")


@dataclass(frozen=True, slots=True)
class GateInput:
    """What the gate reads of one mail."""

    plain: Sequence[float]
    """P(reply), P(review), P(none) of the plain head."""
    stacked: Sequence[float]
    primary: dict[str, float]
    intents: dict[str, float]
    claims: dict[str, float]
    neighbours: tuple[Neighbour, ...]
    facts: Sequence[float]


def gate_row(mail: GateInput) -> list[float]:
    """What the heads say and how sure they are, what neighbours say, the facts, which intents are claimed."""
    return [*_margins(mail), *_neighbours(mail), *mail.facts, *(float(label in mail.claims) for label in mail.primary)]


def _margins(mail: GateInput) -> list[float]:
    reply, none = ACTIONS.index(Action.REPLY), ACTIONS.index(Action.NONE)
    rest = max((p for label, p in mail.intents.items() if label not in mail.claims), default=0.0)
    first, second, *_ = sorted((*mail.primary.values(), 0.0), reverse=True)
    return [
        logit(mail.plain[reply]),
        logit(mail.stacked[reply]),
        logit(min(mail.claims.values())),
        float(len(mail.claims)),
        logit(rest),
        logit(first),
        logit(second),
        logit(mail.plain[none]),
        logit(mail.stacked[none]),
    ]


def _neighbours(mail: GateInput) -> list[float]:
    """How near they are, and the shares that were answered, that have the claimed primary, and that have both."""
    first = next(iter(mail.claims))
    similarities = [one.similarity for one in mail.neighbours]
    answered = [one.action is Action.REPLY for one in mail.neighbours]
    alike = [one.intents[0] == first for one in mail.neighbours]
    both = [one and other for one, other in zip(answered, alike, strict=True)]
    count = len(mail.neighbours)
    return [
        similarities[0],
        float(np.mean(similarities[:NEAREST])),
        *(sum(one) / count for one in (answered, alike, both)),
    ]


class ActionComponent(Component):
    """Arrays: {plain,stacked}_{coef,bias,dual}, gate_{coef,bias}. Document: temperatures."""

    def annotate(self, docs: Sequence[Doc]) -> None:
        batch = batch_of(docs)
        internal = np.array([[mail_of(doc).is_authenticated_internal] for doc in docs], dtype=np.float64)
        primary = np.array([list(doc._.mail_primary.values()) for doc in docs])
        read = {"plain": batch, "stacked": batch.beside(beside(primary, internal), len(self.arrays["plain_coef"]))}
        said = {
            head: softmax(head_scores(self.arrays, head, read[head]), self.document["temperatures"][head])
            for head in ACTION_HEADS
        }
        gates = [
            gate_row(
                GateInput(
                    plain=said["plain"][n],
                    stacked=said["stacked"][n],
                    primary=doc._.mail_primary,
                    intents=doc.cats,
                    claims=doc._.mail_claims,
                    neighbours=doc._.mail_neighbours,
                    facts=fact_row(mail_of(doc)),
                )
            )
            for n, doc in enumerate(docs)
        ]
        right = gate_probability(self.arrays, np.array(gates))
        for doc, actions in zip(docs, gated(said["stacked"], right), strict=True):
            doc._.mail_actions = actions


def gated(stacked: Matrix, right: Matrix) -> Matrix:
    """(mails, ACTIONS): P(reply) is `right`, what is left is shared as the stacked head shares it."""
    others = stacked[:, 1:] / stacked[:, 1:].sum(axis=1, keepdims=True)
    result: Matrix = np.hstack([right[:, None], (1 - right[:, None]) * others])
    return result


@Language.factory(
    "mailflow_action",
    requires=["doc.cats", "doc._.mail_primary", "doc._.mail_claims", "doc._.mail_neighbours"],
    assigns=["doc._.mail_actions"],
)
def make_action(nlp: Language, name: str) -> ActionComponent:
    return ActionComponent(name)
