"""What the pipeline's own components share: state that is arrays and a JSON document, and arithmetic that repeats.

Rule: a model is arrays and word lists (.npy, .json), never a pickle; loaded again it gives the same bits.
Rule: a loaded model is for work. It holds an array as narrow as it is stored, lets go of what only a file needs, and so
is not written a second time: copy its folder.
Rule: what a component says of a mail depends on that mail alone, not on the batch around it or the number of cores.
Why a grain: numbers that are multiples of one power of two add up without rounding, so that a matrix product gives the
same bits in whatever order, batch or thread it is summed. Only such products run on BLAS while mail is classified.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from threadpoolctl import ThreadpoolController

from mailflow.core.classification import ClassifierInput
from mailflow.errors import ModelError

Matrix = npt.NDArray[np.floating[Any]]
Array = npt.NDArray[Any]

MAIL = "mailflow.input"
"""Key of Doc.user_data: the ClassifierInput."""
ROW = "mailflow.row"
"""A Row: TF-IDF and facts."""
BATCH = "mailflow.batch"
"""The Batch that the mail is in."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What is not 0 of one mail. Why not SciPy's: for one mail its checks take longer than its arithmetic."""

    columns: Array
    """Ascending."""
    values: Matrix


def as_matrix(rows: Sequence[Row], width: int) -> csr_matrix:
    """(mails, width)."""
    ends = np.cumsum([0, *(len(row.columns) for row in rows)], dtype=np.int32)
    columns = np.concatenate([row.columns for row in rows]).astype(np.int32, copy=False)
    return csr_matrix((np.concatenate([row.values for row in rows]), columns, ends), shape=(len(rows), width))


def narrowed(rows: Sequence[Row]) -> tuple[Array, csr_matrix]:
    """The columns that any of them has, ascending, and the rows over these alone: (mails, columns)."""
    if len(rows) == 1:
        columns = rows[0].columns
        places = [np.arange(len(columns), dtype=np.int32)]
    else:
        columns, found = np.unique(np.concatenate([row.columns for row in rows]), return_inverse=True)
        places = np.split(found, np.cumsum([len(row.columns) for row in rows[:-1]]))
    return columns, as_matrix([Row(place, row.values) for place, row in zip(places, rows, strict=True)], len(columns))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What the heads read of some mails, once for all heads."""

    rows: Sequence[Row]
    columns: Array
    """Those that any of the mails has."""
    narrow: csr_matrix
    """(mails, columns)."""
    kernel: Matrix
    """(mails, training mails): how alike in meaning each is."""

    def beside(self, further: Matrix, start: int) -> "Batch":
        """With columns from `start` on, behind all others. `further`: (mails, columns)."""
        added = np.arange(start, start + further.shape[1], dtype=np.int32)
        rows = [
            Row(np.concatenate((row.columns, added)), np.concatenate((row.values, one)))
            for row, one in zip(self.rows, further.astype(np.float32), strict=True)
        ]
        return Batch(rows, *narrowed(rows), self.kernel)


def batch_of(docs: Sequence[Doc]) -> Batch:
    """What mailflow_memory has read of them. Raises ModelError for docs that it saw in other batches: spaCy hands
    each component the same ones."""
    batch: Batch = docs[0].user_data[BATCH]
    if [doc.user_data[BATCH] for doc in docs] != [batch] * len(batch.rows):
        raise ModelError("the components of the pipeline were given different batches")
    return batch


class Component(Pipe):
    """A component whose whole state is named arrays and a JSON document."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrays: dict[str, Array] = {}
        self.document: dict[str, Any] = {}
        self._is_loaded = False

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
        if self._is_loaded:
            raise ModelError(f"{self.name} was loaded for work: to keep a model elsewhere, copy its folder")
        path.mkdir(parents=True, exist_ok=True)
        for name, array in sorted(self.arrays.items()):
            np.save(path / f"{name}.npy", array, allow_pickle=False)
        text = json.dumps(self.document, ensure_ascii=False, sort_keys=True)
        (path / "document.json").write_text(text, encoding="utf-8")

    def from_disk(self, path: Path, *, exclude: Iterable[str] = ()) -> "Component":
        self.document = json.loads((path / "document.json").read_text(encoding="utf-8"))
        self.arrays = {file.stem: np.load(file, allow_pickle=False) for file in sorted(path.glob("*.npy"))}
        self.restored()
        self._is_loaded = True
        return self

    def restored(self) -> None:
        """Called when the state is there."""


def extensions(*names: str) -> None:
    """Declare `doc._.<name>` for each."""
    for name in names:
        if not Doc.has_extension(name):
            Doc.set_extension(name, default=None)
