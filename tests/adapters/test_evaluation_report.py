"""The report: one file that asks nothing of the network, says everything in words too, and shows text as text."""

import random
import re
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import meta
from selectolax.lexbor import LexborHTMLParser
from tests.core.labelled import judged

from mailflow.adapters.evaluation_report import PAGES, TEMPLATE, Curve, Frame, Report, environment, render
from mailflow.core.certify import Certificate, Trial, certify
from mailflow.core.classification import Action, Evidence, IntentScore, Neighbour
from mailflow.core.evaluation import Assessment, Evaluation, Judged
from mailflow.core.message import Role
from mailflow.core.reliability import Point
from mailflow.testing import NOON

EVIL = "</bdi><script>alert(1)</script> \x1b[2J\x00\u202e & 'quoted' <img src=//x.example>"
REVIEW, NONE = Action.REVIEW, Action.NONE


def certificate(wrong: int = 0) -> Certificate:
    """Of 400 clean mails about quotes and 20 about licences; of 400 mails that are all wrong, refused."""
    trials = [Trial(1.0, n < wrong, ("quoting",)) for n in range(400)] + [Trial(1.0, False, ("nfr_request",))] * 20
    return certify(trials, model_version="m1", rules="r", holdout_sha256="h", today=date(2026, 3, 2))


def with_evidence(one: Judged, text: str) -> Judged:
    score = IntentScore("quoting", 0.9, (Evidence(text, 1.0),))
    return replace(one, classification=replace(one.classification, intents=(score,), runner_up=score))


MAILS = [
    judged(name="ok"),
    with_evidence(judged(name="wrong", said="quoting", text=EVIL, pair="p"), EVIL),
    judged(name="held", wanted_action=REVIEW, action=REVIEW, pair="p", reply=0.3, role=Role.INTERNAL),
    judged(name="missed", action=NONE, language="de", text=EVIL),
    judged("nfr_request quoting", name="half", answered="nfr_request", said="nfr_request", author=EVIL),
    judged("no_request", NONE, name="silent", wanted_action=NONE, reply=0.01),
    judged(name="nothing said", said="", action=REVIEW, doubts=("guard:abstained",)),
]


def assessment(
    mails: Sequence[Judged] = MAILS, theirs: Sequence[Judged] | None = None, shown: Certificate | None = None
) -> Assessment:
    chance = random.Random(0)
    return Assessment(
        mails=("held-out.jsonl", EVIL),
        ours=Evaluation("m1", 0.85, shown, tuple(mails)),
        theirs=None if theirs is None else Evaluation("m0", 0.85, None, tuple(theirs)),
        draws=[chance.choices(range(len(mails)), k=len(mails)) for _ in range(50)],
        is_calibration=True,
    )


OTHERS = [judged(name=one.label.name, wanted=" ".join(one.label.intents), action=REVIEW) for one in MAILS]
OTHERS = [replace(one, label=mine.label) for one, mine in zip(OTHERS, MAILS, strict=True)]
PAGES_RENDERED = {
    "alone": render(assessment(), made_at=NOON),
    "certified": render(assessment(shown=certificate()), made_at=NOON),
    "refused": render(assessment(shown=certificate(400)), made_at=NOON),
    "against": render(assessment(theirs=OTHERS, shown=certificate()), made_at=NOON),
    "the other way round": render(assessment(OTHERS, MAILS), made_at=NOON),
    "one mail": render(assessment([judged()]), made_at=NOON),
    "nothing answerable": render(assessment([judged(action=NONE, wanted_action=NONE, said="")]), made_at=NOON),
}


@pytest.fixture(params=PAGES_RENDERED)
def html(request: pytest.FixtureRequest) -> str:
    return PAGES_RENDERED[request.param]


@pytest.fixture
def page(html: str) -> LexborHTMLParser:
    return LexborHTMLParser(html)


# ------------------------------------------------------------------ one file, text as text


