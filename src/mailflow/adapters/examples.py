"""Training mails: JSON lines under classifiers/examples, and what the worker would have shown the classifier of them.

Rule: an example goes the way of a real mail, as bytes through the same reading.
Why: a model trained on text that was cut differently from what it later sees is measured on another task.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mailflow.core.classification import Action, ClassifierInput
from mailflow.core.message import Role
from mailflow.errors import AssetError
from mailflow.reading.sender import Desk
from mailflow.reading.understand import classifier_input, understand


class Example(BaseModel):
    """One labelled mail. `facts` are what the author says decides; the labels are those of a careful specialist."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""
    author: str
    """Who wrote the example; mails of one author are never on both sides of a leave-one-author-out split."""
    from_name: str = ""
    from_addr: str = ""
    cc: tuple[str, ...] = ()
    subject: str = ""
    text: str
    headers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[str, ...] = ()
    lang: str
    role: Role
    primary: str = Field(min_length=1)
    intents: tuple[str, ...]
    action: Action
    facts: tuple[str, ...] = ()
    pair: str = ""
    """Shared by the two mails of a minimal pair: one thing decides between them."""

    @model_validator(mode="after")
    def _primary_is_an_intent(self) -> "Example":
        if self.primary not in self.intents:
            raise ValueError(f"primary `{self.primary}` is not among the intents {list(self.intents)}")
        return self

    @property
    def domain(self) -> str:
        return self.from_addr.rpartition("@")[2].lower()


@dataclass(frozen=True, slots=True)
class ExampleSet:
    examples: tuple[Example, ...]
    sha256: str
    """Of the files' bytes, in the order of their names."""


def read_examples(folder: Path, further: Sequence[Path] = ()) -> ExampleSet:
    """All examples of `folder`/*.jsonl and of the files `further`, by file name and line.

    Raises AssetError with file and line.
    """
    files = [*sorted(folder.glob("*.jsonl")), *further]
    if not files:
        raise AssetError(f"{folder}: no example is here; the folder must hold one .jsonl file an intent")
    digest = sha256()
    examples: list[Example] = []
    for file in files:
        content = _bytes(file)
        digest.update(file.name.encode() + b"\0" + content)
        examples += _labelled(file, content)
    return ExampleSet(tuple(examples), digest.hexdigest())


def read_labelled(path: Path) -> tuple[Example, ...]:
    """The mails of one .jsonl file. Raises AssetError with the line."""
    return _labelled(path, _bytes(path))


def write_labelled(path: Path, examples: Iterable[Example]) -> None:
    """One line a mail, into a neighbour first, then one rename. Raises AssetError where that cannot be written.

    For its owner alone: they are mails that came to the desk.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        fresh.touch(0o600)
        fresh.write_text("".join(one.model_dump_json() + "\n" for one in examples), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise AssetError(f"{path}: cannot be written: {error.strerror}") from error


def _labelled(path: Path, content: bytes) -> tuple[Example, ...]:
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise AssetError(f"{path}: cannot be read: {error}") from error
    return tuple(_example(line, f"{path}:{n}") for n, line in enumerate(lines, 1) if line.strip())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AssetError(f"{path}: cannot be read: {error}") from error


def contradictions(learned: Sequence[Example], held_out: Sequence[Example]) -> list[tuple[str, str]]:
    """(id, what is wrong) of each example that stands twice with other labels, or is held out too."""
    first = {(one.subject, one.text): one for one in reversed(learned)}
    unseen = {(one.subject, one.text) for one in held_out}
    found = []
    for one in learned:
        twin = first[one.subject, one.text]
        if (twin.primary, set(twin.intents), twin.action) != (one.primary, set(one.intents), one.action):
            found.append((one.id, f"is the mail {twin.id} with other labels; make them equal or remove one"))
        if (one.subject, one.text) in unseen:
            found.append((one.id, "is held out too, so nothing could be shown of the model; remove it here or there"))
    return found


def examples_by_file(read: ExampleSet) -> dict[str, set[str]]:
    """The intents that each examples file speaks of, by file name."""
    found: dict[str, set[str]] = {}
    for example in read.examples:
        found.setdefault(f"{example.primary}.jsonl", set()).update(example.intents)
    return found


def _example(line: str, place: str) -> Example:
    try:
        return Example.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "row"
        raise AssetError(f"{place}: {where}: {first['msg']}") from error


# --- the way of a real mail -------------------------------------------------------------------------------------------

EXAMPLE_DESK = Desk(
    addresses=frozenset({"partnersupport@gitlab.com"}),
    own_domains=frozenset({"gitlab.com"}),
    trusted_authserv_ids=frozenset({"mx.gitlab.com"}),
)
"""The desk that the examples were written to; its receiving server writes the proof of who is internal (D2)."""


def to_input(example: Example) -> ClassifierInput:
    """What the worker shows the classifier of this mail. `is_follow_up` is False: an example has no history."""
    return classifier_input(understand(to_bytes(example), None, EXAMPLE_DESK))


_BOUNDARY = "=_example"


def to_bytes(example: Example) -> bytes:
    """`example` as a message to the desk (RFC 5322, 8-bit header as in RFC 6532), attachments by name only. Pure."""
    typed = [(name, value) for name, value in example.headers if name.lower() != "content-type"]
    own_type = next((value for name, value in example.headers if name.lower() == "content-type"), "")
    container = own_type if own_type.startswith("multipart/") else "multipart/mixed"
    fields = [
        *typed,
        ("From", f'"{_phrase(example.from_name)}" <{example.from_addr}>' if example.from_addr else ""),
        ("To", min(EXAMPLE_DESK.addresses)),
        ("Cc", ", ".join(example.cc)),
        ("Subject", example.subject),
        ("Message-ID", f"<{sha256(example.model_dump_json().encode()).hexdigest()[:32]}@mail.example>"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'{container}; boundary="{_BOUNDARY}"'),
    ]
    head = [f"{name}: {' '.join(value.split())}" for name, value in fields if value]
    parts = [f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{example.text}"]
    if own_type and container == "multipart/mixed":
        parts.append(f"Content-Type: {own_type}\n\n")
    parts += map(_attachment, example.attachments)
    body = "".join(f"--{_BOUNDARY}\n{part}\n" for part in parts)
    return ("\n".join(head) + f"\n\n{body}--{_BOUNDARY}--\n").encode()


def _phrase(name: str) -> str:
    return name.replace("\\", "").replace('"', "")


def _attachment(filename: str) -> str:
    kind = guess_type(filename)[0] or "application/octet-stream"
    return f'Content-Type: {kind}\nContent-Disposition: attachment; filename="{_phrase(filename)}"\n\n'
