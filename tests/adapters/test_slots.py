"""What a mail names, found with the desk's own patterns; and what must never be taken for an order or an invoice."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.pipeline import SpanRuler
from spacy.tokens import Doc, Span

from mailflow.adapters.assets import load_playbook
from mailflow.adapters.slots import LONGEST, SlotFinder, needs_of
from mailflow.core.classification import Slot
from mailflow.core.playbook import SlotRule
from mailflow.errors import AssetError

PLAYBOOK = load_playbook(Path(__file__).parents[2] / "classifiers")
ENTRIES = [
    "product", "seats", "term", "region", "customer_domain", "subscription_id", "deal_id", "order_number",
    "quote_number", "invoice_number", "opportunity_id", "course", "completion_date", "version",
]  # fmt: skip


NLP = spacy.blank("xx")


@cache
def desk() -> SlotFinder:
    return SlotFinder(NLP, PLAYBOOK.slots)


def found(text: str, finder: SlotFinder | None = None) -> list[tuple[str, str]]:
    return [(slot.name, slot.text) for slot in (finder or desk()).find(NLP(text))]


# --- what is found, and what is not -----------------------------------------------------------------------------------

NAMED: dict[str, list[tuple[str, str]]] = {
    # product
    "Please quote GitLab Ultimate.": [("product", "GitLab Ultimate")],
    "They move from Premium to Ultimate in May.": [("product", "Premium"), ("product", "Ultimate")],
    "price for ultimate self-managed please": [("product", "ultimate self-managed")],
    "Does the customer need GitLab Duo Pro?": [("product", "GitLab Duo Pro")],
    "Wir offer premium support and premium results.": [],
    "the ultimate answer to all questions": [],
    # seats
    "We need 25 seats.": [("seats", "25 seats")],
    "a bank with 1,200 users": [("seats", "1,200 users")],
    "60 NFR users for an academy": [("seats", "60 NFR users")],
    "Bitte ein Angebot über 250 Lizenzen": [("seats", "250 Lizenzen")],
    "40 utilisateurs, Premium": [("seats", "40 utilisateurs"), ("product", "Premium")],
    "para 30 usuários Ultimate": [("seats", "30 usuários"), ("product", "Ultimate")],
    "20 licencias para un cliente": [("seats", "20 licencias")],
    "600 utenti nella sede": [("seats", "600 utenti")],
    "voor 35 gebruikers": [("seats", "35 gebruikers")],
    "お客様は80ユーザーです": [],
    "見積 80ユーザー 1年": [("seats", "80ユーザー")],
    "Quantity: 120": [("seats", "Quantity: 120")],
    "number of users: 45": [("seats", "number of users: 45")],
    "one hundred and fifty users": [("seats", "one hundred and fifty users")],
    "thirty-five seats": [("seats", "thirty-five seats")],
    "a 30-seat deal": [("seats", "30-seat")],
    "2 users cannot log in": [],
    "In 2023 users complained.": [],
    "We are 400 people in Porto.": [],
    # term
    "a 3-year quote": [("term", "3-year")],
    "Laufzeit 36 Monate": [("term", "Laufzeit 36 Monate")],
    "renewal for 12 months": [("term", "renewal for 12 months")],
    "the 24 months of the order": [("term", "24 months")],
    "durée : 3 ans": [("term", "durée : 3 ans")],
    "We have been a partner for 3 years.": [],
    "It was approved 3 months ago.": [],
    "He has worked here 31 years.": [],
    # region
    "Channel Director, APAC": [("region", "APAC")],
    "our US-PubSec account": [("region", "US-PubSec")],
    "alle Partner der DACH-Region": [("region", "DACH")],
    "Das Dach ist undicht.": [],
    # the customer's domain
    "The customer is fabrikam.example": [("customer_domain", "customer is fabrikam.example")],
    "end user: fabrikam.example": [("customer_domain", "end user: fabrikam.example")],
    "domain name: https://fabrikam.example/": [("customer_domain", "domain name: https://fabrikam.example/")],
    "write to ann@fabrikam.example": [],
    "our own page partner.example is down": [],
    "The customer is gitlab.com": [],
    # subscription
    "subscription A-S00012345 ends": [("subscription_id", "A-S00012345")],
    "subscription ID: 2c92a0ff5e1dcf14015e1dd0a2f61f3c": [
        ("subscription_id", "subscription ID: 2c92a0ff5e1dcf14015e1dd0a2f61f3c")
    ],
    "the subscription of 2023": [],
    # deal registration
    "Our registration DR-88213 expired": [("deal_id", "registration DR-88213")],
    "Q2 referral fee for deal 88121": [("deal_id", "deal 88121")],
    "Deal ID: 77412.": [("deal_id", "Deal ID: 77412")],
    "deal #5512": [("deal_id", "deal #5512")],
    "We closed 3 deals in 2023.": [],
    "our company registration number 12345678": [],
    # order
    "PO-4711 is attached": [("order_number", "PO-4711")],
    "PO 4500123 was sent": [("order_number", "PO 4500123")],
    "PO no. 4711": [("order_number", "PO no. 4711")],
    "our purchase order no. NT/2291": [("order_number", "order no. NT/2291")],
    "Bestellung 2023-0917": [("order_number", "Bestellung 2023-0917")],
    "Bestellnummer: 4500088": [("order_number", "Bestellnummer: 4500088")],
    "commande n° 4711": [("order_number", "commande n° 4711")],
    "We want to order 1200 licences": [("seats", "1200 licences")],
    "The PO. 4500 users wait.": [("seats", "4500 users")],
    "The order of 2023 was smaller.": [],
    "P.O. Box 4711": [],
    # quote
    "quote Q-0098 please": [("quote_number", "quote Q-0098")],
    "(Q-00219002)": [("quote_number", "Q-00219002")],
    "Angebot Nr. 4711": [("quote_number", "Angebot Nr. 4711")],
    "Devis n° Q-118870": [("quote_number", "Devis n° Q-118870")],
    "Please quote 1200 seats": [("seats", "1200 seats")],
    "In Q3-2024 we sold more.": [],
    # invoice
    "copy of invoice INV00123": [("invoice_number", "invoice INV00123")],
    "INV-2024-001 is overdue": [("invoice_number", "INV-2024-001")],
    "Rechnung RE-2023-0815": [("invoice_number", "Rechnung RE-2023-0815")],
    "facture n° 9931": [("invoice_number", "facture n° 9931")],
    "activation codes and invoice. 100 seats": [("seats", "100 seats")],
    "an invoice of 2000 EUR": [],
    # opportunity
    "opp 0061x00000AbCdE": [("opportunity_id", "0061x00000AbCdE")],
    "see https://gitlab.my.salesforce.com/0061x00000AbCdEAAT": [
        ("opportunity_id", "https://gitlab.my.salesforce.com/0061x00000AbCdEAAT")
    ],
    "OPP-2281 needs a close date": [("opportunity_id", "OPP-2281")],
    "this opportunity of 2024": [],
    # course and completion
    "I finished Sales Core": [("course", "Sales Core")],
    "the GitLab Certified CI/CD Associate exam": [("course", "GitLab Certified CI/CD Associate")],
    "the PSE lab": [("course", "PSE")],
    "we miss one certified engineer": [],
    "our solution architect is ill": [],
    "I passed the course on 2 May with 88 %": [("completion_date", "passed the course on 2 May")],
    "completed on 2024-05-12": [("completion_date", "completed on 2024-05-12")],
    "bestanden am 12.05.2024": [("completion_date", "bestanden am 12.05.2024")],
    "completion date: May 12, 2024": [("completion_date", "completion date: May 12, 2024")],
    "On 3 February I completed it": [("completion_date", "On 3 February I completed")],
    "The portal has shown nothing since 12 May.": [],
    # version
    "They run GitLab 16.4.1": [("version", "GitLab 16.4.1")],
    "since the upgrade to 15.11": [("version", "upgrade to 15.11")],
    "16.1.2-ee, omnibus": [("version", "16.1.2-ee")],
    "version 2.0 of the agreement": [],
    "back on 4.11.": [],
    # bank details
    "IBAN DE89 3704 0044 0532 0130 00": [],
    "invoice DE89370400440532013000": [],
    "order NO9386011117947": [],
    "PO number BE68539007547034": [],
    "card 4111 1111 1111 1111": [],
    "invoice number 4111111111111111": [],
    "order 378282246310005": [],
    "account 1234567890, bank code 37040044": [],
}


@pytest.mark.parametrize(("text", "expected"), NAMED.items(), ids=str)
def test_a_sentence_names_just_these(text: str, expected: list[tuple[str, str]]) -> None:
    assert sorted(found(text)) == sorted(expected)


@pytest.mark.parametrize(
    "text", ["25 Premium seats", "50 Ultimate for our customer", "20 x GitLab Premium", "12x Ultimate"]
)
def test_seats_are_found_around_the_product(text: str) -> None:
    assert "seats" in dict(found(text))


def test_every_entry_is_there_is_found_somewhere_and_is_looked_for_by_an_intent() -> None:
    assert list(PLAYBOOK.slots) == ENTRIES
    assert {name for slots in NAMED.values() for name, _ in slots} == set(ENTRIES)
    assert {slot for intent in PLAYBOOK.intents.values() for slot in intent.slots} == set(ENTRIES)


def test_only_a_quote_is_asked_for_what_it_lacks() -> None:
    asked = {name: intent.needed for name, intent in PLAYBOOK.intents.items() if intent.needed}
    assert asked == {"quoting": ("product", "seats", "term")}


@pytest.mark.parametrize("name", ENTRIES)
def test_what_is_asked_for_fits_after_it_helps_to_name(name: str) -> None:
    words = PLAYBOOK.slots[name].ask
    assert words.startswith("the ")
    assert not words.endswith(".")


# --- bank details -----------------------------------------------------------------------------------------------------

BEFORE = [
    "", "PO", "PO no.", "order", "order number:", "invoice", "Rechnung Nr.", "quote #", "deal ID", "deal",
    "opportunity", "opp:", "subscription ID", "version", "customer:", "completed on", "Quantity:", "A-", "Q-", "INV-",
    "PO-", "DR-", "OPP-", "006", "IBAN", "card",
]  # fmt: skip
AFTER = ["", " seats", " users Premium", " licences", ".", "-ee", " months term", "x Ultimate", "/2"]
RUNS = st.text("0123456789", min_size=12, max_size=34)


def ibans() -> st.SearchStrategy[str]:
    body = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=11, max_size=30)
    return st.builds("".join, st.tuples(st.sampled_from(["DE", "GB", "NO", "BE", "MT"]), st.just("89"), body))


def in_groups(number: str) -> str:
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


@given(st.sampled_from(BEFORE), st.sampled_from(["", " "]), RUNS, st.sampled_from(AFTER), st.booleans())
def test_no_run_of_12_digits_is_ever_a_slot(before: str, gap: str, run: str, after: str, grouped: bool) -> None:
    for _, text in found(f"{before}{gap}{in_groups(run) if grouped else run}{after}"):
        assert sum(char.isdigit() for char in text) < 12, text


@given(st.sampled_from(BEFORE), ibans(), st.sampled_from(["", *AFTER]), st.booleans())
def test_no_iban_is_ever_a_slot(before: str, iban: str, after: str, grouped: bool) -> None:
    for _, text in found(f"{before} {in_groups(iban) if grouped else iban}{after}"):
        assert iban not in text.replace(" ", ""), text


# --- the finder -------------------------------------------------------------------------------------------------------


def finder(**patterns: list[Any]) -> SlotFinder:
    return SlotFinder(
        NLP, {name: SlotRule.model_validate({"ask": "it", "patterns": own}) for name, own in patterns.items()}
    )


@pytest.mark.parametrize(
    "pattern",
    [[{"COLOUR": "red"}], [{"LOWER": {"IN": [False]}}], [{"OP": "sometimes"}]],
    ids=["unknown attribute", "an unquoted `no` of YAML", "unknown operator"],
)
def test_a_pattern_that_spacy_does_not_take_is_an_asset_error_that_names_it(pattern: list[dict[str, object]]) -> None:
    with pytest.raises(AssetError, match=r"slots\.yaml: colour: spaCy refuses a pattern .* mend it"):
        finder(colour=[pattern])


def test_where_two_overlap_the_longer_stays() -> None:
    assert found("ten named users", finder(seats=["users", "named users"])) == [("seats", "named users")]


def test_each_is_there_once_in_the_order_of_the_text() -> None:
    assert found("PO-4712 and PO-4711 and PO-4712 again") == [("order_number", "PO-4712"), ("order_number", "PO-4711")]


def test_a_slot_is_one_line_and_no_longer_than_a_number_or_a_name() -> None:
    word = "a" * (LONGEST + 1)
    assert found(f"two\nwords {word}", finder(pair=[[{"LOWER": "two"}, {"TEXT": "\n"}, {"LOWER": "words"}]])) == [
        ("pair", "two words")
    ]
    assert found(f"so {word}", finder(long=[word])) == []


def test_without_rules_nothing_is_found() -> None:
    assert found("25 seats", finder()) == []


def test_a_slot_is_a_value_of_the_classification() -> None:
    assert desk().find(NLP("PO-4711")) == (Slot("order_number", "PO-4711"),)


# --- trying less finds the same ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ([{"LOWER": "po"}, {"text": {"regex": r"^\d"}}], [("LOWER", frozenset({"po"})), ("TEXT", r"^\d")]),
        ([{"LOWER": {"IN": ["a", "b"], "REGEX": "a"}}], [("LOWER", frozenset({"a", "b"})), ("LOWER", "a")]),
        ([{"LOWER": "a", "OP": op} for op in ("?", "*", "!", "{0}", "{0,2}", "{,2}")], []),
        ([{"TEXT": "a", "OP": op} for op in ("+", "{1}", "{2,}")], [("TEXT", frozenset({"a"}))] * 3),
        ([{"IS_DIGIT": True}, {"LOWER": {"NOT_IN": ["a"]}}, {"LOWER": {"FUZZY": {"IN": ["a"]}}}, {}], []),
    ],
)
def test_what_a_pattern_cannot_do_without(pattern: list[dict[str, object]], wanted: list[object]) -> None:
    assert list(needs_of(pattern)) == wanted


WORDS = ("a", "A", "b", "1", "22", "-", "po", "PO")
VALUES = st.one_of(
    st.sampled_from(WORDS),
    st.fixed_dictionaries({"IN": st.lists(st.sampled_from(WORDS), max_size=3)}),
    st.fixed_dictionaries({"NOT_IN": st.lists(st.sampled_from(WORDS), max_size=3)}),
    st.sampled_from(
        [{"REGEX": r"^\d+$"}, {"REGEX": "[ab]"}, {"FUZZY": "aa"}, {"REGEX": {"IN": ["^p", "^1"]}}, {"REGEX": ""}]
    ),
)
ATTRIBUTES = st.one_of(
    st.dictionaries(st.sampled_from(["LOWER", "TEXT"]), VALUES, max_size=2),
    st.dictionaries(st.sampled_from(["lower", "ORTH"]), VALUES, max_size=1),
    st.just({"IS_DIGIT": True}),
)
TOKENS = st.builds(
    lambda attributes, op: attributes | op,
    ATTRIBUTES,
    st.sampled_from([{}, *({"OP": op} for op in ("?", "*", "+", "!", "{2}", "{0,2}", "{1,}", "{,1}"))]),
)
PATTERNS = st.one_of(st.sampled_from(["a b", "PO", "po - 1"]), st.lists(TOKENS, min_size=1, max_size=3))


def plainly(doc: Doc, rules: dict[str, list[Any]]) -> list[Span]:
    """What spaCy's own ruler finds, which tries every pattern everywhere."""
    ruler = SpanRuler(NLP, phrase_matcher_attr="LOWER")
    ruler.add_patterns([{"label": name, "pattern": one} for name, own in rules.items() for one in own])
    return list(ruler.match(doc))


@settings(deadline=None)
@given(
    rules=st.dictionaries(st.sampled_from("xyz"), st.lists(PATTERNS, min_size=1, max_size=3), min_size=1),
    text=st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join),
)
def test_whatever_is_written_into_the_file_the_same_is_found_as_by_trying_everything(
    rules: dict[str, list[Any]], text: str
) -> None:
    doc = NLP(text)
    assert finder(**rules).spans(doc) == plainly(doc, rules)


def test_what_stands_in_the_file_is_found_as_by_trying_everything() -> None:
    rules = {
        name: [one if isinstance(one, str) else list(one) for one in rule.patterns]
        for name, rule in PLAYBOOK.slots.items()
    }
    doc = NLP("\n".join(NAMED))
    assert desk().spans(doc) == plainly(doc, rules) != []