def test_the_page_runs_nothing_and_asks_nobody(page: LexborHTMLParser) -> None:
    assert page.css("script, link, img, iframe, object, embed, base, form, image, use, foreignObject") == []
    policy = page.css_first("meta[http-equiv=Content-Security-Policy]")
    assert policy is not None
    assert policy.attributes["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    style = page.css_first("style")
    assert style is not None
    assert not re.search(r"url\(|@import", style.text())
    assert [a.attributes["href"] for a in page.css("a") if not (a.attributes["href"] or "").startswith("#")] == []
    handlers = [name for node in page.css("*") for name in node.attributes if name.startswith("on")]
    assert handlers == []


def test_text_of_mails_is_text(html: str, page: LexborHTMLParser) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", html)
    assert "<script" not in html
    assert "alert(1)" in (page.text() or ""), "the words are shown"


def test_each_link_leads_to_a_section(page: LexborHTMLParser) -> None:
    ids = {node.attributes["id"] for node in page.css("section")}
    assert {(a.attributes["href"] or "")[1:] for a in page.css("nav a")} == ids


def test_ids_are_unique(page: LexborHTMLParser) -> None:
    ids = [node.attributes["id"] for node in page.css("[id]")]
    assert len(ids) == len(set(ids))


# ------------------------------------------------------------------ for those who do not see it


def test_each_chart_is_told_in_words(html: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", html, re.S)
    assert len(charts) == 5
    for chart in charts:
        tree = ElementTree.fromstring(chart)  # noqa: S314 - our own
        named = {child.tag: child for child in tree if child.tag in ("title", "desc")}
        assert tree.attrib["role"] == "img"
        assert tree.attrib["aria-labelledby"].split() == [named[tag].attrib["id"] for tag in ("title", "desc")]
        assert all((child.text or "").strip() for child in named.values())


def test_each_cell_of_a_table_has_its_headings(page: LexborHTMLParser) -> None:
    assert page.css("table")
    assert [th for th in page.css("th") if th.attributes.get("scope") not in ("row", "col")] == []
    for table in page.css("table"):
        region = table.parent
        assert region is not None
        assert region.attributes.get("aria-label")
        columns = len(table.css("thead th"))
        assert {len(row.css("th, td")) for row in table.css("tbody tr")} <= {columns}
        assert all(row.css_first("th[scope=row]") for row in table.css("tbody tr"))


def test_the_page_says_its_language_and_fits_a_phone(page: LexborHTMLParser) -> None:
    root, viewport = page.css_first("html"), page.css_first("meta[name=viewport]")
    assert root is not None
    assert root.attributes["lang"] == "en"
    assert viewport is not None
    assert "width=device-width" in (viewport.attributes["content"] or "")
    assert "prefers-color-scheme: dark" in (page.css_first("style") or page).text()


# ------------------------------------------------------------------ what it says


def text_of(name: str) -> str:
    return " ".join((LexborHTMLParser(PAGES_RENDERED[name]).text(separator=" ") or "").replace("\u00a0", " ").split())


def test_every_wrong_answer_is_told_with_what_led_to_it() -> None:
    (article,) = LexborHTMLParser(PAGES_RENDERED["alone"]).css("article")
    told = " ".join(article.text(separator=" ").split())
    for words in ("wrong path", "reply: nfr_request", "quoting 0.90", "spoke for quoting", "of pair p", "[row]"):
        assert words in told
    assert "alike in training" not in told


def test_neighbours_are_told_where_there_are_any() -> None:
    one = MAILS[1]
    near = Neighbour("quoting-1", ("quoting",), Action.REPLY, 0.71, "What would ten seats cost?")
    alike = replace(one, classification=replace(one.classification, neighbours=(near,)))
    shown = render(assessment([alike]), made_at=NOON)
    for said in ("alike in training", "quoting-1", "0.71", "What would ten seats cost?"):
        assert said in shown


def test_figures_are_told_with_their_counts() -> None:
    told = text_of("alone")
    assert "wrong answers 14.3 % 0.4 % to 57.9 % 1 / 7 of all mails" in told
    assert "automation 20.0 %" in told
    assert "none: nothing is promised" in told


def test_a_share_of_nothing_is_a_dash() -> None:
    assert "automation – 0.0 % to 100.0 % 0 / 0" in text_of("nothing answerable")


def test_the_certificate_is_told_with_what_it_refuses() -> None:
    told = text_of("certified")
    assert "at most 2.0% of all mails get a wrong answer" in told
    assert "nfr_request 20 0 149" in told
    assert "The certificate was made on some of these very mails" in told
    assert "The certificate was made" not in text_of("alone"), "there is none"


def test_a_refused_certificate_answers_nothing() -> None:
    told = text_of("refused")
    assert "not shown: at most 2.0%" in told
    assert "the dot is what is in force, answering nothing" in told


def test_another_model_is_told_beside_it_both_ways() -> None:
    ours, turned = text_of("against"), text_of("the other way round")
    assert "automation 20.0 % 0.0 % +20.0" in ours
    assert "automation 0.0 % 20.0 % −20.0" in turned
    assert "decisions that differ: this model does better" in ours
    assert "decisions that differ: this model does worse" in ours
    assert "Dashed: model m0" in ours


def test_the_template_uses_all_it_is_given_and_nothing_else() -> None:
    source = (PAGES / TEMPLATE).read_text(encoding="utf-8")
    used = meta.find_undeclared_variables(environment().parse(source))
    assert used == {field.name for field in fields(Report)}


def test_no_mails_have_no_report() -> None:
    with pytest.raises(ValueError, match="no labelled mails"):
        render(assessment([]), made_at=NOON)


# ------------------------------------------------------------------ geometry


@given(st.floats(0.001, 1), st.floats(0.001, 1), st.floats(0, 1), st.floats(0, 1))
def test_what_lies_within_the_axes_lies_within_the_chart(right: float, top: float, x: float, y: float) -> None:
    frame = Frame(480, 320, right_end=right, top_end=top)
    assert frame.left <= frame.x(x * right) <= frame.width - frame.right
    assert frame.top <= frame.y(y * top) <= frame.height - frame.bottom
    assert frame.ticks(right)[0] == 0
    assert frame.ticks(right)[-1] == pytest.approx(right)


def test_the_curve_at_a_threshold_is_what_is_answered_from_there_on() -> None:
    points = (Point(1.01, 0, 0), Point(0.9, 0.2, 0), Point(0.5, 0.4, 0.1))
    curve = Curve("m", points, 0.85, points[1])
    assert [curve.at(threshold) for threshold in (1.0, 0.9, 0.7, 0.5, 0.1)] == [
        points[0],
        points[1],
        points[1],
        points[2],
        points[2],
    ]
