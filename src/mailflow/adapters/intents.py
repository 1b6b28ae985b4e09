"""Which intents a mail has, which one comes first, who the sender says to be, and whether any of it is to be believed.

    mailflow_intents: batch -> doc.cats, doc._.mail_primary, doc._.mail_claims, doc._.mail_role,
                      doc._.mail_familiarity

Rule: what the model cannot know it does not claim. A mail that is less familiar than all but 5 % of the mails that were
understood rightly is a stranger, and the classifier abstains: familiarity = log P(primary) + 4 nearness. So a sure
intent needs no neighbour, and a near neighbour forgives some doubt; nothing near and little certainty is a stranger.
Why both: probability sees confusion between neighbours, distance sees strangers. Measured by leaving one intent out,
the mails of an unknown intent against the rest by unseen authors: AUROC .778 by probability alone, .718 by nearness
alone, .796 by the sum; of the unknown 38 % are caught by probability alone, 41 % by the sum.
"""

from collections.abc import Sequence

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from mailflow.adapters.component import Batch, Component, Matrix, batch_of, extensions
from mailflow.adapters.heads import head_scores, sigmoid, softmax

INTENT_HEADS = ("primary", "intents", "role")
NEARNESS_WEIGHT = 4.0

extensions("mail_primary", "mail_claims", "mail_role", "mail_familiarity")


class IntentsComponent(Component):
    """Arrays: {primary,intents,role}_{coef (features + facts, classes), bias, dual (training mails, classes)}.
    Document: labels, roles, temperatures, intents_offset, claim_threshold, abstain_below."""

    def __init__(self, name: str, penalty: float) -> None:
        super().__init__(name)
        self.penalty = penalty

    @property
    def intent_labels(self) -> tuple[str, ...]:
        return tuple(self.document["labels"])

    def annotate(self, docs: Sequence[Doc]) -> None:
        primary, intents, roles = self.probabilities(batch_of(docs))
        labels, role_labels = self.intent_labels, self.document["roles"]
        for n, doc in enumerate(docs):
            doc.cats = dict(zip(labels, map(float, intents[n]), strict=True))
            doc._.mail_primary = dict(zip(labels, map(float, primary[n]), strict=True))
            doc._.mail_claims = claim(doc._.mail_primary, doc.cats, self.document["claim_threshold"])
            doc._.mail_role = role_labels[int(roles[n].argmax())]
            doc._.mail_familiarity = float(familiarity(primary[n].max(), doc._.mail_nearness))

    def probabilities(self, batch: Batch) -> tuple[Matrix, Matrix, Matrix]:
        """Primary (softmax), intents (each its own yes or no), claimed role (scores)."""
        primary, intents, roles = (head_scores(self.arrays, head, batch) for head in INTENT_HEADS)
        temperatures = self.document["temperatures"]
        return (
            softmax(primary, temperatures["primary"]),
            sigmoid(intents, temperatures["intents"], self.document["intents_offset"]),
            roles,
        )


def claim(primary: dict[str, float], intents: dict[str, float], threshold: float) -> dict[str, float]:
    """The intents that the mail has: the likeliest primary, then every other one over `threshold`, most certain first.

    The confidence of the primary is the larger of its two probabilities.
    """
    first = max(primary, key=primary.__getitem__)
    others = sorted(((p, label) for label, p in intents.items() if label != first and p >= threshold), reverse=True)
    return {first: max(primary[first], intents[first])} | {label: p for p, label in others}


def familiarity(primary: Matrix | float, nearness: Matrix | float) -> Matrix:
    """`primary`: the probability of the likeliest intent."""
    result: Matrix = np.log(np.maximum(primary, 1e-9)) + NEARNESS_WEIGHT * np.asarray(nearness)
    return result


@Language.factory(
    "mailflow_intents",
    requires=["doc._.mail_nearness"],
    assigns=["doc.cats", "doc._.mail_primary", "doc._.mail_claims", "doc._.mail_role", "doc._.mail_familiarity"],
    default_config={"penalty": 0.4},
)
def make_intents(nlp: Language, name: str, penalty: float) -> IntentsComponent:
    return IntentsComponent(name, penalty)
