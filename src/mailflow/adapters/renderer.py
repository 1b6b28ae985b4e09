"""Answers from Markdown templates: values in, text and HTML of the same words out.

Rule: a value put into a template is text, never markup. Why: the code escapes it, so no template author can forget to.
Rule: text and HTML come from one Markdown source, so they cannot say different things.
Rule: a template that cannot be compiled stops the desk at its start, not at the first mail that needs it.
"""

import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from types import SimpleNamespace

from jinja2 import DictLoader, StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment

from mailflow.adapters.assets import Words, load_templates, load_words, version_of
from mailflow.adapters.markdown_text import MARKDOWN, tokens_to_text
from mailflow.core.check import ANSWER_TEMPLATE, ENGLISH, TEMPLATE_SUFFIX, Link
from mailflow.core.ports import AnswerPart, Letter, RenderedAnswer
from mailflow.errors import AssetError


class Markdown(str):
    """Text that is Markdown already and goes into a template as it is. Every other value is escaped."""

    __slots__ = ()


_ESCAPES = {ord(char): "\\" + char for char in string.punctuation}


def escape_markdown(value: str) -> Markdown:
    """`value` as Markdown that shows just these characters on one line (CommonMark 0.31, 2.4: backslash escapes)."""
    return Markdown(" ".join(value.split()).translate(_ESCAPES))


def _finalize(value: object) -> Markdown:
    return value if isinstance(value, Markdown) else escape_markdown(str(value))


def link_markdown(link: Link, login_required: str) -> Markdown:
    """A link with its label, a click path as its literal words in quotes, a handle or channel as it is written."""
    label = escape_markdown(link.label)
    if link.url:
        note = f" ({escape_markdown(login_required)})" if link.login_required else ""
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


# --- answers ----------------------------------------------------------------------------------------------------------

_PAGE = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
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
class Section:
    title: str
    body: Markdown


class TemplateRenderer:
    """Renders answers from the Markdown templates in a folder (core.ports.Renderer).

    English stands in the folder itself, another language in a folder of its own with the same file names. Literal words
    of the portal (links without address) are the same in every language: so they stand on the page.
    """

    def __init__(
        self,
        templates_root: Path,
        links: Mapping[str, Link],
        words: Words,
        languages: Sequence[str] = (),
        further: Mapping[str, str] | None = None,
    ) -> None:
        """Compile every template. `words`: the English ones. `further`: English templates from elsewhere.

        Raises AssetError.
        """
        self._root = templates_root
        self._words = {ENGLISH: words} | {one: load_words(templates_root / one) for one in languages}
        sources = {one: load_templates(_folder(templates_root, one)) for one in self._words}
        sources[ENGLISH] |= further or {}
        self.version = version_of(
            {f"{one}/{name}": source.encode() for one, own in sources.items() for name, source in own.items()}
        )
        """Changes with any template."""
        self._templates = {
            f"{one}/{name}": template
            for one, own in sources.items()
            for name, template in self._compiled(one, own, links).items()
        }

    def render(self, letter: Letter) -> RenderedAnswer:
        if len({part.audience for part in letter.parts}) != 1:
            raise AssetError("an answer has one or more parts, all for one audience; this one has none or mixes them")
        language = self._language(letter)
        sections = [self._section(part, language) for part in letter.parts]
        markdown = self._rendered(
            f"{language}/{ANSWER_TEMPLATE}",
            sections=sections,
            greeting_name=inert_name(letter.greeting_name),
            closing=letter.closing.value,
        )
        return self.written(markdown, letter.subject, language)

    def written(self, markdown: str, subject: str, language: str) -> RenderedAnswer:
        title = escape("".join(char for char in " ".join(subject.split()) if char.isprintable()))
        tokens = MARKDOWN.parse(markdown)
        body = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {})
        page = _PAGE.format(language=escape(language), title=title, body=body)
        return RenderedAnswer(tokens_to_text(tokens), page, language, str(markdown))

    def speaks(self, part: AnswerPart, language: str) -> bool:
        """Whether `part` is there in `language`."""
        return f"{language}/{part.template}{TEMPLATE_SUFFIX}" in self._templates

    def _language(self, letter: Letter) -> str:
        """The reader's, if every part is there in it: no answer mixes two."""
        return letter.language if all(self.speaks(part, letter.language) for part in letter.parts) else ENGLISH

    def _section(self, part: AnswerPart, language: str) -> Section:
        words = self._words[language]
        missing = [_named(words.slots, slot, "slot") for slot in part.missing]
        name = f"{language}/{part.template}{TEMPLATE_SUFFIX}"
        body = self._rendered(name, branch=part.branch, missing=missing)
        return Section(_named(words.titles, part.intent, "intent"), body)

    def _compiled(self, language: str, sources: Mapping[str, str], links: Mapping[str, Link]) -> dict[str, Template]:
        """By file name."""
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
        note = self._words[language].login_required
        environment.globals = {
            "links": SimpleNamespace(**{name: link_markdown(link, note) for name, link in links.items()})
        }
        return {name: self._template(environment, language, name) for name in sources}

    def _template(self, environment: SandboxedEnvironment, language: str, name: str) -> Template:
        try:
            return environment.get_template(name)
        except TemplateSyntaxError as error:
            file = _folder(self._root, language) / name
            raise AssetError(f"{file}, line {error.lineno}: {error.message}; mend the template") from error

    def _rendered(self, name: str, **values: object) -> Markdown:
        file = self._root / name.removeprefix(ENGLISH + "/")
        if name not in self._templates:
            raise AssetError(f"{file}: there is no such template; write it or mend the intent's row")
        try:
            return Markdown(self._templates[name].render(values).strip())
        except TemplateError as error:
            raise AssetError(f"{file}: {error.message}; mend the template or links.yaml") from error


def _folder(root: Path, language: str) -> Path:
    return root if language == ENGLISH else root / language


def _named(words: Mapping[str, str], name: str, what: str) -> str:
    if name not in words:
        raise AssetError(f"the {what} `{name}` has no words for answers; add it to _words.yaml")
    return words[name]
