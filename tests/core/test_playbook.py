"""What the desk really knows and says, held against the specification (R, D, A and C as in the playbook's `rules`)."""

import re
from functools import cache
from pathlib import Path

import pytest
from tests.golden_files import assert_golden

from mailflow.adapters.assets import english_words, load_links, load_playbook, load_templates
from mailflow.adapters.renderer import TemplateRenderer
from mailflow.core.check import answers, check, unfit_words
from mailflow.core.playbook import Audience, Playbook, PolicyAction
from mailflow.core.ports import AnswerPart, Letter, RenderedAnswer

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "answers"
PLAYBOOK: Playbook = load_playbook(ROOT / "classifiers")
LINKS = load_links(ROOT / "classifiers")
TEMPLATES = load_templates(ROOT / "templates")
RENDERER = TemplateRenderer(ROOT / "templates", LINKS, english_words(PLAYBOOK))
PARTS = list(answers(PLAYBOOK))
EXTERNAL = [part for part in PARTS if part.audience is Audience.EXTERNAL]
HIGHEST_RULE = {"R": 101, "D": 8, "A": 30, "C": 18}


@cache
def rendered(*parts: AnswerPart) -> RenderedAnswer:
    return RENDERER.render(Letter(parts, "Ana Pérez", "A question"))


def text_of(template: str) -> str:
    return next(rendered(part).text for part in PARTS if part.template == template)


def by_template(part: AnswerPart) -> str:
    return ".".join(filter(None, (part.template, part.branch, "asking" if part.missing else "")))


# --- the policy rows --------------------------------------------------------------------------------------------------

ACTIONS = {
    #                         external  internal
    "account_data":          ("never", "never"),
    "agreement_docs":        ("send",  "send"),
    "billing_setup":         ("never", "send"),
    "certification":         ("send",  "send"),
    "deal_registration":     ("send",  "send"),
    "nfr_exception":         ("draft", "send"),
    "nfr_request":           ("send",  "send"),
    "no_request":            ("never", "never"),
    "opportunity_record":    ("never", "send"),
    "other":                 ("never", "never"),
    "partner_insights":      ("never", "send"),
    "partner_signup":        ("send",  "send"),
    "portal_access":         ("send",  "send"),
    "portal_problem":        ("never", "never"),
    "purchase_order":        ("send",  "send"),
    "quoting":               ("send",  "send"),
    "rebate":                ("never", "never"),
    "sales_assistance":      ("send",  "send"),
    "spam":                  ("never", "never"),
    "subscription_change":   ("send",  "send"),
    "technical_support":     ("send",  "send"),
    "training_walkthrough":  ("send",  "send"),
}  # fmt: skip


def test_each_intent_has_its_action_for_each_audience() -> None:
    found = {
        name: (row.audiences[Audience.EXTERNAL].action.value, row.audiences[Audience.INTERNAL].action.value)
        for name, row in PLAYBOOK.intents.items()
    }
    assert found == ACTIONS


def test_the_desk_is_sound() -> None:
    assert check(PLAYBOOK, LINKS, {"en": TEMPLATES}, lambda part, _: rendered(part).text) == []


def test_the_defaults_hold_what_needs_a_person() -> None:
    defaults = PLAYBOOK.defaults
    assert not defaults.kill_switch
    assert defaults.silent_intents == ("spam", "no_request")
    assert set(defaults.hold_if) >= {"has_deliverable", "tried_and_failed", "already_submitted"}
    assert set(defaults.hold_if) >= {"escalation", "legal", "privacy", "security", "money_paid", "instructs_machine"}
    assert "is_follow_up" not in defaults.hold_if, "the guard follow_up holds, but lets thanks pass in silence (D8)"
    assert "mixed_recipients" not in defaults.hold_if, "the answer goes to the sender alone (A14, A15)"
    assert defaults.send_budget.model_dump() == {
        "per_thread": 1,
        "per_sender_and_intent_3_hours": 2,
        "per_sender_day": 5,
        "per_domain_hour": 20,
        "per_template_hour": 60,
        "desk_hour": 200,
    }


