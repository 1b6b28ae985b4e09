"""Reads what the desk knows (classifiers/) and says (templates/), and renders answers.

Rule: a value put into a template is text, never markup. Why: the code escapes it, so no template author can forget to.
Rule: text and HTML come from one Markdown source, so they cannot say different things.
Rule: a template that cannot be compiled stops the desk at its start, not at the first mail that needs it.
"""

import difflib
import hashlib
import re
import string
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import yaml
from jinja2 import DictLoader, StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from pydantic import TypeAdapter, ValidationError

from mailflow.core.check import ANSWER_TEMPLATE, TEMPLATE_SUFFIX, Link
from mailflow.core.playbook import AudienceRow, Defaults, Intent, Playbook, SendBudget
from mailflow.core.ports import AnswerPart, RenderedAnswer
from mailflow.errors import AssetError

_T = TypeVar("_T")

# --- the playbook -----------------------------------------------------------------------------------------------------


def load_playbook(root: Path) -> Playbook:
    """The playbook in `root`/intents. Raises AssetError with the file, the key and what to do.

    Its version is a hash of all files under `root` that an answer depends on: the intents and links.yaml.
    """
    folder = root / "intents"
    defaults_file = folder / "_defaults.yaml"
    files = [path for path in sorted(folder.glob("*.yaml")) if path != defaults_file]
    if not files:
        raise AssetError(f"{folder}: no intent is here; the folder must hold one YAML file an intent")
    return Playbook(
        defaults=_validated(TypeAdapter(Defaults), defaults_file),
        intents={path.stem: _load_intent(path) for path in files},
        version=_version({path.name: _read(path) for path in (defaults_file, *files, root / "links.yaml")}),
    )


def load_links(root: Path) -> dict[str, Link]:
    """The entries of `root`/links.yaml by name. Raises AssetError."""
    return _validated(TypeAdapter(dict[str, Link]), root / "links.yaml")


def load_templates(root: Path) -> dict[str, str]:
    """File name -> source of each template in `root`, partials too. Raises AssetError."""
    sources = {path.name: _decoded(path) for path in sorted(root.glob("*" + TEMPLATE_SUFFIX))}
    if ANSWER_TEMPLATE not in sources:
        raise AssetError(f"{root / ANSWER_TEMPLATE}: is missing; every answer is put together by it")
    return sources


def _load_intent(path: Path) -> Intent:
    intent = _validated(TypeAdapter(Intent), path)
    if intent.intent != path.stem:
        raise AssetError(
            f"{path}: intent is `{intent.intent}`, but a file is named after its intent; rename one of them"
        )
    return intent


def _validated(adapter: TypeAdapter[_T], path: Path) -> _T:
    try:
        return adapter.validate_python(_read_yaml(path))
    except ValidationError as error:
        sentences = [_sentence(detail["loc"], detail["type"], detail["msg"]) for detail in error.errors()]
        raise AssetError(f"{path}: {'; '.join(sentences)}") from error


_KNOWN_KEYS = sorted({key for model in (Intent, AudienceRow, Defaults, SendBudget, Link) for key in model.model_fields})


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
        return yaml.load(_decoded(path), Loader=_NoDuplicates)  # noqa: S506  (a SafeLoader)
    except yaml.YAMLError as error:
        raise AssetError(f"{path}: is not valid YAML: {' '.join(str(error).split())}; mend it") from error


