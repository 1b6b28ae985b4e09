"""What the pipeline's own components share: state that is arrays and a JSON document, and arithmetic that repeats.

Rule: a model is arrays and word lists (.npy, .json), never a pickle; loaded again it gives the same bits.
Rule: what a component says of a mail depends on that mail alone, not on the batch around it or the number of cores.
Why a grain: numbers that are multiples of one power of two add up without rounding, so that a matrix product gives the
same bits in whatever order, batch or thread it is summed. Only such products run on BLAS while mail is classified.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from threadpoolctl import ThreadpoolController

from mailflow.core.classification import ClassifierInput

Matrix = npt.NDArray[np.floating[Any]]
Array = npt.NDArray[Any]

MAIL = "mailflow.input"
"""Key of Doc.user_data: the ClassifierInput."""
ROW = "mailflow.row"
"""TF-IDF and facts, a sparse row."""
KERNEL = "mailflow.kernel"
"""(training mails,): how alike in meaning each is."""

GRAIN = 2.0**-20
"""Of kernels and of the weights that they meet. Exact while the absolute sum stays below 2^53 grains squared, 8,192."""


def on_grain(values: Matrix, grain: float = GRAIN) -> Matrix:
    """The nearest multiples of `grain`, as float64."""
    result: Matrix = np.rint(np.asarray(values, dtype=np.float64) / grain) * grain
    return result


def single_threaded() -> AbstractContextManager[Any]:
    """A context in which BLAS uses one thread, so that its sums do not depend on the number of cores."""
    context: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return context


@cache
def _controller() -> ThreadpoolController:
    """Once, because it looks through all libraries of the process."""
    return ThreadpoolController()


def mail_of(doc: Doc) -> ClassifierInput:
    mail: ClassifierInput = doc.user_data[MAIL]
    return mail


class Component(Pipe):
    """A component whose whole state is named arrays and a JSON document."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrays: dict[str, Array] = {}
        self.document: dict[str, Any] = {}

    def __call__(self, doc: Doc) -> Doc:
        return next(iter(self.pipe([doc])))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 64) -> Iterator[Doc]:
        docs = iter(stream)
        while batch := list(islice(docs, batch_size)):
            self.annotate(batch)
            yield from batch

    def annotate(self, docs: Sequence[Doc]) -> None:
        raise NotImplementedError

    def to_disk(self, path: Path, *, exclude: Iterable[str] = ()) -> None:
        path.mkdir(parents=True, exist_ok=True)
        for name, array in sorted(self.arrays.items()):
            np.save(path / f"{name}.npy", _compact(array), allow_pickle=False)
        text = json.dumps(self.document, ensure_ascii=False, sort_keys=True)
        (path / "document.json").write_text(text, encoding="utf-8")

    def from_disk(self, path: Path, *, exclude: Iterable[str] = ()) -> "Component":
        self.document = json.loads((path / "document.json").read_text(encoding="utf-8"))
        self.arrays = {file.stem: _wide(np.load(file, allow_pickle=False)) for file in sorted(path.glob("*.npy"))}
        self.restored()
        return self

    def restored(self) -> None:
        """Called when the state is there."""


def halved(values: Matrix) -> Matrix:
    """`values` to the precision of 16 bits, in 32."""
    result: Matrix = values.astype(np.float16).astype(np.float32)
    return result


def _compact(array: Array) -> Array:
    """In 16 bits what loses nothing by it."""
    if array.dtype != np.float32 or not np.array_equal(halved(array), array):
        return array
    return array.astype(np.float16)


def _wide(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def extensions(*names: str) -> None:
    """Declare `doc._.<name>` for each."""
    for name in names:
        if not Doc.has_extension(name):
            Doc.set_extension(name, default=None)