def cited_rules() -> list[tuple[str, str]]:
    """(where, rule number) of every citation in the playbook and the links."""
    intents = [(name, rule) for name, row in PLAYBOOK.intents.items() for rule in row.rules]
    rows = [
        (name, rule) for name, row in PLAYBOOK.intents.items() for own in row.audiences.values() for rule in own.rules
    ]
    return intents + rows + [(name, rule) for name, link in LINKS.items() for rule in link.rules]


def test_every_cited_rule_exists() -> None:
    assert [pair for pair in cited_rules() if not 1 <= int(pair[1][1:]) <= HIGHEST_RULE[pair[1][0]]] == []


def test_every_row_and_every_intent_cites_a_rule() -> None:
    for name, row in PLAYBOOK.intents.items():
        assert row.rules, name
        assert all(own.rules for own in row.audiences.values()), name


def test_the_specialist_is_told_what_to_do_next() -> None:
    for name, row in PLAYBOOK.intents.items():
        assert row.next_steps, name


def test_only_the_exception_is_drafted_and_every_draft_is_external() -> None:
    drafts = [
        (name, audience)
        for name, row in PLAYBOOK.intents.items()
        for audience, own in row.audiences.items()
        if own.action is PolicyAction.DRAFT
    ]
    assert drafts == [("nfr_exception", Audience.EXTERNAL)]


# --- what the answers say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS, ids=by_template)
def test_the_answer_is_the_golden_one(part: AnswerPart) -> None:
    """UPDATE_GOLDEN=1 rewrites the files; read the difference before you commit it."""
    assert_golden(f"answers/{by_template(part)}.txt", rendered(part).text)


def test_there_is_no_golden_answer_too_many() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {by_template(part) for part in PARTS}


@pytest.mark.parametrize("part", EXTERNAL, ids=by_template)
def test_d1_d3_c10_an_external_answer_holds_nothing_unfit(part: AnswerPart) -> None:
    answer = rendered(part)
    assert list(unfit_words(answer.text, Audience.EXTERNAL)) == []
    assert list(unfit_words(answer.html, Audience.EXTERNAL)) == []


def test_c10_no_file_names_the_wrong_mailbox() -> None:
    files = [*(ROOT / "classifiers" / "intents").glob("*.yaml"), ROOT / "classifiers" / "links.yaml"]
    assert not [path for path in [*files, *(ROOT / "templates").rglob("*.j2")] if "gmail" in path.read_text().lower()]


STARTS_NOTHING_ANYWAY = {"agreement_docs", "certification"}
"""These only point to documents: there is nothing that a mail could be thought to start."""


@pytest.mark.parametrize("part", [part for part in PARTS if part.intent not in STARTS_NOTHING_ANYWAY], ids=by_template)
def test_d4_the_answer_says_that_the_mail_itself_starts_nothing(part: AnswerPart) -> None:
    assert "Your email by itself does not " in rendered(part).text


@pytest.mark.parametrize("part", PARTS, ids=by_template)
def test_every_answer_says_that_it_is_automatic_and_how_to_reach_a_person(part: AnswerPart) -> None:
    text = rendered(part).text
    assert "This is an automatic answer." in text
    assert "your reply always reaches a person" in text


WITHOUT_ADDRESS = {"billing_setup.internal", "quoting.external", "sales_assistance.internal"}


@pytest.mark.parametrize("part", PARTS, ids=by_template)
def test_every_address_in_an_answer_stands_in_links_yaml(part: AnswerPart) -> None:
    allowed = {link.url.replace("[]", "%5B%5D") for link in LINKS.values() if link.may_reach(part.audience)}
    text = rendered(part).text
    addresses = re.findall(r"https?://\S+", text) + [
        f"mailto:{found}" for found in re.findall(r"[\w.]+@[\w.]+\w", text)
    ]
    assert addresses or part.template in WITHOUT_ADDRESS
    assert set(addresses) <= allowed


@pytest.mark.parametrize("part", PARTS, ids=by_template)
def test_r33_the_portal_documents_say_that_a_login_is_needed(part: AnswerPart) -> None:
    for line in rendered(part).text.splitlines():
        assert ("/prm/English/s/assets" in line) == ("(portal login required)" in line)


