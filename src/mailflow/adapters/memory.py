"""The training mails, kept at hand: which of them a mail is like, for the kernel of the heads, the gate and the reader.

    mailflow_memory: row, doc.tensor -> the kernel in doc.user_data, doc._.mail_neighbours, doc._.mail_nearness

Two mails are alike in words (cosine of the TF-IDF of words) and, with an encoder before this component, in meaning
(cosine of the vectors): two parts words, one part meaning. Why: measured on mail of unseen authors, the nearest mail
has the same intent in 65 % by both, 58 % by either alone.
The kernel is Gaussian in meaning, exp(-|u - v|^2); without encoder there is none.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack
from spacy.language import Language
from spacy.tokens import Doc

from mailflow.adapters.component import KERNEL, ROW, Component, Matrix, extensions, on_grain
from mailflow.adapters.encoder import VECTOR_GRAIN
from mailflow.core.classification import Action, Neighbour
from mailflow.errors import ModelError

ASKED, NEAREST, EXCERPT = 10, 5, 100
"""Neighbours that the gate asks; mails whose mean similarity is the nearness; characters of an excerpt."""
WORDS_SHARE = 2 / 3

extensions("mail_neighbours", "mail_nearness")


class MemoryComponent(Component):
    """Arrays: words_{data,indices,indptr}, a sparse (words, mails); with an encoder, vectors (mails, dimensions) in
    VECTOR_GRAINs. Document: mails, each [id, intents (primary first), action, excerpt]."""

    def __init__(self, name: str, kernel_weight: float) -> None:
        super().__init__(name)
        self.kernel_weight = kernel_weight
        self._words = csr_matrix((0, 0))
        self._vectors: Matrix = np.zeros((0, 0))

    @property
    def reads_meaning(self) -> bool:
        return self.kernel_weight > 0

    def remember(
        self, mails: Sequence[tuple[str, Sequence[str], Action, str]], words: csr_matrix, vectors: Matrix
    ) -> None:
        """`mails`: id, intents, action, text. `words`: their rows' columns of words. `vectors`: for the kernel."""
        kept = words.T.tocsr()
        self.arrays = {
            "words_data": kept.data.astype(np.float32),
            "words_indices": kept.indices.astype(np.int32),
            "words_indptr": kept.indptr.astype(np.int32),
        }
        if self.reads_meaning:
            self.arrays["vectors"] = np.rint(vectors / VECTOR_GRAIN).astype(np.int16)
        self.document = {
            "mails": [
                [name, list(intents), action.value, " ".join(text.split())[:EXCERPT]]
                for name, intents, action, text in mails
            ]
        }
        self.restored()

    def restored(self) -> None:
        parts = tuple(self.arrays[f"words_{part}"] for part in ("data", "indices", "indptr"))
        self._words = csr_matrix(parts, shape=(len(parts[2]) - 1, len(self.document["mails"])))
        if self.reads_meaning:
            self._vectors = np.ascontiguousarray(self.arrays["vectors"].T * VECTOR_GRAIN)

    def annotate(self, docs: Sequence[Doc]) -> None:
        rows = vstack([doc.user_data[ROW] for doc in docs]).tocsr()
        meaning = self.meaning(np.array([self._vector(doc) for doc in docs])) if self.reads_meaning else None
        similarities = self.similarities(rows, meaning)
        kernels = np.zeros((len(docs), 0)) if meaning is None else kernel(meaning)
        for doc, similarity, row in zip(docs, similarities, kernels, strict=True):
            doc.user_data[KERNEL] = row
            doc._.mail_neighbours = self.neighbours(similarity)
            doc._.mail_nearness = nearness(similarity)

    @staticmethod
    def _vector(doc: Doc) -> Matrix:
        if doc.tensor.size == 0:
            raise ModelError("mailflow_memory has a kernel_weight but no mailflow_encoder before it in the pipeline")
        vector: Matrix = doc.tensor[0]
        return vector

    def meaning(self, vectors: Matrix) -> Matrix:
        """(mails, training mails): cosines, exact: both are on VECTOR_GRAIN."""
        result: Matrix = vectors @ self._vectors
        return result

    def similarities(self, rows: csr_matrix, meaning: Matrix | None) -> Matrix:
        """(mails, training mails), 0 to 1. `rows`: of mailflow_features."""
        # a row's words have the length 1/sqrt(2), half of the row
        words: Matrix = 2 * (rows[:, : self._words.shape[0]] @ self._words).toarray().astype(np.float64)
        both = words if meaning is None else WORDS_SHARE * words + (1 - WORDS_SHARE) * meaning
        result: Matrix = np.clip(both, 0, 1)
        return result

    def neighbours(self, similarities: Matrix) -> tuple[Neighbour, ...]:
        """The ASKED nearest training mails, the nearest first. `similarities`: (training mails,)."""
        mails = self.document["mails"]
        return tuple(
            Neighbour(name, tuple(intents), Action(action), float(similarities[n]), excerpt)
            for n in nearest(similarities, ASKED)
            for name, intents, action, excerpt in [mails[n]]
        )


def kernel(meaning: Matrix) -> Matrix:
    """exp(-|u - v|^2) of unit vectors from their cosines, on the grain."""
    return on_grain(np.exp(2 * meaning - 2))


def nearest(similarities: Matrix, count: int) -> npt.NDArray[np.intp]:
    """The places of the `count` largest, the largest first; of twins, the earlier first."""
    count = min(count, len(similarities))
    top = np.sort(np.argpartition(-similarities, count - 1)[:count])
    result: npt.NDArray[Any] = top[np.argsort(-similarities[top], kind="stable")]
    return result


def nearness(similarities: Matrix) -> float:
    """The mean of the NEAREST largest."""
    return float(similarities[nearest(similarities, NEAREST)].mean())


@Language.factory("mailflow_memory", assigns=["doc._.mail_neighbours", "doc._.mail_nearness"])
def make_memory(nlp: Language, name: str, kernel_weight: float) -> MemoryComponent:
    return MemoryComponent(name, kernel_weight)
