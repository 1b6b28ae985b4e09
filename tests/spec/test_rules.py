"""One line of checks for each rule, in the order of the specification: what a reader is told, or what a person does.

A rule that speaks to senders is looked for in the rendered answer, one that speaks to the team in the next steps or in
the row that leaves the mail to a person, an address in links.yaml. So each rule has a test that fails without it.
"""

from dataclasses import dataclass
from functools import cache

import pytest
from tests.spec.desk import LINKS, PLAYBOOK, RENDERER, unfit_for_partners

from mailflow.core.check import answers
from mailflow.core.coverage import RULES
from mailflow.core.playbook import Audience, PolicyAction
from mailflow.core.ports import AnswerPart, Letter

HANDBOOK = "https://about.gitlab.com/handbook/"
OPERATIONS = HANDBOOK + "sales/field-operations/channel-operations/"
PORTAL = "https://partners.gitlab.com/English/"
PORTAL_ASSET = "https://partners.gitlab.com/prm/English/s/assets?id="
TICKET = 'Click "Submit a Technical Support Ticket on behalf of your customer"'
NO_THEN_YES = 'chooses "No" under the Partner Agreement and then "Yes" for "I have questions about the agreement"'


@cache
def rendered(template: str, branch: str = "") -> str:
    """The answer on one line."""
    intent, _, audience = template.partition(".")
    part = AnswerPart(intent, Audience(audience), template, branch)
    return " ".join(RENDERER.render(Letter((part,))).text.split())


@dataclass(frozen=True, slots=True)
class Says:
    """An answer has these words."""

    template: str
    words: tuple[str, ...]
    branch: str = ""

    def problems(self) -> list[str]:
        text = rendered(self.template, self.branch)
        return [f"{self.template} lacks: {words}" for words in self.words if words not in text]


@dataclass(frozen=True, slots=True)
class Silent:
    """No external answer, in any branch, has these words."""

    words: tuple[str, ...]

    def problems(self) -> list[str]:
        texts = {part: rendered(part.template, part.branch) for part in answers(PLAYBOOK)}
        return [
            f"{part.template} says: {words}"
            for part, text in texts.items()
            for words in self.words
            if part.audience is Audience.EXTERNAL and words.lower() in text.lower()
        ]


@dataclass(frozen=True, slots=True)
class Step:
    """What the specialist is told to do with such a mail."""

    intent: str
    words: tuple[str, ...]

    def problems(self) -> list[str]:
        steps = " ".join(PLAYBOOK.intents[self.intent].next_steps)
        return [f"next steps of {self.intent} lack: {words}" for words in self.words if words not in steps]


@dataclass(frozen=True, slots=True)
class Leads:
    """A link leads there, for these readers."""

    name: str
    url: str
    audience: str
    login_required: bool = False

    def problems(self) -> list[str]:
        link = LINKS[self.name]
        is_right = (link.url, link.audience, link.login_required) == (self.url, self.audience, self.login_required)
        return [] if is_right else [f"{self.name} is {link}"]


@dataclass(frozen=True, slots=True)
class Person:
    """Nothing is sent by itself to these readers."""

    intent: str
    audiences: tuple[Audience, ...] = (Audience.EXTERNAL, Audience.INTERNAL)

    def problems(self) -> list[str]:
        rows = PLAYBOOK.intents[self.intent].audiences
        return [f"{self.intent} is answered" for one in self.audiences if rows[one].action is PolicyAction.SEND]


Check = Says | Silent | Step | Leads | Person

DECK = "partner_insights.internal"
EXCEPTION = "nfr_exception.internal"