@pytest.mark.parametrize("part", PARTS, ids=by_template)
def test_no_markup_is_left_in_the_text_and_no_picture_in_the_html(part: AnswerPart) -> None:
    answer = rendered(part)
    assert not re.search(r"\*\*|\]\(|\\|\{\{|<[a-z]", answer.text)
    assert not re.search(r"<img|<script|src=|url\(", answer.html)


SUBMIT_TICKET = '"Submit a Technical Support Ticket on behalf of your customer"'

SAYS: dict[str, list[str]] = {
    # R71-R76; A16: beyond the program it is the Channel Account Manager
    "nfr_request.external": [
        '"Support" tab',
        '"NFR" icon',
        "license support team",
        "contact your Channel Account Manager",
    ],
    "nfr_request.internal": ['"Support" tab', '"NFR" icon', '"Other"'],
    # R77, R84
    "nfr_exception.external": ["contact your Channel Account Manager", "cannot say in advance"],
    # R77-R85
    "nfr_exception.internal": [
        "consult",
        "work with Sales",
        'option "Other"',
        "https://gitlab-com.gitlab.io/support/internal-requests-form/",
        "business justification",
        "Director-level approval may be required",
        "Not all requests are granted",
        "Account Notes",
        "rejected automatically",
    ],
    # R92, R93; A1 and A2: all branches
    "portal_access.external": [
        "1. Go to https://partners.gitlab.com and scroll down to the login section.\n2. On the left side",
        '"Request Portal Access"',
        "3. Confirm the company you work for and click next.\n4. Fill in your information and submit.",
        "If your company is already a GitLab partner",
        "If your company is not a partner yet",
        '"Forgot Password"',
    ],
    # R95
    "portal_access.internal": ['"Request Portal Access"', '"GitLab PS"', "same view"],
    # R96-R99; A4: both branches
    "partner_signup.external": [
        "https://partners.gitlab.com",
        'chooses "Yes" under the Partner Agreement',
        'chooses "No" under the Partner Agreement and then "Yes" for "I have questions about the agreement"',
        "click-through contract",
    ],
    # R100
    "partner_signup.internal": ["@partner operations", "state the reasons why", "manual account creation"],
    # R88-R90; A9, A11: partner, customer through a partner, customer directly
    "subscription_change.external": [
        SUBMIT_TICKET,
        '"Support" tab',
        "If you are the partner",
        "bought through a partner, please contact that partner",
        "bought directly from GitLab",
        "https://about.gitlab.com/support/",
    ],
    "subscription_change.internal": [SUBMIT_TICKET, "partner named on the opportunity"],
    # R86, R87; A11
    "technical_support.external": [
        SUBMIT_TICKET,
        '"Support" tab',
        "bought through a partner, please contact that partner",
        "https://about.gitlab.com/support/",
        "an instance of your own",
    ],
    "technical_support.internal": [SUBMIT_TICKET, "Solutions Architect, sales and support teams"],
    # R12, R40, R43; A6, A7
    "quoting.external": [
        "Through a distributor: please ask your distributor",
        "Directly from GitLab: the GitLab sales team",
        "Partner Order Operations",
        "The Channel Account Manager does not prepare it",
    ],
    # R9-R12
    "quoting.internal": [
        "chatter @partner operations on the opportunity record",
        "Reseller-direct: the sales team",
        "not the Channel Manager's responsibility",
    ],
    # R41, R42, R44; A8: three branches
    "purchase_order.external": [
        "buy through a distributor: send the PO to your distributor",
        "You are a distributor: send the PO to GitLab's Partner Order Operations team",
        "buy directly from GitLab: send the PO to the GitLab sales team that manages the opportunity",
        "#po-remittance",
    ],
    "purchase_order.internal": ["to the distributor", "Partner Order Operations", "sales team", "#po-remittance"],
    # R14, R22; A29
    "opportunity_record.internal": [
        "chatter @partner operations on the opportunity record",
        "chatter @partner help desk on the partner account record",
    ],
    # R16
    "billing_setup.internal": ["chatter the partner account owner", "chatter @billing ops"],
    # R15, R17
    "sales_assistance.external": ["Solutions Architects", "sales team", "support team", "Channel Account Manager"],
    "sales_assistance.internal": ["Solutions Architect (SA), sales and support teams"],
    # R19, R18
    "training_walkthrough.external": ["out of scope", "https://about.gitlab.com/handbook/resellers/training/"],
    # R19, R25, R63
    "training_walkthrough.internal": ["out of scope", "(internal-only)", "completed Partner Insights deck"],
    # R68, R69
    "certification.external": ["#training--certification-requirements-for-transactions-deal-registrations-and-nfrs"],
    "certification.internal": ["#training--certification-requirements-for-transactions-deal-registrations-and-nfrs"],
    # R36, R68
    "deal_registration.external": ["assets?id=391183", "#training--certification-requirements"],
    "deal_registration.internal": ["assets?id=391183"],
    # R34-R38
    "agreement_docs.external": [
        "assets?id=404715",
        "assets?id=290599",
        "assets?id=391183",
        "assets?id=288270",
        "There is no separate PDF",
    ],
    "agreement_docs.internal": ["https://about.gitlab.com/handbook/resellers/reseller-agreement/", "no separate PDF"],
    # R47-R67; A13, A19
    "partner_insights.internal": [
        "Chatter @partner help desk on the partner account record",
        "date (or expected date) of the partner meeting",
        "at least 5 working days",
        "only Select partners",
        "At most 3 requests at once",
        "one deck a quarter",
        "More than 3 partners",
        "#channel-programs-ops",
        "no tagging necessary",
        "two weeks' notice",
        "brief business justification",
        "that partner's Channel Manager",
        '"Google Docs, Notes and Attachments"',
        "Additional data comes from Partner Operations",
    ],
}  # fmt: skip


