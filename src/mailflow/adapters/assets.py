"""Reads what the desk knows (classifiers/) and says (templates/). A fault is an AssetError: file, key, what to do."""

import difflib
import hashlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from mailflow.core.check import ANSWER_TEMPLATE, TEMPLATE_SUFFIX, Link
from mailflow.core.playbook import AudienceRow, Branching, Defaults, Intent, Playbook, QuietHours, SendBudget, SlotRule
from mailflow.errors import AssetError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Words:
    """templates/<language>/_words.yaml: what stands in an answer beside its templates."""

    login_required: str
    """Behind a link that needs a portal login (R33)."""
    titles: dict[str, str]
    """Intent -> heading of its section."""
    slots: dict[str, str]
    """Slot -> how an answer asks for it."""


# --- the playbook -----------------------------------------------------------------------------------------------------


def load_playbook(root: Path) -> Playbook:
    """The playbook in `root`/intents. Raises AssetError with the file, the key and what to do.

    Its version is a hash of all files under `root` that an answer depends on: the intents, links.yaml and
    slots.yaml.
    """
    folder = root / "intents"
    defaults_file = folder / "_defaults.yaml"
    files = [path for path in sorted(folder.glob("*.yaml")) if path != defaults_file]
    if not files:
        raise AssetError(f"{folder}: no intent is here; the folder must hold one YAML file an intent")
    return Playbook(
        defaults=validated(TypeAdapter(Defaults), defaults_file),
        intents={path.stem: _load_intent(path) for path in files},
        slots=validated(TypeAdapter(dict[str, SlotRule]), root / "slots.yaml"),
        version=version_of(
            {path.name: _read(path) for path in (defaults_file, *files, root / "links.yaml", root / "slots.yaml")}
        ),
    )


def load_links(root: Path) -> dict[str, Link]:
    """The entries of `root`/links.yaml by name. Raises AssetError."""
    return validated(TypeAdapter(dict[str, Link]), root / "links.yaml")


def load_templates(root: Path) -> dict[str, str]:
    """File name -> source of each template in `root`, partials too. Raises AssetError."""
    sources = {path.name: decoded(path) for path in sorted(root.glob("*" + TEMPLATE_SUFFIX))}
    if ANSWER_TEMPLATE not in sources:
        raise AssetError(f"{root / ANSWER_TEMPLATE}: is missing; every answer is put together by it")
    return sources


def load_words(folder: Path) -> Words:
    """What stands beside the templates of one language. Raises AssetError."""
    return validated(TypeAdapter(Words), folder / "_words.yaml")


def english_words(playbook: Playbook) -> Words:
    """The playbook is written in English: its titles, and how its slots are asked for."""
    return Words(
        login_required="portal login required",
        titles={name: intent.title for name, intent in playbook.intents.items()},
        slots={name: rule.ask for name, rule in playbook.slots.items()},
    )


def _load_intent(path: Path) -> Intent:
    intent = validated(TypeAdapter(Intent), path)
    if intent.intent != path.stem:
        raise AssetError(
            f"{path}: intent is `{intent.intent}`, but a file is named after its intent; rename one of them"
        )
    return intent


def validated(adapter: TypeAdapter[_T], path: Path) -> _T:
    try:
        return adapter.validate_python(_read_yaml(path))
    except ValidationError as error:
        sentences = [_sentence(detail["loc"], detail["type"], detail["msg"]) for detail in error.errors()]
        raise AssetError(f"{path}: {'; '.join(sentences)}") from error


_MODELS = (Intent, AudienceRow, Branching, Defaults, SendBudget, QuietHours, SlotRule, Link)
_KNOWN_KEYS = sorted({key for model in _MODELS for key in model.model_fields})


def _sentence(location: Sequence[int | str], kind: str, message: str) -> str:
    """One schema error as a sentence that says what to do."""
    key = ".".join(map(str, location)) or "the whole file"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(location[-1]), _KNOWN_KEYS, n=1)
        return f"{key} is not a known key; " + (f"did you mean `{near[0]}`?" if near else "remove it")
    if kind == "missing":
        return f"{key} is missing; add it"
    return f"{key} cannot be used: {message[0].lower()}{message[1:]}; mend the value"


class _NoDuplicates(yaml.SafeLoader):
    """Refuses a key that stands twice. Why: YAML would keep the last one and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key `{key}` stands twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> object:
    try:
        return yaml.load(decoded(path), Loader=_NoDuplicates)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        raise AssetError(f"{path}: is not valid YAML: {' '.join(str(error).split())}; mend it") from error


def decoded(path: Path) -> str:
    try:
        return _read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise AssetError(f"{path}: is not UTF-8 ({error}); save it as UTF-8") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AssetError(f"{path}: cannot be read: {error.strerror}; restore the file or its permissions") from error


def version_of(contents: Mapping[str, bytes]) -> str:
    """The first 12 hex digits of a SHA-256 over names, lengths and contents."""
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:12]
