"""Reads what the desk knows (classifiers/) and says (templates/), and renders answers.

Rule: a value put into a template is text, never markup. Why: the code escapes it, so no template author can forget to.
Rule: text and HTML come from one Markdown source, so they cannot say different things.
Rule: a template that cannot be compiled stops the desk at its start, not at the first mail that needs it.
"""

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from jinja2 import DictLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from pydantic import BaseModel, TypeAdapter, ValidationError

from mailflow.core.check import ANSWER_TEMPLATE, TEMPLATE_SUFFIX, Link
from mailflow.core.playbook import AudienceRow, Defaults, Intent, Playbook, SendBudget
from mailflow.core.ports import AnswerPart, RenderedAnswer
from mailflow.errors import AssetError

LONGEST_NAME = 60
MOST_NAME_WORDS = 6

# --- the playbook -----------------------------------------------------------------------------------------------------


def load_playbook(root: Path) -> Playbook:
    """The playbook under `root`/intents and its version. Raises AssetError with the file, the key and what to do.

    The version is a hash of all files that answers depend on under `root`: the intents and links.yaml.
    """
    folder = root / "intents"
    defaults_file = folder / "_defaults.yaml"
    files = [path for path in sorted(folder.glob("*.yaml")) if path != defaults_file]
    if not files:
        raise AssetError(f"{folder}: no intent is here; the folder must hold one YAML file an intent")
    return Playbook(
        defaults=_validated(Defaults, defaults_file),
        intents={path.stem: _load_intent(path) for path in files},
        version=_digest([defaults_file, *files, root / "links.yaml"]),
    )


def load_links(root: Path) -> dict[str, Link]:
    """The entries of `root`/links.yaml by name. Raises AssetError."""
    return _validated(dict[str, Link], root / "links.yaml")


def load_templates(root: Path) -> dict[str, str]:
    """File name -> source of each template, partials too. Raises AssetError."""
    sources = {path.name: _read(path).decode() for path in sorted(root.glob("*" + TEMPLATE_SUFFIX))}
    if ANSWER_TEMPLATE not in sources:
        raise AssetError(f"{root / ANSWER_TEMPLATE}: is missing; every answer is put together by it")
    return sources


def _load_intent(path: Path) -> Intent:
    intent = _validated(Intent, path)
    if intent.intent != path.stem:
        raise AssetError(f"{path}: intent: is `{intent.intent}`; a file is named after its intent, so rename one of them")
    return intent


def _validated[T](kind: type[T], path: Path) -> T:
    try:
        return TypeAdapter(kind).validate_python(_read_yaml(path))
    except ValidationError as error:
        sentences = "; ".join(_sentence(detail["loc"], detail["type"], detail["msg"]) for detail in error.errors())
        raise AssetError(f"{path}: {sentences}") from error