def test_every_answer_has_its_literal_words_listed() -> None:
    assert set(SAYS) == {part.template for part in PARTS}


@pytest.mark.parametrize(("template", "phrase"), [(name, words) for name, row in SAYS.items() for words in row])
def test_the_answer_says_the_literal_words(template: str, phrase: str) -> None:
    assert phrase in text_of(template)


MUST_NOT_SAY = {
    "purchase_order.external": ["partnerorderops", "pofulfillment", "po@"],  # C6
    "nfr_request.external": ["25", "10 users", "two business days"],  # C5, 2.2: link the policy, state no numbers
    "quoting.external": ["amazic", "carahsoft", "redington"],  # A6: no distributor unless the region is certain
    "certification.external": ["sales core", "foundations"],  # C12, C13
}


@pytest.mark.parametrize(("template", "words"), [(name, words) for name, row in MUST_NOT_SAY.items() for words in row])
def test_background_facts_stay_out_of_the_answer(template: str, words: str) -> None:
    assert words not in text_of(template).lower()


def test_several_intents_are_answered_in_one_mail_each_under_its_heading() -> None:
    two = [part for part in EXTERNAL if part.intent in ("certification", "deal_registration")]
    text = rendered(*reversed(two)).text
    assert "here is each in turn" in text
    assert text.index("Registering a deal\n---") < text.index("Training and certification\n---")
    assert text.count("Kind regards,") == 1


SEED_LINKS = {
    "portal": "https://partners.gitlab.com/English/",
    "nfr_policy": "https://about.gitlab.com/handbook/resellers/channel-working-with-GitLab/"
    "#requesting-a-gitlab-nrf-not-for-resale-license",
    "partner_guide": "https://partners.gitlab.com/prm/English/s/assets?id=404715",
    "online_agreement": "https://partners.gitlab.com/prm/English/s/assets?id=290599",
    "deal_registration_guide": "https://partners.gitlab.com/prm/English/s/assets?id=391183",
    "partner_locator_guide": "https://partners.gitlab.com/prm/English/s/assets?id=288270",
    "internal_request_form": "https://gitlab-com.gitlab.io/support/internal-requests-form/",
    "partnersupport": "mailto:partnersupport@gitlab.com",
}


@pytest.mark.parametrize(("name", "url"), SEED_LINKS.items())
def test_the_links_are_those_of_the_specification(name: str, url: str) -> None:
    assert LINKS[name].url == url


def test_r25_r29_nothing_on_google_docs_may_reach_a_partner() -> None:
    """D1, R25-R31: internal documents, boards, the form and the channel are for colleagues."""
    for name, link in LINKS.items():
        if list(unfit_words(f"{link.label} {link.url}", Audience.EXTERNAL)):
            assert link.audience == "internal", name
