"""Thirty ways in which a mail may not say what decides, and what is done then.

The model is fixed and sure of the intent; what decides is read from a real mail, from the proof of its sender or from
the partner directory. The ladder: look it up, answer both branches, ask one question, leave it to a person.
"""

import re
from collections.abc import Sequence

import pytest
from tests.spec.desk import CANNED, PLAYBOOK, SHIPPED, dealt_with, said, unfit_for_partners, words_of

from mailflow.adapters.examples import Example, to_bytes
from mailflow.core.classification import Action, Classification
from mailflow.core.message import Role
from mailflow.core.partner import NO_PARTNERS, Partner, PartnerDirectory, PartnerKind, Route
from mailflow.services.triage import Preview, Triage
from mailflow.testing import classification

TWO_TIER = Partner(
    ("twotier.example",), "Two Tier Trading", "Open", PartnerKind.RESELLER, "EMEA", Route.DISTRIBUTION, "Wholesale SA"
)
DIRECT = Partner(("direct.example",), "Direct Dealers", "Select", PartnerKind.RESELLER, "EMEA", Route.DIRECT, "")
WHOLESALE = Partner(("wholesale.example",), "Wholesale SA", "", PartnerKind.DISTRIBUTOR, "EMEA", Route.DIRECT, "")
DIRECTORY = PartnerDirectory.of((TWO_TIER, DIRECT, WHOLESALE))

COLLEAGUE = "cora.example@gitlab.com"
STRANGER = "ann@unknown.example"
ASSETS = "assets?id="
TICKET = "Submit a Technical Support Ticket on behalf of your customer"
REQUEST_ACCESS = 'choose "Request Portal Access"'


def mail(
    text: str,
    sender: str = STRANGER,
    *,
    proven: bool = True,
    subject: str = "",
    cc: Sequence[str] = (),
    attachments: Sequence[str] = (),
    lang: str = "en",
) -> bytes:
    """A mail to the desk. `proven`: our own server vouches for the domain of its sender (D2)."""
    proof = f"mx.gitlab.com; dmarc=pass header.from={sender.rpartition('@')[2]}"
    return to_bytes(
        Example(
            author="spec",
            from_addr=sender,
            cc=tuple(cc),
            subject=subject,
            text=text,
            headers=(("Authentication-Results", proof),) if proven else (),
            attachments=tuple(attachments),
            lang=lang,
            role=Role.UNKNOWN,
            primary="other",
            intents=("other",),
            action=Action.REVIEW,
        )
    )


def asked(
    text: str,
    intent: str,
    sender: str = STRANGER,
    *,
    partners: PartnerDirectory = DIRECTORY,
    proven: bool = True,
    cc: Sequence[str] = (),
    attachments: Sequence[str] = (),
    model: Classification | None = None,
) -> Preview:
    """What becomes of a mail that a sure model takes for `intent` (or of which it says `model`)."""
    content = mail(text, sender, proven=proven, cc=cc, attachments=attachments)
    return dealt_with(content, model or said(intent), partners)


def answer_to(preview: Preview) -> str:
    """The words that go out by themselves."""
    assert preview.decision.action is Action.REPLY, preview.decision.reasons
    return words_of(preview)


def assert_is_held(preview: Preview, code: str = "") -> None:
    assert preview.decision.action is Action.REVIEW, words_of(preview)
    if code:
        assert code in {reason.code for reason in preview.decision.reasons}
    assert not preview.decision.answers


def test_a01_who_wants_into_the_portal_gets_both_branches_unless_the_directory_knows_the_company() -> None:
    """A1: a known domain with a proof is a partner's; a free mail domain proves nothing, whatever a list says."""
    text = "Hello, I need access to the partner portal."
    both = answer_to(asked(text, "portal_access"))
    assert "If your company is already a GitLab partner," in both
    assert "If your company is not a partner yet," in both
    one = answer_to(asked(text, "portal_access", "bea@twotier.example"))
    assert REQUEST_ACCESS in one
    assert "not a partner yet" not in one
    assert "already a GitLab partner" not in one
    for sender, proven in (("bea@twotier.example", False), ("bea.example@gmail.com", True)):
        assert answer_to(asked(text, "portal_access", sender, proven=proven)) == both
    listed = Partner(("gmail.com",), "Nobody's", "", PartnerKind.RESELLER, "", Route.DIRECT, "")
    free = asked(text, "portal_access", "bea.example@gmail.com", partners=PartnerDirectory.of((listed,)))
    assert answer_to(free) == both