CHECKS: dict[str, tuple[Check, ...]] = {
    # Who reads what, and how the team is reached
    "R1": (Silent(("chatter", "Slack", "docs.google.com")), Step("other", ("no chatter, no Slack, no document",))),
    "R2": (Step("other", ("Asked for a named person", "name nobody")),),
    "R3": (Step("account_data", ("on the partner account record in SFDC",)), Person("account_data")),
    "R4": (Person("account_data"), Step("account_data", ("Impartner: change the data",))),
    "R5": (Person("other"), Leads("partnersupport", "mailto:partnersupport@gitlab.com", "both")),
    "R6": (Person("rebate"), Step("rebate", ("Promise no amount and no date",))),
    "R7": (Person("other"), Step("other", ("Do not call it out of scope",))),
    "R8": (
        Says("sales_assistance.internal", ("The Partner Help Desk is not a part of the sales process",)),
        Says("sales_assistance.external", ("the Partner Help Desk is not a part of the sales process",)),
    ),
    "R9": (
        Says("quoting.internal", ("Quoting is not done by the Partner Help Desk",)),
        Says("quoting.internal", ("Please chatter @partner operations on the opportunity record",)),
    ),
    "R10": (Says("quoting.internal", ("Partner Operations is responsible for distributor quoting",)),),
    "R11": (
        Says("quoting.internal", ("Reseller-direct: the sales team that manages the opportunity quotes",)),
        Leads("quote_requirements", OPERATIONS + "#opportunity-requirements-to-request-a-quote", "internal"),
    ),
    "R12": (
        Says("quoting.internal", ("It is not the Channel Manager's responsibility to quote",)),
        Says("quoting.external", ("The Channel Account Manager does not prepare it",), "direct"),
    ),
    "R13": (
        Says("partner_signup.internal", ("always created by the partner", "If an exception must be made")),
        Says("partner_signup.external", ("nobody can sign up for you",)),
    ),
    "R14": (
        Says("opportunity_record.internal", ("please chatter @partner operations on the opportunity record",)),
        Person("opportunity_record", (Audience.EXTERNAL,)),
    ),
    "R15": (
        Says(
            "sales_assistance.internal",
            (
                "use the Solutions Architect (SA), sales and support teams",
                "an RFP: the SA team.",
                "Commercial questions: the sales team",
                "A technical issue after the sale: the support team.",
            ),
        ),
        Says(
            "sales_assistance.external",
            (
                "(RFP): the Solutions Architects.",
                "competitive question: the sales team.",
                "the support team, by a ticket.",
            ),
        ),
        Says("sales_assistance.external", ("GitLab's Solutions Architects, sales and support teams",)),
    ),
    "R16": (
        Says("billing_setup.internal", ("not set up by the Partner Help Desk", "do not send bank details by email")),
        Says("billing_setup.internal", ("chatter the partner account owner, or", "chatter @billing ops")),
        Person("billing_setup", (Audience.EXTERNAL,)),
    ),
    "R17": (
        Says("sales_assistance.external", ("please write to your Channel Account Manager and tell them the customer",)),
        Says("sales_assistance.internal", ("lies with its Channel Account Manager",)),
        Says("training_walkthrough.external", ("management of your account, please contact your Channel Account",)),
    ),
    "R18": (
        Says("training_walkthrough.external", ("reply to this email and ask it: we gladly answer in writing",)),
        Says("training_walkthrough.internal", ("troubleshooting are welcome: from partners at partnersupport@",)),
    ),
    "R19": (Says("training_walkthrough.external", ("live walkthroughs of the portal are out of scope",)),),
    "R20": (
        Says("deal_registration.internal", ("#tagging-partner-operations-or-partner-help-desk-in-salesforce",)),
        Leads("tagging", OPERATIONS + "#tagging-partner-operations-or-partner-help-desk-in-salesforce", "internal"),
        Says("opportunity_record.internal", ("#tagging-partner-operations-or-partner-help-desk-in-salesforce",)),
    ),
    "R21": (Says("training_walkthrough.internal", ("from the team in #channel-programs-ops on Slack",)),),
    "R22": (
        Says("opportunity_record.internal", ("chatter @partner help desk on the partner account record",)),
        Step("account_data", ("(R3, R22)",)),
    ),
    "R23": (Step("other", ("point to the channel, where more eyes are",)),),
    "R24": (Leads("partnersupport", "mailto:partnersupport@gitlab.com", "both"), Silent(("gmail",))),
    # Links and documents
    "R25": (
        Leads(
            "partner_guide_internal",
            "https://docs.google.com/document/d/1HOzcdl22JRRbqo0SLPDsoUiM8NpNkf6-L2eiUHr6HZ4/edit",
            "internal",
        ),
        Says("agreement_docs.internal", ("For the team only", "Partner Guide (internal-only)")),
        Silent(("internal-only", "1HOzcdl22JRRbqo0SLPDsoUiM8NpNkf6")),
    ),
    "R26": (Leads("portal", PORTAL, "both"),),
    "R27": (
        Leads(
            "help_desk_board",
            "https://gitlab.com/groups/gitlab-com/-/boards/4547475?label_name%5B%5D=Partner%20Help%20Desk",
            "internal",
        ),
        Says("training_walkthrough.internal", ("boards/4547475",)),
        Silent(("boards/4547475",)),
    ),
    "R28": (
        Leads(
            "channels_board",
            "https://gitlab.com/groups/gitlab-com/-/boards/1508300?label_name[]=Channel",
            "internal",
        ),
        Says("training_walkthrough.internal", ("boards/1508300",)),
        Silent(("boards/1508300",)),
    ),
    "R29": (
        Leads(
            "discounts_guide",
            "https://docs.google.com/document/d/1qiT_2EsnL20c4w0hyZ_CGaJQIzj8CSCsHERoR80cwws/edit?usp=sharing",
            "internal",
        ),
        Says("agreement_docs.internal", ("Discounts and Incentive Guide",)),
        Silent(("Discounts and Incentive Guide",)),
    ),
    "R30": (
        Leads(
            "working_with_us",
            "https://docs.google.com/presentation/u/0/d/1tT5xcx04mlFyuftL5ECPH1VCZ0pkhW7caqnCkM7a-Ro/edit",
            "internal",
        ),
        Says("training_walkthrough.internal", ("Working with Partner Help Desk",)),
        Silent(("Working with Partner Help Desk",)),
    ),
    "R31": (
        Leads(
            "certification_dashboard",
            "https://docs.google.com/spreadsheets/d/1PnjHrOtZAYlkQpNoSsAzNt0sT1oZh76Xy2x33CfCQ9k/edit?usp=sharing",
            "internal",
        ),
        Says("certification.internal", ("Certification Dashboard", "share it with nobody outside GitLab")),
        Silent(("Certification Dashboard",)),
        Step("certification", ("Certification Dashboard: look up",)),
    ),
    "R32": (
        Leads("channel_handbook", HANDBOOK + "resellers/", "both"),
        Leads("program_guide", HANDBOOK + "resellers/Channel-Program-Guide/", "both"),
        Leads("training_page", HANDBOOK + "resellers/training/", "both"),
        Leads(
            "nfr_program",
            HANDBOOK + "resellers/channel-working-with-GitLab/#not-for-resale-nfr-program-and-policy",
            "both",
        ),
        Says("agreement_docs.external", ("Channel Program Guide", "Channel Partner Handbook")),
        Says("agreement_docs.internal", ("Channel Program Guide", "Channel Partner Handbook")),
        Says("training_walkthrough.external", ("Channel Partner Handbook", "resellers/training/")),
        Says("training_walkthrough.internal", ("Channel Operations:", "Channel Programs Operations:", "Deal Desk:")),
        Leads("channel_operations", OPERATIONS, "internal"),
        Leads("channel_programs_operations", HANDBOOK + "sales/channel/channel-programs-ops", "internal"),
        Leads("deal_desk", HANDBOOK + "sales/field-operations/sales-operations/deal-desk/#", "internal"),
        Leads(
            "quoting_channel_deals",
            HANDBOOK + "sales/field-operations/sales-operations/deal-desk/#quoting-channel-deals",
            "internal",
        ),
    ),
    "R33": (Says("agreement_docs.external", ("With your portal login you can open", "(portal login required)")),),
    "R34": (
        Leads("partner_guide", PORTAL_ASSET + "404715", "both", login_required=True),
        Says("agreement_docs.external", ("assets?id=404715",)),
        Says("agreement_docs.internal", ("assets?id=404715",)),
        Says("training_walkthrough.external", ("assets?id=404715",)),
    ),
    "R35": (
        Leads("online_agreement", PORTAL_ASSET + "290599", "both", login_required=True),
        Says("agreement_docs.external", ("assets?id=290599",)),
        Says("agreement_docs.internal", ("assets?id=290599",)),
    ),
    "R36": (
        Leads("deal_registration_guide", PORTAL_ASSET + "391183", "both", login_required=True),
        Says("agreement_docs.external", ("assets?id=391183",)),
        Says("agreement_docs.internal", ("assets?id=391183",)),
        Says(
            "deal_registration.external",
            ("The steps are written in the Deal Registration Guide", "3. Register the deal as the guide shows"),
        ),
        Says("deal_registration.internal", ("send the partner the Deal Registration Guide",)),
        Says("training_walkthrough.external", ("assets?id=391183",)),
    ),
    "R37": (
        Leads("partner_locator_guide", PORTAL_ASSET + "288270", "both", login_required=True),
        Says("agreement_docs.external", ("assets?id=288270",)),
        Says("agreement_docs.internal", ("assets?id=288270",)),
        Says("training_walkthrough.external", ("assets?id=288270",)),
    ),
    "R38": (
        Says("agreement_docs.external", ("no separate PDF outside of the portal, so we cannot send one by email",)),
        Says("agreement_docs.internal", ("There is no separate PDF", "resellers/reseller-agreement/")),
        Leads("reseller_agreement_page", HANDBOOK + "resellers/reseller-agreement/", "internal"),
    ),
    # Quote to cash
    "R39": (Says("quoting.internal", ("#opportunity-requirements-to-request-a-quote",)),),
    "R40": (
        Says("quoting.external", ("please ask your distributor for the quote",), "distribution"),
        Says("quoting.external", ("Partner Order Operations team manages the quotes",), "distributor"),
    ),
    "R41": (
        Says("purchase_order.internal", ("Reseller through distribution: to the distributor.",)),
        Says("purchase_order.external", ("to your distributor, not to GitLab",), "distribution"),
    ),
    "R42": (
        Says("purchase_order.internal", ("Distributor: to the Partner Order Operations team.", "#po-remittance")),
        Says("purchase_order.external", ("to GitLab's Partner Order Operations team",), "distributor"),
        Leads("po_remittance", HANDBOOK + "sales/field-operations/order-processing/#po-remittance", "both"),
        Silent(("partnerorderops@", "pofulfillment@")),
    ),
    "R43": (
        Says("quoting.external", ("the GitLab sales team that manages the opportunity prepares the quote",), "direct"),
    ),
    "R44": (
        Says("purchase_order.internal", ("Reseller-direct: to the sales team that manages the opportunity.",)),
        Says(
            "purchase_order.external",
            ("to the GitLab sales team that manages the opportunity", "#po-remittance"),
            "direct",
        ),
    ),
    "R45": (
        Says("subscription_change.internal", ("the responsibility of the partner named on the opportunity",)),
        Step("subscription_change", ("the partner named on the opportunity files the ticket",)),
    ),
    # Partner Insights
    "R46": (Says(DECK, ("Partner Insights are requested on the partner account record",)),),
    "R47": (
        Says(DECK, ("by Channel Managers and their directors only",)),
        Person("partner_insights", (Audience.EXTERNAL,)),
    ),
    "R48": (
        Says(DECK, ("work with that partner's Channel Manager, who knows whether a deck exists", "makes the request")),
    ),
    "R49": (Says(DECK, ('attached to the partner account under "Google Docs, Notes and Attachments"',)),),
    "R50": (
        Says(
            DECK,
            (
                "Chatter @partner help desk on the partner account record",
                "date (or expected date) of the partner meeting and the date by which you need the deck",
                "only the chatter on the partner account record does",
            ),
        ),
    ),
    "R51": (Says(DECK, ("At most 3 requests at once for each Channel Manager",)),),
    "R52": (Says(DECK, ("A case is opened, and a member of the team claims it",)),),
    "R53": (Says(DECK, ("Please allow at least 5 working days",)),),
    "R54": (
        Says(DECK, ("When the deck is complete", "you get the link by chatter")),
        Step("partner_insights", ("attach the deck to the account and chatter the link",)),
    ),
    "R55": (Says(DECK, ("You may edit the deck",)),),
    "R56": (Says(DECK, ("Currently, only Select partners are eligible",)),),
    "R57": (Says(DECK, ("The date of the data is on the first page; opportunities may have closed since",)),),
    "R58": (Says(DECK, ("one deck a quarter; a second request in the same quarter is denied",)),),
    "R59": (Says(DECK, ("More than 3 partners", "must be approved before you chatter")),),
    "R60": (Says(DECK, ("or a region: this is a bulk request",)),),
    "R61": (Says(DECK, ("a minimum of two weeks' notice",)),),
    "R62": (
        Says(
            DECK,
            (
                "Post the names of the partners and a brief business justification in #channel-programs-ops",
                "no tagging necessary",
            ),
        ),
    ),
    "R63": (
        Says("training_walkthrough.internal", ("go over a completed Partner Insights deck with them",)),
        Step("partner_insights", ("A walk-through of a finished deck is ours to give",)),
    ),
    "R64": (Says(DECK, ("Only the standard deck and its data are available",)),),
    "R65": (
        Says(DECK, ("Additional data comes from Partner Operations, not from the Partner Help Desk",)),
        Leads("partner_operations_contact", OPERATIONS + "#how-to-contact-us", "internal"),
    ),
    "R66": (Says(DECK, ("A deck covers one partner account in SFDC", "cannot be combined")),),
    "R67": (
        Says(DECK, ("please open an issue with Partner Operations",)),
        Leads("partner_operations_issues", OPERATIONS + "#the-channel-operations-issue-board", "internal"),
    ),
    # Training requirements
    "R68": (
        Leads(
            "training_requirements",
            HANDBOOK + "resellers/channel-working-with-GitLab/"
            "#training--certification-requirements-for-transactions-deal-registrations-and-nfrs",
            "both",
        ),
        Says("certification.external", ("needed for NFR licenses, for deal registration and for transacting",)),
        Says("certification.internal", ("need for NFR licenses, for deal registration and for transacting",)),
        Says("deal_registration.external", ("Check that what deal registration needs is met",)),
        Says("deal_registration.internal", ("The training that deal registration needs is listed",)),
    ),
    "R69": (
        Says("certification.external", ("Detailed information is on the page", HANDBOOK + "resellers/training/")),
        Says("certification.internal", ("Detailed information is on the page", HANDBOOK + "resellers/training/")),
    ),
    # NFR licenses
    "R70": (
        Says("nfr_request.internal", ("what partners can be eligible to receive, in the NFR policy",)),
        Leads(
            "nfr_policy",
            HANDBOOK + "resellers/channel-working-with-GitLab/#requesting-a-gitlab-nrf-not-for-resale-license",
            "both",
        ),
        Says("nfr_request.external", ("what partners can be eligible to receive, in the NFR policy",)),
    ),
    "R71": (
        Says(
            "nfr_request.internal",
            (
                "Partners request Not-For-Resale (NFR) licenses themselves",
                "Log in to the GitLab Partner Portal",
                'Open the "Support" tab and choose the "NFR" icon',
            ),
        ),
        Says(
            "nfr_request.external",
            (
                "2. Log in to the GitLab Partner Portal",
                '3. Open the "Support" tab and choose the "NFR" icon. It takes you to a form. 4. Fill in the form.',
                "only the form does",
            ),
        ),
    ),
    "R72": (
        Says("nfr_request.internal", ("the form reaches the Partner Help Desk",)),
        Says("nfr_request.external", ("the form reaches the Partner Help Desk",)),
    ),
    "R73": (
        Says("nfr_request.internal", ("after reviewing the NFR policy that is linked in it, and submit",)),
        Says("nfr_request.external", ("review the NFR policy that is linked in it before you submit",)),
    ),
    "R74": (
        Says("nfr_request.internal", ("We check the partner account for eligibility",)),
        Says("nfr_request.external", ("a specialist checks your partner account against the NFR requirements",)),
        Step("nfr_request", ("check the eligibility against the NFR policy",)),
    ),
    "R75": (
        Says("nfr_request.internal", ("we submit the request to the license support team, which fulfills it",)),
        Says("nfr_request.external", ("the request goes on to GitLab's license support team",)),
        Step("nfr_request", ("submit the request to the license support team, which fulfils it",)),
        Silent(("we issue", "we will issue")),
    ),
    "R76": (
        Says("nfr_request.internal", ("we email the submitter what is missing and how to fulfill it",)),
        Says("nfr_request.external", ("we email the person who submitted the form and explain what is missing",)),
        Step("nfr_request", ("mail the submitter what is missing and how to fulfil it",)),
    ),
    "R77": (
        Says("nfr_request.internal", ("(CAM) and the Solutions Architect (SA) consult first",)),
        Says(EXCEPTION, ("consult: should the partner pay",)),
        Says("nfr_exception.external", ("Please contact your Channel Account Manager",)),
        Person("nfr_exception", (Audience.EXTERNAL,)),
    ),
    "R78": (Says(EXCEPTION, ("If the partner should pay: work with Sales", "for its own internal use")),),
    "R79": (Says(EXCEPTION, ("do not choose the NFR option in the form: it only covers the standard program",)),),
    "R80": (
        Says(
            "nfr_request.internal",
            ('If the partner should not pay, the CAM or SA files an exception with the option "Other"',),
        ),
        Says(EXCEPTION, ("If the partner should not pay: the CAM or SA makes an exception request", 'option "Other"')),
        Leads("internal_request_form", "https://gitlab-com.gitlab.io/support/internal-requests-form/", "internal"),
        Silent(("internal-requests-form",)),
    ),
    "R81": (Says(EXCEPTION, ("requests outside of it are rejected automatically",)),),
    "R82": (Says(EXCEPTION, ("Give the business justification", "will tell you what is needed to move forward")),),
    "R83": (Says(EXCEPTION, ("Director-level approval may be required",)),),
    "R84": (
        Says(EXCEPTION, ("Not all requests are granted",)),
        Says("nfr_exception.external", ("we cannot say in advance how it will be decided",)),
    ),
    "R85": (Says(EXCEPTION, ("Account Notes section of the partner account in Salesforce",)),),
    # Customers, subscriptions, support
    "R86": (
        Says("technical_support.internal", ("A customer who bought through a partner contacts that partner",)),
        Says("subscription_change.internal", ("A customer who bought through a partner contacts that partner",)),
        Says("technical_support.external", ("If you are the customer and bought through a partner, please contact",)),
        Says("technical_support.internal", ("the partner makes sure that a ticket is submitted",)),
    ),
    "R87": (
        Says(
            "technical_support.external",
            (
                "by ticket, not to the Partner Help Desk",
                "If you are a partner, for your customer",
                "4. Describe the issue and submit.",
            ),
        ),
        Says(
            "technical_support.external",
            (f'1. Log in to the GitLab Partner Portal: {PORTAL} 2. Open the "Support" tab. 3. {TICKET}.',),
        ),
    ),
    "R88": (
        Says(
            "subscription_change.external",
            ("If you are the partner:", "4. Describe the change and submit."),
            "customer",
        ),
        Says(
            "subscription_change.external",
            (
                f'2. Open the "Support" tab. 3. {TICKET}.',
                "license resends, a new contact email",
                "only the ticket does",
            ),
            "customer",
        ),
    ),
    "R89": (
        Says("subscription_change.internal", ("Each change needs the ticket, also beside an open support request",)),
        Says(
            "subscription_change.external",
            ("even if another support request is already open for the customer",),
            "other",
        ),
    ),
    "R90": (
        Says("subscription_change.internal", ("More is written in the Partner Guide: https",)),
        Says("subscription_change.external", ('More is written in the "Partner Guide"',), "customer"),
        Says("technical_support.external", ('More is written in the "Partner Guide"',)),
    ),
    # Portal login
    "R91": (
        Says("partner_signup.external", ('you only need a login, choose "Request Portal Access" on the left side',)),
        Says(
            "portal_access.internal",
            ("must already exist in Impartner and SFDC; if it does not, the partner signs up",),
        ),
        Step("portal_access", ("does the user exist, and is the company's Partner Status Authorized?",)),
    ),
    "R92": (
        Says(
            "portal_access.external",
            ("The person who needs the login asks for it", "nobody else can do it for them"),
            "partner",
        ),
        Says("portal_access.internal", ('choose "Request Portal Access"', "that person follows the same steps")),
        Says(
            "portal_access.external",
            (
                "the person who needs the login asks for it",
                "1. Go to https://partners.gitlab.com and scroll down to the login section. "
                '2. On the left side of the page, choose "Request Portal Access".',
            ),
        ),
    ),
    "R93": (
        Says(
            "portal_access.internal",
            ("4. Fill in your information and submit.", "you receive the login credentials after"),
        ),
        Says(
            "portal_access.external",
            (
                "3. Confirm the company you work for and click next. 4. Fill in your information and submit.",
                "the login credentials are sent after the information has been submitted",
            ),
        ),
    ),
    "R94": (Says("portal_access.internal", ("The steps also stand in the Partner Guide (internal-only)",)),),
    "R95": (
        Says(
            "portal_access.internal",
            ("Channel team members can have a login to the partner portal, for partner demos",),
        ),
        Says("portal_access.internal", ('which company you work for, choose "GitLab PS"', "the same view as our")),
        Silent(("GitLab PS",)),
    ),
    # Partner accounts
    "R96": (
        Says("partner_signup.internal", ("1. Visit https://partners.gitlab.com and sign up to become a partner.",)),
        Says("partner_signup.external", ("Visit https://partners.gitlab.com and sign up",)),
    ),
    "R97": (
        Says(
            "partner_signup.internal",
            (
                "2. Answer the question under the Partner Agreement: - An authorized signatory",
                'chooses "Yes" under the Partner Agreement',
            ),
        ),
        Says(
            "partner_signup.external",
            ('An authorized signatory of the company chooses "Yes" under the Partner Agreement', "click-through"),
        ),
    ),
    "R98": (
        Says("partner_signup.internal", (NO_THEN_YES,)),
        Says("partner_signup.external", ("not ready to sign, or would like to redline", NO_THEN_YES)),
    ),
    "R99": (
        Says("partner_signup.internal", ("the portal syncs with SFDC and creates the partner account",)),
        Says("partner_signup.external", ("the system creates your partner account from your sign-up",)),
        Step("partner_signup", ("Never create the account by hand",)),
    ),
    "R100": (
        Says(
            "partner_signup.internal", ("@partner operations) for manual account creation and state the reasons why",)
        ),
    ),
    "R101": (Person("other"),),
}


def test_each_rule_has_its_checks() -> None:
    assert list(CHECKS) == [rule for rule in RULES if rule.startswith("R")]


@pytest.mark.parametrize("rule", CHECKS)
def test_the_desk_says_and_does_what_the_rule_asks(rule: str) -> None:
    assert [problem for check in CHECKS[rule] for problem in check.problems()] == []


def test_no_external_answer_names_anything_internal_d1() -> None:
    for part in answers(PLAYBOOK):
        if part.audience is Audience.EXTERNAL:
            assert unfit_for_partners(rendered(part.template, part.branch)) == [], part
