"""The canned replies that the desk has, and how one is rendered: like an answer, but closed by a person."""

from pathlib import Path

import pytest
from tests.golden_files import GOLDEN, assert_golden

from mailflow.adapters.assets import Words, english_words, load_links, load_playbook, load_templates
from mailflow.adapters.canned import CannedRenderer, canned_problems, load_canned, load_canned_templates
from mailflow.core.canned import Canned, sample_fields
from mailflow.core.check import Link, unfit_words
from mailflow.core.playbook import Audience
from mailflow.errors import AssetError

ROOT = Path(__file__).parents[2]
PLAYBOOK = load_playbook(ROOT / "classifiers")
LINKS = load_links(ROOT / "classifiers")
REPLIES = load_canned(ROOT / "classifiers")
RENDERER = CannedRenderer(ROOT / "templates", LINKS, english_words(PLAYBOOK), REPLIES)
HIGHEST_RULE = {"R": 101, "D": 8, "A": 30, "C": 18}


def text_of(name: str) -> str:
    return RENDERER.reply(name, sample_fields(REPLIES[name]), "Ana Pérez").text


# --- the ones that there are ------------------------------------------------------------------------------------------


def test_the_desks_canned_replies_are_sound() -> None:
    assert canned_problems(REPLIES, PLAYBOOK, LINKS, ROOT / "templates", RENDERER) == []


@pytest.mark.parametrize("name", REPLIES)
def test_each_is_the_golden_one(name: str) -> None:
    """UPDATE_GOLDEN=1 rewrites the files; read the difference before you commit it."""
    assert_golden(f"canned/{name}.txt", text_of(name))


def test_there_is_no_golden_reply_too_many() -> None:
    assert {path.stem for path in (GOLDEN / "canned").glob("*.txt")} == set(REPLIES)


@pytest.mark.parametrize("name", PLAYBOOK.intents)
def test_there_is_a_reply_for_every_intent_that_a_person_may_get(name: str) -> None:
    few = len(PLAYBOOK.intents) / 2
    own = {reply for reply, one in REPLIES.items() if name in one.intents and len(one.intents) < few}
    assert bool(own) is (name not in PLAYBOOK.defaults.silent_intents)


@pytest.mark.parametrize("name", REPLIES)
def test_each_cites_rules_that_exist(name: str) -> None:
    assert [rule for rule in REPLIES[name].rules if not 1 <= int(rule[1:]) <= HIGHEST_RULE[rule[0]]] == []


@pytest.mark.parametrize("name", [name for name, one in REPLIES.items() if one.audience is Audience.EXTERNAL])
def test_d1_d3_an_external_reply_holds_nothing_unfit_in_either_form(name: str) -> None:
    reply = RENDERER.reply(name, sample_fields(REPLIES[name]))
    assert list(unfit_words(reply.text, Audience.EXTERNAL)) == []
    assert list(unfit_words(reply.html, Audience.EXTERNAL)) == []


@pytest.mark.parametrize("name", REPLIES)
def test_each_is_closed_by_a_person_and_shows_all_its_fields(name: str) -> None:
    text = text_of(name)
    assert text.startswith("Hello Ana Pérez,\n")
    assert "automatic answer" not in text
    assert text.endswith("Kind regards,\nGitLab Partner Help Desk\n")
    assert [value for value in sample_fields(REPLIES[name]).values() if value not in text] == []


MUST_SAY = {
    "nfr_not_eligible": ["[what the partner account lacks", "[what the partner has to do", "NFR policy: https://"],
    "nfr_submitted": ["license support team", "we cannot say when"],
    "nfr_exception_to_cam": ["Channel Account Manager"],
    "nfr_exception_for_the_cam": ['"Other"', "Account Notes", "Director-level"],
    "insights_conditions": ["5 working days", "3 requests", "one deck", "two weeks", "#channel-programs-ops"],
    "rebate_received": ["cannot name an amount or a date", "do not send bank details"],
    "rebate_needs_proof": ["The ID of the deal must be visible", "do not send bank details"],
    "portal_first_questions": ["never send us a password"],
    "purchase_order_wrong_place": ["It is not delivered yet", "to your distributor", "Partner Order Operations"],
    "subscription_partner_files": ["Submit a Technical Support Ticket on behalf of your customer"],
    "signup_needs_signatory": ["authorized signatory", '"I have questions about the agreement"'],
    "billing_no_bank_details": ["never send bank details by email"],
    "quote_whom_to_ask": ["The Channel Account Manager does not prepare quotes"],
}


@pytest.mark.parametrize(("name", "words"), MUST_SAY.items(), ids=MUST_SAY)
def test_it_says_what_the_specification_asks(name: str, words: list[str]) -> None:
    text = text_of(name)
    assert [one for one in words if one not in text] == []