def test_a02_who_cannot_log_in_gets_both_ways_and_a_person_once_something_was_tried() -> None:
    """A2: without an error or an attempt no account or a lost password; with one a person looks."""
    both = answer_to(asked("Hello, I cannot log in to the portal.", "portal_access"))
    assert REQUEST_ACCESS in both
    assert 'use "Forgot Password"' in both
    assert_is_held(asked("I followed the steps on the portal but I only get an error.", "portal_access"), "guard:fact")
    quoted = 'The portal says "invalid username or password" since yesterday.'
    assert_is_held(asked(quoted, "portal_problem"), "row:portal_problem")


def test_a03_credentials_that_do_not_come_are_a_question_about_the_account() -> None:
    """A3: Authorized or Prospect, only a person can see."""
    text = "We requested portal access last week and have not received any credentials."
    assert_is_held(asked(text, "portal_access"), "guard:fact")
    assert any("A3" in step for step in PLAYBOOK.intents["portal_access"].next_steps)


def test_a04_who_wants_to_become_a_partner_reads_both_answers_under_the_agreement() -> None:
    """A4: whether the writer may sign is not known; both clicks are short."""
    text = answer_to(asked("We want to become a partner.", "partner_signup"))
    assert 'An authorized signatory of the company chooses "Yes" under the Partner Agreement' in text
    assert 'chooses "No" under the Partner Agreement and then "Yes" for "I have questions about the agreement"' in text


@pytest.mark.parametrize(
    "text",
    [
        "We build an integration for GitLab and would like to join as a technology partner.",
        "We are an ISV and want to join the alliance program. How do we sign up?",
    ],
)
def test_a05_a_technology_partner_is_not_pushed_into_the_reseller_contract(text: str) -> None:
    """A5: another category and another contract, so a person; and whoever says less is warned before the contract."""
    assert_is_held(asked(text, "partner_signup"), "fact:seeks_alliance")
    assert any("A5" in step for step in PLAYBOOK.intents["partner_signup"].next_steps)
    warned = answer_to(asked("We want to become a partner.", "partner_signup"))
    assert "a technology or alliance partnership" in warned
    assert "before you accept an agreement: another one applies" in warned


def test_a06_a_partner_who_wants_a_quote_gets_both_routes_unless_the_directory_knows_his() -> None:
    """A6: no distributor's name or address; who does not know the sales representative reaches a person."""
    text = "Please quote 50 seats of Ultimate for one year for our customer."
    both = answer_to(asked(text, "quoting"))
    assert "Through a distributor: please ask your distributor" in both
    assert "Directly from GitLab: the GitLab sales team that manages the opportunity" in both
    assert "If you do not know your sales representative, reply to this email" in both
    assert "You are a customer: please ask the partner you buy from or, if you buy directly" in both
    assert "The same holds for a renewal" in both
    two_tier = answer_to(asked(text, "quoting", "bea@twotier.example"))
    assert "As you buy through a distributor, please ask your distributor" in two_tier
    assert "sales representative" not in two_tier
    direct = answer_to(asked(text, "quoting", "bea@direct.example"))
    assert "As you buy directly from GitLab, the GitLab sales team" in direct
    assert "distributor" not in direct
    for words in (both, two_tier, direct):
        assert "Wholesale" not in words
        assert not re.search(r"\S+@\S+", words)


def test_a07_a_distributor_who_wants_a_quote_is_sent_to_partner_order_operations() -> None:
    """A7: if the directory knows him; otherwise his branch stands beside the others."""
    text = "Please quote the renewal for this reseller."
    known = answer_to(asked(text, "quoting", "order.desk@wholesale.example"))
    assert "Partner Order Operations team manages the quotes for distributors" in known
    assert "ask your distributor" not in known
    unknown = answer_to(asked(text, "quoting"))
    assert "You are a distributor: GitLab's Partner Order Operations team manages the quotes" in unknown


