"""Canned replies: what a specialist picks, fills in and sends, and what must hold of them before they are used.

Rule: they obey the rules of the answers (core.check): no address of their own, nothing internal to partners (D1), no
promise (D3). Why: a reply under the desk's name is believed, whoever pressed the button.
Rule: every field is declared and used. Why: a field that nobody fills in would be a hole in a partner's mail.

Pure: texts and values in, sentences out. Files are read, and replies rendered, by the caller.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mailflow.core.check import (
    INCLUDED,
    JINJA_TAG,
    TEMPLATE_SUFFIX,
    USED_LINK,
    Link,
    Problem,
    check_addresses,
    check_reach,
    unfit_words,
)
from mailflow.core.playbook import Audience, RuleNumber
from mailflow.errors import AssetError

FOLDER = "canned"
"""Under templates/."""
LIST = "classifiers/canned.yaml"

_USED_FIELD = re.compile(r"\bfields\.(\w+)")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Canned(BaseModel):
    """One entry of classifiers/canned.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    """What it is for; for the specialist."""
    intents: tuple[str, ...] = Field(min_length=1)
    """To mails of which intents it may be the answer."""
    audience: Audience
    rules: tuple[RuleNumber, ...] = Field(min_length=1)
    fields: dict[str, str] = Field(default_factory=dict)
    """Name -> what the specialist fills in."""

    @field_validator("fields")
    @classmethod
    def _are_names(cls, values: dict[str, str]) -> dict[str, str]:
        if wrong := sorted(name for name, what in values.items() if not _NAME.fullmatch(name) or not what.strip()):
            raise ValueError(f"{', '.join(wrong)}: a field is a name in small letters and says what to fill in")
        return values


def template_of(name: str) -> str:
    """The file of a canned reply, under templates/."""
    return f"{FOLDER}/{name}{TEMPLATE_SUFFIX}"


def filled_in(name: str, canned: Canned, given: Mapping[str, str]) -> dict[str, str]:
    """`given`, if it fills in every field and no other. Raises AssetError that names the field."""
    for field in given:
        if field not in canned.fields:
            raise AssetError(f"the canned reply `{name}` has no field `{field}`; {_choice(field, canned.fields)}")
    missing = {field: what for field, what in canned.fields.items() if not given.get(field, "").strip()}
    if missing:
        sentences = "; ".join(f"`{field}` ({what})" for field, what in missing.items())
        raise AssetError(f"the canned reply `{name}` lacks {sentences}; fill it in")
    return dict(given)


def chosen(name: str, replies: Mapping[str, Canned]) -> Canned:
    """Raises AssetError with a near name."""
    if name not in replies:
        raise AssetError(f"there is no canned reply `{name}`; {_choice(name, replies)}")
    return replies[name]


def _choice(wrong: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(wrong, known, n=1)
    return f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known) or 'none'}"


def sample_fields(canned: Canned) -> dict[str, str]:
    """Something in each field: what belongs there, in brackets."""
    return {field: f"[{what}]" for field, what in canned.fields.items()}


# --- what must hold ---------------------------------------------------------------------------------------------------


def check_canned(
    replies: Mapping[str, Canned],
    intents: Iterable[str],
    links: Mapping[str, Link],
    templates: Mapping[str, str],
    partials: Mapping[str, str],
    render: Callable[[str], str],
) -> list[Problem]:
    """Everything that is wrong with the canned replies, in the order of the list; empty where all is well.

    `templates`: name -> source. `partials`: file name -> source of the templates that they may include.
    `render`: name -> plain text with something in each field, or AssetError.
    """
    known = frozenset(intents)
    problems = [problem for name, canned in replies.items() for problem in _check_entry(name, canned, known, templates)]
    for name, source in templates.items():
        if name in replies:
            problems += _check_template(name, replies[name], source, links, partials)
            problems += _check_rendered(name, replies[name], source, render)
        else:
            problems.append(Problem(_file(name), f"{LIST} has no entry `{name}`; write one or remove the file"))
    return list(dict.fromkeys(problems))


def _file(name: str) -> str:
    return f"templates/{template_of(name)}"


def _check_entry(name: str, canned: Canned, intents: frozenset[str], templates: Mapping[str, str]) -> Iterator[Problem]:
    if not _NAME.fullmatch(name):
        yield Problem(LIST, f"`{name}` is no name; use small letters, digits and _")
    for intent in canned.intents:
        if intent not in intents:
            yield Problem(LIST, f"{name}.intents names `{intent}`, which is no intent; {_choice(intent, intents)}")
    if name not in templates:
        yield Problem(LIST, f"{name} wants {_file(name)}; write that file")


def _check_template(
    name: str, canned: Canned, source: str, links: Mapping[str, Link], partials: Mapping[str, str]
) -> Iterator[Problem]:
    file = _file(name)
    used = set(_USED_FIELD.findall(source))
    for field in sorted(used - set(canned.fields)):
        yield Problem(file, f"uses fields.{field}, which {LIST} does not declare; {_choice(field, canned.fields)}")
    for field in sorted(set(canned.fields) - used):
        yield Problem(LIST, f"{name}.fields.{field} is not used by {file}; use it or remove it")
    yield from check_addresses(file, source)
    whole = "\n".join([source, *(partials.get(partial, "") for partial in INCLUDED.findall(source))])
    named = set(USED_LINK.findall(whole))
    for link in sorted(named - set(links)):
        yield Problem(file, f"uses links.{link}, which is not in links.yaml; {_choice(link, links)}")
    yield from check_reach(file, named & set(links), links, canned.audience)


def _check_rendered(name: str, canned: Canned, source: str, render: Callable[[str], str]) -> Iterator[Problem]:
    """Words of the source too: those of a branch that is not taken would be missed otherwise."""
    file = _file(name)
    try:
        text = render(name)
    except AssetError as error:
        yield Problem(file, f"does not render: {error}")
        text = ""
    for words, what in unfit_words(JINJA_TAG.sub("", source) + "\n" + text, canned.audience):
        yield Problem(file, f"says `{words}`: {what} must not stand in an {canned.audience} reply; reword it")
