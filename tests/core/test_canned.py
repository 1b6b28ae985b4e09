"""Each thing that must hold of a canned reply, broken one at a time in a list that is otherwise sound."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from pydantic import ValidationError

from mailflow.core.canned import Canned, check_canned, chosen, filled_in, sample_fields, template_of
from mailflow.core.check import Link
from mailflow.core.playbook import Audience
from mailflow.errors import AssetError

LINKS = {
    "portal": Link(label="Portal", url="https://portal.example/", rules=("R26",), audience="both"),
    "handle": Link(label="@partner operations", rules=("R9",), audience="internal"),
}


def canned(**changes: object) -> Canned:
    known: dict[str, object] = {
        "title": "A greeting",
        "intents": ["greeting"],
        "audience": "external",
        "rules": ["R5"],
        "fields": {"weather": "how it is"},
    }
    return Canned.model_validate(known | changes)


@dataclass(frozen=True)
class Drawer:
    """Everything that `check_canned` reads; the default is sound."""

    replies: Mapping[str, Canned] = field(default_factory=lambda: {"hello": canned()})
    templates: Mapping[str, str] = field(
        default_factory=lambda: {"hello": "It is {{ fields.weather }}. See the {{ links.portal }}"}
    )
    partials: Mapping[str, str] = field(default_factory=lambda: {"_handle.md.j2": "Ask {{ links.handle }}"})

    def saying(self, source: str) -> "Drawer":
        return replace(self, templates={"hello": "{{ fields.weather }} " + source})

    def for_readers(self, audience: str) -> "Drawer":
        return replace(self, replies={"hello": canned(audience=audience)})

    def problems(self) -> list[str]:
        found = check_canned(
            self.replies, ["greeting", "farewell"], LINKS, self.templates, self.partials, self._rendered
        )
        return list(map(str, found))

    def _rendered(self, name: str) -> str:
        if "broken" in self.templates[name]:
            raise AssetError("it is broken; mend it")
        return self.templates[name].replace("{{ fields.weather }}", sample_fields(self.replies[name])["weather"])


SOUND = Drawer()
FILE = "templates/canned/hello.md.j2"
LIST = "classifiers/canned.yaml"


def test_a_sound_list_has_no_problem() -> None:
    assert SOUND.problems() == []
    assert SOUND.for_readers("internal").saying("{{ links.handle }} on Slack").problems() == []


BROKEN: dict[str, tuple[Drawer, str]] = {
    "unknown intent": (
        replace(SOUND, replies={"hello": canned(intents=["greting"])}),
        f"{LIST}: hello.intents names `greting`, which is no intent; did you mean `greeting`?",
    ),
    "no name": (
        Drawer({"Hel lo": canned()}, {"Hel lo": "{{ fields.weather }}"}),
        f"{LIST}: `Hel lo` is no name; use small letters, digits and _",
    ),
    "template missing": (replace(SOUND, templates={}), f"{LIST}: hello wants {FILE}; write that file"),
    "orphan template": (
        replace(SOUND, templates={**SOUND.templates, "bye": "Bye."}),
        f"templates/canned/bye.md.j2: {LIST} has no entry `bye`; write one or remove the file",
    ),
    "unknown field used": (
        SOUND.saying("{{ fields.wether }}"),
        f"{FILE}: uses fields.wether, which {LIST} does not declare; did you mean `weather`?",
    ),
    "declared field unused": (
        replace(SOUND, replies={"hello": canned(fields={"weather": "how it is", "day": "which day"})}),
        f"{LIST}: hello.fields.day is not used by {FILE}; use it or remove it",
    ),
    "literal address": (
        SOUND.saying("See https://portal.example/"),
        f"{FILE}: writes the address `https:` itself; put it into links.yaml and use its name",
    ),
    "unknown link": (
        SOUND.saying("{{ links.portl }}"),
        f"{FILE}: uses links.portl, which is not in links.yaml; did you mean `portal`?",
    ),
    "internal link for partners": (
        SOUND.saying("{{ links.handle }}"),
        f"{FILE}: uses links.handle, which is for internal readers only; remove it",
    ),
    "internal link by a partial": (
        SOUND.saying('{% include "_handle.md.j2" %}'),
        f"{FILE}: uses links.handle, which is for internal readers only; remove it",
    ),
    "internal word for partners (D1)": (
        SOUND.saying("Chatter it."),
        f"{FILE}: says `Chatter`: chatter (D1) must not stand in an external reply; reword it",
    ),
    "promise (D3)": (
        SOUND.for_readers("internal").saying("We will refund it."),
        f"{FILE}: says `We will refund`: a promise of eligibility or approval (D3) must not stand in an internal"
        " reply; reword it",
    ),
    "promise in a branch that is not taken (D3)": (
        SOUND.saying("{% if false %}It costs 5 EUR.{% endif %}"),
        f"{FILE}: says `5 EUR`: an amount, a price or a discount (D3) must not stand in an external reply; reword it",
    ),
    "unfit word in what a field is for": (
        replace(SOUND, replies={"hello": canned(fields={"weather": "as Salesforce says"})}),
        f"{FILE}: says `Salesforce`: a system that partners do not see (R1) must not stand in an external reply;"
        " reword it",
    ),
    "does not render": (SOUND.saying("broken"), f"{FILE}: does not render: it is broken; mend it"),
}


@pytest.mark.parametrize(("drawer", "sentence"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_said_once_with_what_to_do(drawer: Drawer, sentence: str) -> None:
    assert drawer.problems() == [sentence]


@pytest.mark.parametrize(
    "changes",
    [
        {"title": ""},
        {"intents": []},
        {"rules": []},
        {"rules": ["rule 5"]},
        {"audience": "everybody"},
        {"fields": {"the weather": "how it is"}},
        {"fields": {"__class__": "how it is"}},
        {"fields": {"weather": " "}},
        {"colour": "red"},
    ],
    ids=str,
)
def test_an_entry_that_says_too_little_or_something_unknown_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        canned(**changes)


def test_a_reply_is_frozen_and_knows_its_reader() -> None:
    one = canned()
    assert one.audience is Audience.EXTERNAL
    with pytest.raises(ValidationError):
        one.title = "Other"  # type: ignore[misc]  # frozen is what is tested


# --- filling in -------------------------------------------------------------------------------------------------------


def test_every_field_is_filled_in_and_no_other() -> None:
    assert filled_in("hello", canned(), {"weather": "fine"}) == {"weather": "fine"}
    assert filled_in("hello", canned(fields={}), {}) == {}


@pytest.mark.parametrize("given", [{}, {"weather": ""}, {"weather": " \n"}], ids=str)
def test_a_missing_field_is_named_with_what_belongs_there(given: dict[str, str]) -> None:
    with pytest.raises(AssetError, match=r"`hello` lacks `weather` \(how it is\); fill it in"):
        filled_in("hello", canned(), given)


def test_all_missing_fields_are_named_at_once() -> None:
    two = canned(fields={"weather": "how it is", "day": "which day"})
    with pytest.raises(AssetError, match=r"`weather` \(how it is\); `day` \(which day\)"):
        filled_in("hello", two, {})


def test_a_field_too_many_is_named_with_the_one_that_was_meant() -> None:
    with pytest.raises(AssetError, match="no field `wether`; did you mean `weather`"):
        filled_in("hello", canned(), {"weather": "fine", "wether": "fine"})
    with pytest.raises(AssetError, match="no field `weather`; there are: none"):
        filled_in("hello", canned(fields={}), {"weather": "fine"})


def test_an_unknown_name_is_an_error_with_a_near_one() -> None:
    assert chosen("hello", SOUND.replies) == canned()
    with pytest.raises(AssetError, match="no canned reply `helo`; did you mean `hello`"):
        chosen("helo", SOUND.replies)


def test_the_template_is_named_after_the_reply() -> None:
    assert template_of("hello") == "canned/hello.md.j2"