def test_a08_where_an_order_goes_has_three_branches_and_an_attached_order_reaches_a_person() -> None:
    """A8, D6: and the person is told to say that it is not delivered yet."""
    text = "Where do I send the PO?"
    three = answer_to(asked(text, "purchase_order"))
    branches = {
        "bea@twotier.example": "send the purchase order (PO) to your distributor, not to GitLab",
        "order.desk@wholesale.example": "send the purchase order (PO) to GitLab's Partner Order Operations team",
        "bea@direct.example": "send the purchase order (PO) to the GitLab sales team that manages the opportunity",
    }
    for sender, words in branches.items():
        assert words.replace("purchase order (PO)", "PO") in three
        one = answer_to(asked(text, "purchase_order", sender))
        assert [other for other in branches.values() if other in one] == [words]
    for name in ("PO_4500123.pdf", "4500123.dat"):
        assert_is_held(asked("Here is our order.", "purchase_order", attachments=[name]))
    assert any("not delivered yet" in step for step in PLAYBOOK.intents["purchase_order"].next_steps)
    canned = (SHIPPED.templates / "canned" / "purchase_order_wrong_place.md.j2").read_text(encoding="utf-8")
    assert "It is not delivered yet" in canned


def test_a09_whose_license_is_asked_for_where_the_mail_does_not_say() -> None:
    """A9: words of a lab or demo mean the own one, words of a customer the customer's; neither, and we ask."""
    unknown = answer_to(asked("Please resend the license.", "subscription_change"))
    assert "Which license do you mean?" in unknown
    customers = answer_to(asked("Please resend the license to our customer.", "subscription_change"))
    assert TICKET in customers
    assert "Which license" not in customers
    assert "NFR" not in customers
    own = answer_to(asked("Please resend the NFR license of our lab.", "subscription_change"))
    assert "If you mean your own Not-For-Resale (NFR) license" in own
    assert 'choose the "NFR" icon' in own


def test_a10_a_license_that_did_not_come_goes_by_ticket_and_no_key_is_asked_for() -> None:
    """A10: unless the NFR form was sent, which is a question about an account."""
    text = answer_to(asked("Our customer has not got the license of order 88.", "subscription_change"))
    assert TICKET in text
    assert not re.search(r"\b(send|tell|give) us [^.]*\b(license|key|code)\b", text, re.IGNORECASE)
    sent = "We submitted the NFR form last week and have not received the license."
    for intent in ("subscription_change", "nfr_request"):
        assert_is_held(asked(sent, intent), "guard:fact")


@pytest.mark.parametrize("intent", ["technical_support", "subscription_change"])
def test_a11_a_customer_is_told_of_both_ways_to_have_bought(intent: str) -> None:
    """A11: the partner that he may have bought from is not named from data."""
    text = answer_to(asked("Hello, we use GitLab and need help with our subscription.", intent))
    assert "If you are the customer and bought through a partner, please contact that partner" in text
    assert "If you are the customer and bought directly from GitLab, please contact GitLab Support" in text
    assert not [partner.company for partner in DIRECTORY.partners if partner.company in text]


@pytest.mark.parametrize("intent", ["subscription_change", "technical_support"])
def test_a12_a_company_that_nobody_knows_gets_the_public_path_and_no_document_of_the_portal(intent: str) -> None:
    """A12: it may be an impostor after a customer's license."""
    text = answer_to(asked("Please help our customer with the license.", intent))
    assert TICKET in text
    assert unfit_for_partners(text) == []
    assert ASSETS not in text


def test_a13_a_colleague_of_unknown_role_reads_what_holds_for_each_role() -> None:
    """A13, D2: and who only says that he is a colleague gets nothing by himself."""
    text = "Please make an Insights deck for ACME."
    proven = answer_to(asked(text, "partner_insights", COLLEAGUE))
    assert "If you are the partner's Channel Manager:" in proven
    assert "If you are not a Channel Manager" in proven
    assert_is_held(asked(text, "partner_insights", COLLEAGUE, proven=False), "row:partner_insights")
    outsider = answer_to(asked("Who quotes this deal?", "quoting", COLLEAGUE, proven=False))
    assert unfit_for_partners(outsider) == []