def _decoded(path: Path) -> str:
    try:
        return _read(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise AssetError(f"{path}: is not UTF-8 ({error}); save it as UTF-8") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AssetError(f"{path}: cannot be read: {error.strerror}; restore the file or its permissions") from error


def _version(contents: Mapping[str, bytes]) -> str:
    """The first 12 hex digits of a SHA-256 over names, lengths and contents."""
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


# --- values become Markdown -------------------------------------------------------------------------------------------


class Markdown(str):
    """Text that is Markdown already and goes into a template as it is. Every other value is escaped."""

    __slots__ = ()


_ESCAPES = {ord(char): "\\" + char for char in string.punctuation}


def escape_markdown(value: str) -> Markdown:
    """`value` as Markdown that shows just these characters on one line (CommonMark 0.31, 2.4: backslash escapes)."""
    return Markdown(" ".join(value.split()).translate(_ESCAPES))


def _finalize(value: object) -> Markdown:
    return value if isinstance(value, Markdown) else escape_markdown(str(value))


def link_markdown(link: Link) -> Markdown:
    """A link with its label, a click path as its literal words in quotes, a handle or channel as it is written."""
    label = escape_markdown(link.label)
    if link.url:
        note = " (portal login required)" if link.login_required else ""
        return Markdown(f"[{label}](<{link.url}>){note}")
    return Markdown(f"**{label}**" if link.label.startswith(("@", "#")) else f'"**{label}**"')


LONGEST_NAME = 60
MOST_NAME_WORDS = 6
_NAME_MARKS = frozenset(" .'’-")
_LIKE_A_HOST = re.compile(r"\.\w{2,}")


def inert_name(name: str) -> str:
    """`name` if it can only be a person's name, else '' (the greeting then goes without).

    Letters with their marks, spaces and . ' ’ - only; nothing that reads like a host name; at most 60 characters.
    """
    plain = " ".join(unicodedata.normalize("NFC", name).split())
    is_name = (
        0 < len(plain) <= LONGEST_NAME
        and len(plain.split()) <= MOST_NAME_WORDS
        and all(char in _NAME_MARKS or unicodedata.category(char)[0] in "LM" for char in plain)
        and unicodedata.category(plain[0])[0] == "L"
        and not _LIKE_A_HOST.search(plain)
    )
    return plain if is_name else ""


# --- Markdown becomes plain text --------------------------------------------------------------------------------------


def to_text(markdown: str) -> str:
    """`markdown` as plain text: steps keep their numbers, a link reads `label: address`. Raises AssetError."""
    return _join_blocks(SyntaxTreeNode(_MARKDOWN.parse(markdown)).children) + "\n"


def _block(node: SyntaxTreeNode) -> str:
    if node.type not in _BLOCKS:
        raise AssetError(f"Markdown `{node.type}` has no plain-text form; use headings, paragraphs, lists")
    return _BLOCKS[node.type](node)


def _join_blocks(nodes: Iterable[SyntaxTreeNode], between: str = "\n\n") -> str:
    return between.join(map(_block, nodes))


def _heading(node: SyntaxTreeNode) -> str:
    title = _join_inline(node)
    return f"{title}\n{'-' * len(title)}"


def _ordered_list(node: SyntaxTreeNode) -> str:
    start = int(node.attrs.get("start", 1))
    return "\n".join(_item(f"{number}. ", item) for number, item in enumerate(node.children, start))


def _bullet_list(node: SyntaxTreeNode) -> str:
    return "\n".join(_item("- ", item) for item in node.children)


def _item(bullet: str, node: SyntaxTreeNode) -> str:
    lines = _join_blocks(node.children, "\n").split("\n")
    return bullet + ("\n" + " " * len(bullet)).join(lines)


def _join_inline(node: SyntaxTreeNode) -> str:
    return "".join(map(_inline, node.children))


def _inline(node: SyntaxTreeNode) -> str:
    if node.type not in _INLINES:
        raise AssetError(f"Markdown `{node.type}` has no plain-text form; use plain words, bold and links")
    return _INLINES[node.type](node)


def _link(node: SyntaxTreeNode) -> str:
    label, address = _join_inline(node), str(node.attrs["href"]).removeprefix("mailto:")
    return address if label == address.removeprefix("https://") else f"{label}: {address}"


_BLOCKS: dict[str, Callable[[SyntaxTreeNode], str]] = {
    "heading": _heading,
    "paragraph": _join_inline,
    "ordered_list": _ordered_list,
    "bullet_list": _bullet_list,
    "hr": lambda node: "--",
}

_INLINES: dict[str, Callable[[SyntaxTreeNode], str]] = {
    "inline": _join_inline,
    "text": lambda node: node.content,
    "softbreak": lambda node: " ",
    "hardbreak": lambda node: "\n",
    "strong": _join_inline,
    "em": _join_inline,
    "link": _link,
}

# --- answers ----------------------------------------------------------------------------------------------------------

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable(["image", "autolink"])

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body style="margin:0;padding:16px">
<div style="max-width:40em;font:16px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif">
{body}</div>
</body>
</html>
"""
# Why no colours: the reader's client then picks them, light or dark.


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    body: Markdown


class TemplateRenderer:
    """Renders answers from the Markdown templates in a folder (core.ports.Renderer)."""

    def __init__(self, templates_root: Path, links: Mapping[str, Link], titles: Mapping[str, str]) -> None:
        """Compile every template. `titles`: intent -> heading of its section. Raises AssetError."""
        self._root = templates_root
        self._titles = dict(titles)
        sources = load_templates(templates_root)
        self.version = _version({name: source.encode() for name, source in sources.items()})
        """Changes with any template."""
        # Why no autoescape: the output is Markdown, not HTML; _finalize escapes every value for it.
        environment = SandboxedEnvironment(
            loader=DictLoader(sources),
            undefined=StrictUndefined,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        environment.globals = {"links": SimpleNamespace(**{name: link_markdown(link) for name, link in links.items()})}
        self._templates = {name: self._compiled(environment, name) for name in sources}

    def render(self, parts: Sequence[AnswerPart], *, greeting_name: str, subject: str) -> RenderedAnswer:
        """One answer with a section a part, in order. `greeting_name` and `subject` may be hostile. Raises AssetError.

        Each part has the same audience: one mail has one reader (D1).
        """
        if len({part.audience for part in parts}) != 1:
            raise AssetError("an answer has one or more parts, all for one audience; this one has none or mixes them")
        sections = [
            _Section(self._title(part.intent), self._rendered(part.template + TEMPLATE_SUFFIX)) for part in parts
        ]
        markdown = self._rendered(ANSWER_TEMPLATE, sections=sections, greeting_name=inert_name(greeting_name))
        title = escape("".join(char for char in " ".join(subject.split()) if char.isprintable()))
        return RenderedAnswer(
            text=to_text(markdown),
            html=_PAGE.format(title=title, body=_MARKDOWN.render(markdown)),
        )

    def _title(self, intent: str) -> str:
        if intent not in self._titles:
            raise AssetError(
                f"the intent `{intent}` has no title; it is not in the playbook that the desk was started with"
            )
        return self._titles[intent]

    def _compiled(self, environment: SandboxedEnvironment, name: str) -> Template:
        try:
            return environment.get_template(name)
        except TemplateSyntaxError as error:
            raise AssetError(f"{self._root / name}, line {error.lineno}: {error.message}; mend the template") from error

    def _rendered(self, name: str, **values: object) -> Markdown:
        if name not in self._templates:
            raise AssetError(f"{self._root / name}: there is no such template; write it or mend the intent's row")
        try:
            return Markdown(self._templates[name].render(values).strip())
        except TemplateError as error:
            raise AssetError(f"{self._root / name}: {error.message}; mend the template or links.yaml") from error
