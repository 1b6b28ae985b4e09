"""Canned replies as files: classifiers/canned.yaml and templates/canned/; rendered as the answers are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from pydantic import TypeAdapter

from mailflow.adapters.assets import Words, decoded, load_templates, validated
from mailflow.adapters.renderer import Section, TemplateRenderer
from mailflow.core.canned import FOLDER, Canned, check_canned, chosen, filled_in, sample_fields, template_of
from mailflow.core.check import TEMPLATE_SUFFIX, Link, Problem
from mailflow.core.playbook import Playbook
from mailflow.core.ports import AnswerPart, Closing, Letter, RenderedAnswer


def load_canned(root: Path) -> dict[str, Canned]:
    """The entries of `root`/canned.yaml by name, in their order; none where it is not there. Raises AssetError."""
    if not (root / "canned.yaml").exists():
        return {}
    return validated(TypeAdapter(dict[str, Canned]), root / "canned.yaml")


def load_canned_templates(root: Path) -> dict[str, str]:
    """Name -> source of each template in `root`/canned. Raises AssetError."""
    return {
        path.name.removesuffix(TEMPLATE_SUFFIX): decoded(path)
        for path in sorted((root / FOLDER).glob("*" + TEMPLATE_SUFFIX))
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply(AnswerPart):
    """A canned reply as the one part of a letter."""

    title: str
    fields: SimpleNamespace


class CannedRenderer(TemplateRenderer):
    """Renders canned replies inside the template of the answers, closed by a person.

    Why a renderer of answers: escaping, sandbox, links, greeting and the two forms, text and HTML, must be the same.
    """

    def __init__(
        self, templates_root: Path, links: Mapping[str, Link], words: Words, replies: Mapping[str, Canned]
    ) -> None:
        """Compile every template. Raises AssetError."""
        written = {template_of(name): source for name, source in load_canned_templates(templates_root).items()}
        super().__init__(templates_root, links, words, further=written)
        self.replies = replies

    def reply(self, name: str, fields: Mapping[str, str], greeting_name: str = "") -> RenderedAnswer:
        """Raises AssetError for an unknown name and for a field that is missing or too many.

        `fields` are text, never markup; each becomes one line. `greeting_name` may be hostile.
        """
        canned = chosen(name, self.replies)
        part = _Reply(
            intent=canned.intents[0],
            audience=canned.audience,
            template=template_of(name).removesuffix(TEMPLATE_SUFFIX),
            title=canned.title,
            fields=SimpleNamespace(**filled_in(name, canned, fields)),
        )
        return self.render(Letter((part,), greeting_name, canned.title, closing=Closing.PERSON))

    def _section(self, part: AnswerPart, language: str) -> Section:
        if not isinstance(part, _Reply):
            return super()._section(part, language)
        name = f"{language}/{part.template}{TEMPLATE_SUFFIX}"
        return Section(part.title, self._rendered(name, fields=part.fields))


def canned_problems(
    replies: Mapping[str, Canned],
    playbook: Playbook,
    links: Mapping[str, Link],
    templates_root: Path,
    renderer: CannedRenderer,
) -> list[Problem]:
    """What is wrong with the canned replies as they lie on disk; empty where all is well."""
    return check_canned(
        replies,
        playbook.intents,
        links,
        load_canned_templates(templates_root),
        load_templates(templates_root),
        lambda name: renderer.reply(name, sample_fields(replies[name])).text,
    )