def test_a14_a_forwarded_mail_is_answered_to_the_colleague_alone() -> None:
    """A14: internal text, one recipient, nobody in Cc."""
    text = "Can you help them?\n\n---------- Forwarded message ---------\nFrom: bea@twotier.example\n\nPlease quote 50."
    preview = asked(text, "quoting", COLLEAGUE)
    assert "@partner operations" in answer_to(preview)
    assert preview.message is not None
    assert preview.message.envelope.forward_path == COLLEAGUE
    head = preview.message.content.partition(b"\r\n\r\n")[0].decode()
    assert f"To: <{COLLEAGUE}>" in head
    assert "twotier" not in head
    assert "\r\nCc:" not in head


def test_a15_a_partner_with_a_colleague_in_copy_gets_the_external_text() -> None:
    """A15: it is fit for both."""
    preview = asked("Please quote 50 seats.", "quoting", "bea@twotier.example", cc=[COLLEAGUE])
    assert unfit_for_partners(answer_to(preview)) == []


def test_a15_a_colleague_with_a_partner_in_copy_never_gets_internal_text_by_itself() -> None:
    """A15, the other way round: the external text to the colleague alone, or a person where there is none."""
    preview = asked("Please quote 50 seats.", "quoting", COLLEAGUE, cc=["bea@twotier.example"])
    assert unfit_for_partners(answer_to(preview)) == []
    assert preview.message is not None
    assert preview.message.envelope.forward_path == COLLEAGUE
    assert_is_held(asked("Please make a deck.", "partner_insights", COLLEAGUE, cc=["bea@twotier.example"]))


def test_a16_more_nfr_users_means_both_sentences_to_a_partner_and_the_whole_way_to_a_colleague() -> None:
    """A16: within the programme the form, beyond it the Channel Account Manager."""
    partner = answer_to(asked("We need more NFR users.", "nfr_request"))
    assert "Fill in the form" in partner
    assert "If you need more users or licenses than the program offers" in partner
    assert "please contact your Channel Account Manager instead of using the form" in partner
    colleague = answer_to(asked("My partner needs more NFR users than the program gives.", "nfr_exception", COLLEAGUE))
    for step in ("should the partner pay", 'the option "Other"', "business justification", "Account Notes"):
        assert step in colleague


def test_a17_nfr_for_a_customer_or_for_hosting_is_not_answered_with_the_form() -> None:
    """A17: a person sends the partner to the Channel Account Manager."""
    preview = asked("May we host two customers with the NFR license?", "nfr_exception")
    assert_is_held(preview, "row:nfr_exception")
    draft = words_of(preview)
    assert "Please contact your Channel Account Manager" in draft
    assert "cannot be requested with the NFR form" in draft
    assert "icon" not in draft


@pytest.mark.parametrize(
    "text",
    [
        "What is the status of our NFR request?",
        "We submitted the NFR form on Monday. Is it approved?",
        "Any news about our NFR request?",
    ],
)
def test_a18_whether_an_nfr_request_is_approved_only_a_person_can_see(text: str) -> None:
    """A18: account data."""
    assert_is_held(asked(text, "nfr_request"), "guard:fact")


def test_a19_a_colleague_reads_all_conditions_of_a_deck_and_a_partner_nothing() -> None:
    """A19: it is never said that the request is accepted, and the programme is not described to partners."""
    text = "Please make a deck about ACME."
    conditions = answer_to(asked(text, "partner_insights", COLLEAGUE))
    for words in (
        "by Channel Managers and their directors only",
        "only Select partners",
        "At most 3 requests at once",
        "one deck a quarter",
        "at least 5 working days",
        "the date (or expected date)",
        "covers one partner account",
        "More than 3 partners",
        "Your email by itself does not request a deck",
    ):
        assert words in conditions
    assert not re.search(r"\b(accepted|received your request|will be made|have opened)\b", conditions)
    partner = asked("Please send us the deck about us.", "partner_insights", "bea@twotier.example")
    assert_is_held(partner, "row:partner_insights")
    assert partner.answer is None