# --- rendering --------------------------------------------------------------------------------------------------------

PORTAL = {"portal": Link(label="Portal", url="https://portal.example/", rules=("R26",), audience="both")}
ANSWER = (
    "Hello{% if greeting_name %} {{ greeting_name }}{% endif %},\n\n"
    "{% for section in sections %}{{ section.body }}\n\n{% endfor %}\n\nSent by {{ closing }}"
)


def renderer(folder: Path, source: str, **fields: str) -> CannedRenderer:
    """A renderer of one reply, `hello`."""
    (folder / "canned").mkdir()
    (folder / "_answer.md.j2").write_text(ANSWER)
    (folder / "_steps.md.j2").write_text("See the {{ links.portal }}")
    (folder / "canned" / "hello.md.j2").write_text(source)
    reply = Canned.model_validate(
        {"title": "A greeting", "intents": ["other"], "audience": "external", "rules": ["R5"], "fields": fields}
    )
    return CannedRenderer(folder, PORTAL, Words("portal login required", {}, {}), {"hello": reply})


def test_a_reply_stands_in_the_answer_template_with_its_fields_and_partials(tmp_path: Path) -> None:
    desk = renderer(tmp_path, 'It is {{ fields.weather }}.\n\n{% include "_steps.md.j2" %}', weather="how it is")
    reply = desk.reply("hello", {"weather": "fine"}, "Ana")
    assert reply.text == "Hello Ana,\n\nIt is fine.\n\nSee the Portal: https://portal.example/\n\nSent by person\n"
    assert '<a href="https://portal.example/">Portal</a>' in reply.html
    assert "<title>A greeting</title>" in reply.html


def test_a_value_is_text_on_one_line_and_never_markup(tmp_path: Path) -> None:
    desk = renderer(tmp_path, "{{ fields.weather }}", weather="how it is")
    reply = desk.reply("hello", {"weather": "*fine*\n# [x](https://evil.example) <b>{{ links.portal }}"}, "<b>")
    assert "\n*fine* # [x](https://evil.example) <b>{{ links.portal }}\n" in reply.text
    assert "<b>" not in reply.html
    assert "<a " not in reply.html
    assert reply.text.startswith("Hello,\n")


def test_a_missing_field_is_an_error_that_names_it(tmp_path: Path) -> None:
    desk = renderer(tmp_path, "{{ fields.weather }}", weather="how it is")
    with pytest.raises(AssetError, match=r"`weather` \(how it is\)"):
        desk.reply("hello", {})
    with pytest.raises(AssetError, match="no canned reply `goodbye`"):
        desk.reply("goodbye", {})


UNKNOWN = ["{{ fields.undeclared }}", "{{ links.nowhere }}", "{{ branch }}", "{{ ''.__class__ }}"]


@pytest.mark.parametrize("source", UNKNOWN)
def test_an_unknown_or_unsafe_name_is_an_error_that_names_the_file(tmp_path: Path, source: str) -> None:
    with pytest.raises(AssetError, match=r"canned/hello\.md\.j2"):
        renderer(tmp_path, source).reply("hello", {})


def test_a_template_that_does_not_compile_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"canned/hello\.md\.j2, line 2"):
        renderer(tmp_path, "one\n{% if %}")


def test_a_reply_without_its_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    renderer(tmp_path, "Hello.")
    (tmp_path / "canned" / "hello.md.j2").unlink()
    one = Canned.model_validate({"title": "A", "intents": ["other"], "audience": "external", "rules": ["R5"]})
    desk = CannedRenderer(tmp_path, PORTAL, Words("", {}, {}), {"hello": one})
    with pytest.raises(AssetError, match=r"canned/hello\.md\.j2: there is no such template"):
        desk.reply("hello", {})


# --- reading ----------------------------------------------------------------------------------------------------------


def test_the_list_and_the_templates_are_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "canned.yaml").write_text("hello: {title: A, intents: [other], audience: internal, rules: [R5]}\n")
    assert list(load_canned(tmp_path)) == ["hello"]
    (tmp_path / "canned").mkdir()
    (tmp_path / "canned" / "hello.md.j2").write_text("Hello.")
    (tmp_path / "canned" / "notes.txt").write_text("No template.")
    assert load_canned_templates(tmp_path) == {"hello": "Hello."}


def test_a_bad_list_is_refused_with_file_and_key(tmp_path: Path) -> None:
    (tmp_path / "canned.yaml").write_text("hello: {title: A, intents: [other], audience: all, rules: [R5]}\n")
    with pytest.raises(AssetError, match=r"canned\.yaml: hello\.audience"):
        load_canned(tmp_path)


def test_the_canned_templates_are_none_of_the_answers_templates() -> None:
    assert not set(load_canned_templates(ROOT / "templates")) & set(load_templates(ROOT / "templates"))
