"""The labelled mails as numbers: what every head reads of them and what it aims at.

Rule: the labels of the examples are exactly the intents of the playbook, or nothing is trained.
Rule: mails of one author, and of one sender's domain, are never on both sides of a fold, so that a pair of twins cannot
help itself.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.model_selection import StratifiedGroupKFold

from mailflow.adapters.action import ACTIONS
from mailflow.adapters.component import Matrix
from mailflow.adapters.encoder import EncoderComponent
from mailflow.adapters.examples import Example, to_input
from mailflow.adapters.features import FeaturesComponent, fact_row, whole_text
from mailflow.adapters.fitting import Rows
from mailflow.adapters.memory import MemoryComponent, kernel
from mailflow.core.classification import Action, ClassifierInput
from mailflow.core.message import Role
from mailflow.errors import ModelError

FOLDS = 5
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class TrainingData:
    examples: tuple[Example, ...]
    labels: tuple[str, ...]
    roles: tuple[str, ...]
    intents: Matrix
    """(mails, labels), 1 where the mail has the intent."""
    primary: Matrix
    """One-hot, as the next two."""
    role: Matrix
    action: Matrix
    facts: Matrix
    """(mails, FACT_NAMES)."""
    internal: Matrix
    """(mails, 1), 1 for a proven colleague."""
    rows: csr_matrix
    similarities: Matrix
    """(mails, mails), 0 to 1."""
    gram: Matrix
    """(mails, mails): products of what the heads read, words and meaning."""

    @property
    def targets(self) -> dict[str, Matrix]:
        """What the heads aim at. The primary's aim is half the primary, half all intents alike.

        Why: an intent that comes second in one mail is no counter-example; this is worth 1 point of accuracy.
        """
        shared = self.intents / self.intents.sum(axis=1, keepdims=True)
        return {
            "primary": (self.primary + shared) / 2,
            "intents": self.intents,
            "role": self.role,
            "plain": self.action,
        }

    @property
    def answerable(self) -> npt.NDArray[np.bool_]:
        return np.array([example.action is Action.REPLY for example in self.examples])

    def named(self, values: Matrix) -> dict[str, float]:
        """`values`: (labels,)."""
        return dict(zip(self.labels, map(float, values), strict=True))


@dataclass(frozen=True, slots=True)
class Readers:
    """The components that turn mails into numbers. `encoder`: None in the light model."""

    features: FeaturesComponent
    encoder: EncoderComponent | None
    memory: MemoryComponent


def require_labels(examples: Sequence[Example], labels: Sequence[str]) -> None:
    """Raises ModelError if the examples' intents are not exactly `labels`."""
    found = {intent for example in examples for intent in example.intents}
    if missing := sorted(set(labels) - found):
        raise ModelError(f"no examples for {', '.join(missing)}: write classifiers/examples/<intent>.jsonl")
    if unknown := sorted(found - set(labels)):
        raise ModelError(f"examples with intents that the playbook does not have: {', '.join(unknown)}")


def training_data(
    examples: tuple[Example, ...], labels: tuple[str, ...], readers: Readers, progress: Callable[[float], None]
) -> TrainingData:
    """Reads the mails as the worker does, fits the features and fills the memory. `progress`: 0 to 1."""
    mails = [to_input(example) for example in _told(examples, lambda done: progress(0.3 * done))]
    rows = readers.features.fit(mails)
    vectors = _vectors(readers.encoder, mails, lambda done: progress(0.3 + 0.6 * done))
    memory = readers.memory
    remembered = [
        (
            one.id,
            (one.primary, *(intent for intent in one.intents if intent != one.primary)),
            one.action,
            whole_text(mail),
        )
        for one, mail in zip(examples, mails, strict=True)
    ]
    words = rows[:, : len(readers.features.vectorizer.words)]
    memory.remember(remembered, words, vectors)
    meaning = memory.meaning(vectors) if memory.reads_meaning else None
    gram = np.asarray((rows @ rows.T).todense(), dtype=np.float64)
    if meaning is not None:
        gram += memory.kernel_weight * kernel(meaning)
    facts = np.array([fact_row(mail) for mail in mails])
    roles = tuple(role.value for role in Role)
    return TrainingData(
        examples=examples,
        labels=labels,
        roles=roles,
        intents=np.array([[label in example.intents for label in labels] for example in examples], dtype=np.float64),
        primary=_one_hot([example.primary for example in examples], labels),
        role=_one_hot([example.role.value for example in examples], roles),
        action=_one_hot([example.action.value for example in examples], ACTIONS),
        facts=facts,
        internal=np.array([[mail.is_authenticated_internal] for mail in mails], dtype=np.float64),
        rows=rows,
        similarities=memory.similarities(words, meaning),
        gram=gram,
    )


def _told(items: Sequence[_Item], progress: Callable[[float], None]) -> Iterator[_Item]:
    for n, item in enumerate(items):
        progress(n / len(items))
        yield item


def _vectors(
    encoder: EncoderComponent | None, mails: Sequence[ClassifierInput], progress: Callable[[float], None]
) -> Matrix:
    if encoder is None:
        return np.zeros((len(mails), 0))
    return encoder.vectors([whole_text(mail) for mail in mails], progress)


def _one_hot(values: Sequence[str], names: Sequence[str]) -> Matrix:
    return np.array([[value == name for name in names] for value in values], dtype=np.float64)


# --- folds ------------------------------------------------------------------------------------------------------------


def domain_folds(data: TrainingData) -> Rows:
    """FOLDS of them, stratified by primary, grouped by the sender's domain; colleagues, who share one, by address."""
    groups = [
        example.from_addr.lower() if example.role is Role.INTERNAL else example.domain or example.id
        for example in data.examples
    ]
    folds = np.zeros(len(groups), dtype=np.int64)
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for fold, (_, unseen) in enumerate(splitter.split(np.zeros(len(groups)), data.primary.argmax(1), groups)):
        folds[unseen] = fold
    return folds


def author_folds(data: TrainingData) -> Rows:
    """One fold an author; of fewer than three authors' mails, the domains' folds."""
    authors = sorted({example.author for example in data.examples})
    if len(authors) < 3:  # the stacked head needs two folds beside the one left out
        return domain_folds(data)
    return np.array([authors.index(example.author) for example in data.examples], dtype=np.int64)