def test_a20_quarters_and_working_days_are_repeated_and_never_computed() -> None:
    """A20: fiscal or calendar, and whose holidays, the rules do not say."""
    text = answer_to(asked("Deck for ACME this quarter, QBR on 12 May 2026.", "partner_insights", COLLEAGUE))
    assert "5 working days" in text
    assert "quarter" in text
    month = r"\b(January|February|March|April|May|June|July|August|September|October|November|December|Q[1-4])\b"
    assert re.findall(month, text) == []
    assert re.findall(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\b20\d\d\b|fiscal", text) == []


def test_a21_whose_address_changes_decides_who_acts() -> None:
    """A21: a customer's subscription by ticket, the own user by a person, and where it is unclear a person asks."""
    customer = "Please change the contact email of our customer's subscription."
    assert TICKET in answer_to(asked(customer, "subscription_change"))
    assert_is_held(asked("My address changed, please update my portal user.", "account_data"), "row:account_data")
    unclear = classification(("subscription_change", 0.55), ("account_data", 0.5), reply=0.4, review=0.55)
    assert_is_held(asked("Please change our email address.", "", model=unclear))
    assert {"subscription_change", "account_data"} <= set(CANNED["ask_one_question"].intents)


def test_a22_the_copy_of_an_invoice_is_a_task_for_a_person() -> None:
    """A22: and no answer about orders claims a way to it."""
    text = "Please send a copy of the invoice INV00123."
    assert_is_held(asked(text, "", model=said("purchase_order", action=Action.REVIEW)))
    assert "invoice" not in answer_to(asked("Where does the PO go?", "purchase_order")).lower()
    assert any("A22" in step for step in PLAYBOOK.intents["purchase_order"].next_steps)


def test_a23_a_billing_account_is_set_up_by_chatter_and_for_a_partner_by_a_person() -> None:
    """A23: the path is internal, so nothing is drafted for a partner."""
    text = "Please set up our billing account."
    colleague = answer_to(asked(text, "billing_setup", COLLEAGUE))
    assert "chatter the partner account owner, or" in colleague
    assert "chatter @billing ops" in colleague
    partner = asked(text, "billing_setup")
    assert_is_held(partner, "row:billing_setup")
    assert partner.answer is None


@pytest.mark.parametrize("sender", [STRANGER, "bea@direct.example", COLLEAGUE])
def test_a24_a_rebate_that_was_not_paid_is_looked_up_by_a_person(sender: str) -> None:
    """A24: no sentence about an amount or a date is even drafted."""
    preview = asked("Our rebate of last quarter is not paid.", "rebate", sender)
    assert_is_held(preview, "row:rebate")
    assert preview.answer is None


def test_a25_a_course_that_does_not_show_is_looked_up_by_a_person() -> None:
    """A25: with the course, the date and the address, for which the answer asks too."""
    text = "My course does not show in the portal."
    assert_is_held(asked(text, "", model=said("certification", action=Action.REVIEW)))
    assert "with the course, the date and the email address you used" in answer_to(asked(text, "certification"))
    assert any("A25" in step for step in PLAYBOOK.intents["certification"].next_steps)


def test_a26_a_live_session_is_out_of_scope_and_guides_are_offered() -> None:
    """A26: to a colleague the tools, with the one exception of a finished deck, which needs a person."""
    text = "Can somebody train us on the portal?"
    partner = answer_to(asked(text, "training_walkthrough"))
    assert "are out of scope for the Partner Help Desk" in partner
    assert "guides and pages help instead" in partner
    colleague = answer_to(asked(text, "training_walkthrough", COLLEAGUE))
    assert "Please use these tools" in colleague
    assert "go over a completed Partner Insights deck with them" in colleague
    deck = "Could PHD go over the finished deck with me?"
    assert_is_held(asked(deck, "", COLLEAGUE, model=said("partner_insights", action=Action.REVIEW)))


def test_a27_the_agreement_is_behind_the_login_and_who_has_none_is_told_how_to_get_one() -> None:
    """A27: a colleague gets the page; a free mail address gets a person."""
    text = "Please send us the agreement."
    partner = answer_to(asked(text, "agreement_docs"))
    assert "assets?id=290599 (portal login required)" in partner
    assert REQUEST_ACCESS in partner
    assert "If your company is not a partner yet, you can sign up" in partner
    assert "/handbook/resellers/reseller-agreement/" in answer_to(asked(text, "agreement_docs", COLLEAGUE))
    assert_is_held(asked(text, "agreement_docs", "bea.example@gmail.com"), "fact:is_free_mail")


def test_a28_how_to_register_a_deal_is_answered_and_what_became_of_one_is_not() -> None:
    """A28: status, extension and activation are account data."""
    how = answer_to(asked("How do we register a deal?", "deal_registration"))
    assert "assets?id=391183 (portal login required)" in how
    assert "reply to this email with its number: a specialist looks into it" in how
    for text in (
        "What is the status of our deal registration?",
        "Any update on our deal registration?",
        "We tried the link to register a deal, but it does not load.",
    ):
        assert_is_held(asked(text, "deal_registration"), "guard:fact")
    extension = said("deal_registration", action=Action.REVIEW)
    assert_is_held(asked("Please extend our registration by 30 days.", "", model=extension))
    assert any("A28" in step for step in PLAYBOOK.intents["deal_registration"].next_steps)


def test_a29_a_colleague_who_does_not_say_which_record_reads_of_both() -> None:
    """A29: the opportunity goes to Partner Operations, the partner account to the help desk."""
    text = answer_to(asked("The record in Salesforce is wrong.", "opportunity_record", COLLEAGUE))
    assert "please chatter @partner operations on the opportunity record" in text
    assert "please chatter @partner help desk on the partner account record" in text


def test_a30_a_mail_without_words_reaches_a_person_whatever_the_model_believes() -> None:
    """A30: nothing but an attachment, or nothing at all."""
    assert_is_held(asked("", "quoting", attachments=["scan0001.pdf"]), "guard:fact")
    assert_is_held(asked("", "", model=classification(abstained="there is nothing to read")), "guard:abstained")
    assert_is_held(asked("", "", model=said("other")), "row:other")


@pytest.mark.parametrize(
    "text",
    [
        "This is unacceptable, how do we get a login?",
        "How do we get a login? Otherwise we will take legal action.",
        "Das ist inakzeptabel. Wie bekommen wir einen Zugang?",
    ],
)
def test_a30_an_angry_or_legal_tone_reaches_a_person(text: str) -> None:
    """A30: however clear the request is."""
    assert_is_held(asked(text, "portal_access"), "guard:fact")


def test_a30_another_language_is_answered_in_it_only_where_its_text_was_checked() -> None:
    """A30: otherwise in English, if the model is sure, and by a person if it is not."""
    german = "Guten Tag, wie bekommt unsere neue Kollegin einen Zugang zum Partnerportal? Mit freundlichen Grüßen"
    polish = (
        "Dzień dobry, jak nasza nowa koleżanka może otrzymać dostęp do portalu partnerskiego? Pozdrawiam serdecznie"
    )
    checked = dealt_with(mail(german, lang="de"), said("portal_access"), NO_PARTNERS)
    assert "Wenn Ihr Unternehmen bereits GitLab-Partner ist," in answer_to(checked)
    assert checked.answer is not None
    assert checked.answer.language == "de"
    unchecked = dealt_with(mail(polish, lang="pl"), said("portal_access"), NO_PARTNERS)
    assert "If your company is already a GitLab partner," in answer_to(unchecked)
    unsure = classification(("portal_access", 0.5), reply=0.5, review=0.45)
    assert_is_held(dealt_with(mail(german, lang="de"), unsure, NO_PARTNERS))


@pytest.mark.parametrize(
    "text",
    [
        "We make a scanner that plugs into GitLab. We will not resell, only be listed. What do we sign?",
        "Is our NFR request approved yet?",
        "Has our NFR license been approved?",
        "Please send a copy of invoice INV00123.",
        "My course does not show in the portal.",
        "Please extend our deal registration by 30 days.",
        "Has our deal registration been approved?",
    ],
)
def test_what_no_fact_tells_is_held_by_the_trained_model(text: str, whole_desk: Triage) -> None:
    """A5, A18, A22, A25, A28: account data and other contracts, in words that no rule knows."""
    assert whole_desk.triage(mail(text, subject="Question")).decision.action is Action.REVIEW


def test_each_of_the_thirty_is_tested() -> None:
    tested = {int(name[len("test_a") :][:2]) for name in globals() if re.match(r"test_a\d\d_", name)}
    assert tested == set(range(1, 31))
