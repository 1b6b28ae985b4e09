"""Guards before rows, holding by default, a reason with each decision (D1-D8, RFC 3834)."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.golden_files import assert_golden

from mailflow.adapters.assets import load_playbook
from mailflow.core.classification import Action, Slot
from mailflow.core.message import Defect, Origin, OriginKind, Role, Sender, Trust
from mailflow.core.partner import Partner, PartnerKind, Route
from mailflow.core.playbook import FACTS, Branching, Playbook, QuietHours, Rollout
from mailflow.core.policy import GUARDS, SEND_GUARDS, Case, History, SentRecord, decide, policy_table
from mailflow.testing import DESK, NOON, classification, inbound

SHIPPED = load_playbook(Path(__file__).parents[2] / "classifiers")
PLAYBOOK = SHIPPED.as_if_live()
HUMAN = Origin(OriginKind.HUMAN, "nothing says otherwise")
STRANGER = Sender(Role.UNKNOWN, Trust.UNAUTHENTICATED, "no proof")
COLLEAGUE = Sender(Role.INTERNAL, Trust.KNOWN, "mx.gitlab.com says dmarc=pass for gitlab.com")
FORGED = Sender(Role.UNKNOWN, Trust.UNAUTHENTICATED, "gitlab.com without proof", ("no_proof",))
SURE = classification(("nfr_request", 0.95))

CASE = Case(inbound(), HUMAN, STRANGER, SURE, frozenset(), History(), NOON, frozenset({DESK}))


def changed(playbook: Playbook, **values: object) -> Playbook:
    return playbook.model_copy(update={"defaults": playbook.defaults.model_copy(update=values)})


def test_a_sure_first_ask_with_a_path_is_answered() -> None:
    decision = decide(CASE, PLAYBOOK)
    assert decision.action is Action.REPLY
    assert [part.template for part in decision.answers] == ["nfr_request.external"]
    assert decision.reasons
    assert decision.policy_version == PLAYBOOK.version
    assert decision.model_version == "fixed"


@pytest.mark.parametrize(
    "kind", [OriginKind.OWN, OriginKind.BOUNCE, OriginKind.AUTO_REPLIED, OriginKind.AUTO_GENERATED]
)
def test_machines_get_no_answer_and_no_queue_noise(kind: OriginKind) -> None:
    """D5, RFC 3834: however sure the classifier is."""
    decision = decide(replace(CASE, origin=Origin(kind, "Auto-Submitted: auto-generated")), PLAYBOOK)
    assert decision.action is Action.NONE
    assert "Auto-Submitted" in decision.reasons[0].sentence


HOLDING: dict[str, Case] = {
    "list": replace(CASE, origin=Origin(OriginKind.LIST, "List-Id: <x>")),
    "null_return_path": replace(CASE, message=inbound(return_path="")),
    "not_addressed": replace(CASE, message=inbound(to=("all@partner.example",))),
    "no_reply_address": replace(CASE, message=inbound(from_=None)),
    "unreadable": replace(CASE, message=replace(inbound(), defects=(Defect("truncated", "it was cut"),))),
    "lookalike": replace(CASE, sender=replace(STRANGER, flags=("lookalike_domain",))),
    "misleading_name": replace(CASE, sender=replace(STRANGER, flags=("name_shows_other_address",))),
    "reply_to_differs": replace(CASE, sender=replace(STRANGER, flags=("reply_to_differs",))),
    "reused_message_id": replace(CASE, history=History(is_message_id_reused=True)),
    "too_old": replace(CASE, message=inbound(date=NOON - timedelta(days=20))),
    "language": replace(CASE, message=replace(inbound(), language="tr")),
    "fact": replace(CASE, facts=frozenset({"has_deliverable"})),
    "follow_up": replace(CASE, history=History(is_known_thread=True, answers_in_thread=1)),
    "held_thread": replace(CASE, history=History(is_known_thread=True, is_held_thread=True)),
    "muted": replace(CASE, history=History(muted="mail to ann@partner.example came back (until 2026-05-01)")),
    "restored": replace(CASE, history=History(restored="it came before the store was restored (2026-03-02 13:00 UTC)")),
    "abstained": replace(CASE, classification=classification(abstained="unlike any mail it knows")),
    "send_budget": replace(CASE, history=History(sent_by_desk_hour=10_000)),
}
NIGHT = QuietHours(start=time(20), end=time(6), time_zone="Europe/Berlin")
WITHHELD: dict[str, Playbook] = {
    "kill_switch": changed(PLAYBOOK, kill_switch=True),
    "quiet_hours": changed(PLAYBOOK, quiet_hours=NIGHT.model_copy(update={"start": time(8), "end": time(18)})),
    "rollout": SHIPPED,
}


@pytest.mark.parametrize("name", HOLDING)
def test_each_guard_holds_an_otherwise_answered_mail(name: str) -> None:
    decision = decide(HOLDING[name], PLAYBOOK)
    assert decision.action is Action.REVIEW
    assert decision.reasons[0].code == f"guard:{name}"
    assert not decision.answers


@pytest.mark.parametrize("name", WITHHELD)
def test_a_desk_that_is_not_live_holds_everything(name: str) -> None:
    decision = decide(CASE, WITHHELD[name])
    assert (decision.action, decision.reasons[0].code) == (Action.REVIEW, f"guard:{name}")
    assert decision.draft, "the specialist still gets the draft"
    assert decide(CASE, WITHHELD[name].as_if_live()).action is Action.REPLY


def test_every_guard_is_tested() -> None:
    ignored = {"own_mail", "bounce", "auto_replied", "auto_generated"}
    assert {guard.name for guard in GUARDS + SEND_GUARDS} == set(HOLDING) | ignored | set(WITHHELD)


# --- rollout ----------------------------------------------------------------------------------------------------------


def rolled_out(intent: str, **values: object) -> Playbook:
    """PLAYBOOK with one intent of its own stage."""
    own = PLAYBOOK.intents[intent].model_copy(update=values)
    return PLAYBOOK.model_copy(update={"intents": PLAYBOOK.intents | {intent: own}})


@pytest.mark.parametrize(
    ("stage", "action", "has_draft"),
    [
        (Rollout.OFF, Action.REVIEW, False),
        (Rollout.SHADOW, Action.REVIEW, False),
        (Rollout.DRAFT, Action.REVIEW, True),
        (Rollout.LIVE, Action.REPLY, False),
    ],
)
def test_an_intent_goes_live_step_by_step(stage: Rollout, action: Action, has_draft: bool) -> None:
    decision = decide(CASE, rolled_out("nfr_request", rollout=stage))
    assert (decision.action, bool(decision.draft)) == (action, has_draft)


def test_in_shadow_it_is_told_what_would_have_been_answered() -> None:
    decision = decide(CASE, rolled_out("nfr_request", rollout=Rollout.SHADOW))
    assert decision.reasons[0].sentence.startswith("nfr_request is in shadow: this mail would have been answered")


def test_the_intent_that_is_trusted_least_decides_for_the_mail() -> None:
    """D7: one mail, one answer."""
    both = replace(CASE, classification=classification(("nfr_request", 0.95), ("quoting", 0.9)))
    assert decide(both, PLAYBOOK).action is Action.REPLY
    held = decide(both, rolled_out("quoting", rollout=Rollout.DRAFT))
    assert (held.action, held.reasons[0].code) == (Action.REVIEW, "guard:rollout")
    assert [part.intent for part in held.draft] == ["nfr_request", "quoting"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_canary_answers_its_share_and_the_same_mails_each_time(share: float) -> None:
    playbook = rolled_out("nfr_request", rollout=Rollout.CANARY, canary_share=share)
    cases = [replace(CASE, message=inbound(message_id=f"{n}@partner.example")) for n in range(2000)]
    answered = [decide(case, playbook).action is Action.REPLY for case in cases]
    assert abs(sum(answered) / len(cases) - share) < 0.05
    assert answered[:100] == [decide(case, playbook).action is Action.REPLY for case in cases[:100]]
    held = decide(cases[answered.index(False)], playbook)
    assert held.draft, "the others are prepared for a person"


@pytest.mark.parametrize(
    ("moment", "quiet"),
    [
        (datetime(2026, 3, 2, 21, 0, tzinfo=UTC), True),  # Monday, 22:00 in Berlin
        (datetime(2026, 3, 3, 4, 59, tzinfo=UTC), True),  # Tuesday, 5:59
        (datetime(2026, 3, 3, 5, 0, tzinfo=UTC), False),
        (datetime(2026, 3, 2, 18, 59, tzinfo=UTC), False),
        (datetime(2026, 3, 7, 21, 0, tzinfo=UTC), False),  # Saturday begins no quiet night
        (datetime(2026, 3, 7, 4, 0, tzinfo=UTC), True),  # the night that began on Friday
    ],
)
def test_quiet_hours_last_over_midnight_and_belong_to_the_day_they_begin_on(moment: datetime, quiet: bool) -> None:
    night = NIGHT.model_copy(update={"weekdays": (1, 2, 3, 4, 5)})
    assert night.hold(moment) is quiet
    case = replace(CASE, now=moment, message=inbound(date=moment))
    assert (decide(case, rolled_out("nfr_request", quiet_hours=night)).action is Action.REVIEW) is quiet


# --- branches (requirements, section 3) -------------------------------------------------------------------------------


def partner(kind: PartnerKind, route: Route) -> Sender:
    known = Partner(("partner.example",), "Partner Ltd", "Select", kind, "EMEA", route, "")
    return Sender(Role.PARTNER, Trust.KNOWN, "listed", partner=known)


@pytest.mark.parametrize(
    ("intent", "sender", "facts", "branch"),
    [
        ("quoting", STRANGER, (), ""),  # A6: unknown, so all branches
        ("quoting", partner(PartnerKind.RESELLER, Route.DISTRIBUTION), (), "distribution"),
        ("quoting", partner(PartnerKind.RESELLER, Route.DIRECT), (), "direct"),
        ("quoting", partner(PartnerKind.DISTRIBUTOR, Route.DIRECT), (), "distributor"),  # A7
        ("purchase_order", partner(PartnerKind.DISTRIBUTOR, Route.DIRECT), (), "distributor"),  # A8
        ("portal_access", STRANGER, (), ""),  # A1
        ("portal_access", partner(PartnerKind.MSP, Route.DIRECT), (), "partner"),
        ("subscription_change", STRANGER, (), "other"),
        ("subscription_change", STRANGER, ("names_license",), "ask"),  # A9: neither is named
        ("subscription_change", STRANGER, ("names_license", "names_customer"), "customer"),
        ("subscription_change", STRANGER, ("names_license", "names_own_use"), "own"),
        ("subscription_change", STRANGER, ("names_license", "names_own_use", "names_customer"), "ask"),
        ("nfr_request", STRANGER, (), ""),
    ],
)
def test_an_answer_takes_the_branch_that_is_known(
    intent: str, sender: Sender, facts: tuple[str, ...], branch: str
) -> None:
    case = replace(CASE, sender=sender, facts=frozenset(facts), classification=classification((intent, 0.95)))
    decision = decide(case, PLAYBOOK)
    assert decision.action is Action.REPLY
    assert [part.branch for part in decision.answers] == [branch]


def test_where_a_wrong_branch_would_cost_a_person_finds_out() -> None:
    playbook = rolled_out("quoting", branches=Branching(by="route", unknown="hold"))
    asked = replace(CASE, classification=classification(("quoting", 0.95)))
    decision = decide(asked, playbook)
    assert (decision.action, decision.reasons[0].code) == (Action.REVIEW, "branch:quoting")
    known = replace(asked, sender=partner(PartnerKind.RESELLER, Route.DIRECT))
    assert decide(known, playbook).action is Action.REPLY


def test_an_answer_asks_only_for_what_the_mail_does_not_name() -> None:
    playbook = rolled_out("quoting", slots=("seats", "term"), needed=("seats", "term"))
    asked = classification(("quoting", 0.95))
    named = replace(asked, slots=(Slot("seats", "25 users"),))
    missing = [decide(replace(CASE, classification=one), playbook).answers[0].missing for one in (asked, named)]
    assert missing == [("seats", "term"), ("term",)]


@pytest.mark.parametrize("to", [DESK, DESK.upper(), DESK.replace("@", "+mf.1.abc@")])
def test_a_mail_to_any_form_of_our_address_is_addressed_to_us(to: str) -> None:
    for message in (inbound(to=(to,)), inbound(to=("ann@partner.example",), cc=(to,))):
        assert decide(replace(CASE, message=message), PLAYBOOK).action is Action.REPLY


def test_an_answer_to_ourselves_is_impossible() -> None:
    """Reply-To pointing at the desk is the shortest mail loop there is."""
    decision = decide(replace(CASE, message=inbound(reply_to=(DESK.upper(),))), PLAYBOOK)
    assert (decision.action, decision.reasons[0].code) == (Action.REVIEW, "guard:no_reply_address")


def test_thanks_in_an_answered_thread_is_silence_not_review() -> None:
    thanks = classification(("no_request", 0.97), reply=0.01, review=0.02, none=0.97)
    case = replace(CASE, classification=thanks, history=History(is_known_thread=True, answers_in_thread=1))
    assert decide(case, PLAYBOOK).action is Action.NONE


def test_thanks_with_a_question_is_not_met_with_silence() -> None:
    thanks = classification(("no_request", 0.9), ("nfr_request", 0.97), reply=0.1, review=0.1, none=0.8)
    assert decide(replace(CASE, classification=thanks), PLAYBOOK).action is Action.REVIEW


def test_words_that_frighten_do_not_make_work_of_what_is_surely_spam() -> None:
    spam = classification(("spam", 0.99), ("quoting", 0.95), reply=0.0, review=0.01, none=0.99)
    threat = replace(CASE, classification=spam, facts=frozenset({"legal", "money_paid"}))
    assert decide(threat, PLAYBOOK).action is Action.NONE
    likely = replace(threat, classification=classification(("spam", 0.8), reply=0.0, review=0.2, none=0.8))
    assert decide(likely, PLAYBOOK).action is Action.REVIEW


def test_d6_a_document_reaches_a_person_even_from_what_looks_like_spam() -> None:
    spam = classification(("spam", 0.99), reply=0.0, review=0.01, none=0.99)
    case = replace(CASE, classification=spam, facts=frozenset({"has_deliverable"}))
    assert decide(case, PLAYBOOK).reasons[0].code == "guard:fact"


def test_a_further_intent_must_be_surer_than_the_first() -> None:
    """D7: a section that nobody asked for is a wrong answer too."""
    first, further = PLAYBOOK.min_confidence("quoting"), PLAYBOOK.min_confidence("quoting", is_first=False)
    between = (first + further) / 2
    alone = decide(replace(CASE, classification=classification(("quoting", between))), PLAYBOOK)
    assert alone.action is Action.REPLY
    both = decide(replace(CASE, classification=classification(("nfr_request", 0.99), ("quoting", between))), PLAYBOOK)
    assert [reason.code for reason in both.reasons] == ["unsure:quoting"]


def test_unsure_silence_goes_to_a_person() -> None:
    """A missed request costs more than a look."""
    unsure = classification(("no_request", 0.5), reply=0.3, review=0.4, none=0.3)
    assert decide(replace(CASE, classification=unsure), PLAYBOOK).action is Action.REVIEW


def test_every_part_needs_a_path() -> None:
    """D7: one mail, several intents: answer only if every part has a sure path."""
    both = classification(("nfr_request", 0.95), ("quoting", 0.9))
    decision = decide(replace(CASE, classification=both), PLAYBOOK)
    assert [part.intent for part in decision.answers] == ["nfr_request", "quoting"]
    mixed = classification(("nfr_request", 0.95), ("rebate", 0.9))
    held = decide(replace(CASE, classification=mixed), PLAYBOOK)
    assert held.action is Action.REVIEW
    assert [part.intent for part in held.draft] == ["nfr_request"], "the sure part is drafted"


def test_unlikely_intents_and_unsure_actions_are_held() -> None:
    low = decide(replace(CASE, classification=classification(("nfr_request", 0.1))), PLAYBOOK)
    assert "unsure:nfr_request" in {reason.code for reason in low.reasons}
    split = decide(replace(CASE, classification=classification(("nfr_request", 0.9), reply=0.2, review=0.8)), PLAYBOOK)
    assert "unsure_action" in {reason.code for reason in split.reasons}


def test_only_proof_unlocks_internal_text() -> None:
    """D2: a forged From is not a colleague."""
    quote = classification(("quoting", 0.95))
    inside = decide(replace(CASE, sender=COLLEAGUE, classification=quote), PLAYBOOK)
    outside = decide(replace(CASE, sender=FORGED, classification=quote), PLAYBOOK)
    assert [part.template for part in inside.answers] == ["quoting.internal"]
    assert [part.template for part in outside.answers] == ["quoting.external"]


@pytest.mark.parametrize("intent", ["partner_insights", "billing_setup", "opportunity_record"])
def test_internal_paths_never_reach_a_partner(intent: str) -> None:
    """D1, A19, A23."""
    ask = classification((intent, 0.99), reply=0.99, review=0.01, none=0.0)
    assert decide(replace(CASE, classification=ask), PLAYBOOK).action is Action.REVIEW
    assert decide(replace(CASE, classification=ask, sender=COLLEAGUE), PLAYBOOK).action is Action.REPLY


def test_send_budget_per_sender_and_intent() -> None:
    """The third answer on the same subject within three hours is a loop until a person says otherwise."""
    sent = tuple(SentRecord(NOON - timedelta(minutes=m), frozenset({"nfr_request"})) for m in (10, 20))
    held = decide(replace(CASE, history=History(sent_to_sender=sent)), PLAYBOOK)
    assert held.reasons[0].code == "guard:send_budget"
    other = tuple(replace(one, intents=frozenset({"quoting"})) for one in sent)
    assert decide(replace(CASE, history=History(sent_to_sender=other)), PLAYBOOK).action is Action.REPLY


def test_every_fact_of_the_desk_holds() -> None:
    for fact in PLAYBOOK.defaults.hold_if:
        assert decide(replace(CASE, facts=frozenset({fact})), PLAYBOOK).action is Action.REVIEW, fact


@given(
    kind=st.sampled_from(OriginKind),
    intents=st.lists(st.sampled_from(sorted(PLAYBOOK.intents)), unique=True, max_size=3),
    confidence=st.floats(0, 1),
    reply=st.floats(0, 1),
    facts=st.frozensets(st.sampled_from(sorted(FACTS))),
    answers=st.integers(0, 3),
    sender=st.sampled_from([STRANGER, COLLEAGUE, FORGED]),
)
def test_no_answer_without_every_condition(
    kind: OriginKind,
    intents: list[str],
    confidence: float,
    reply: float,
    facts: frozenset[str],
    answers: int,
    sender: Sender,
) -> None:
    """Whatever comes: an answer goes only to a human's first mail, without holding facts, all parts with a path."""
    guess = classification(*((one, confidence) for one in intents), reply=reply, review=(1 - reply), none=0.0)
    history = History(is_known_thread=bool(answers), answers_in_thread=answers)
    decision = decide(Case(inbound(), Origin(kind, "x"), sender, guess, facts, history, NOON, frozenset()), PLAYBOOK)
    assert decision.reasons
    if decision.action is not Action.REPLY:
        assert not decision.answers
        return
    assert kind is OriginKind.HUMAN
    assert not facts & set(PLAYBOOK.defaults.hold_if)
    assert not answers
    assert reply >= PLAYBOOK.defaults.min_reply_probability
    assert [part.intent for part in decision.answers] == intents
    if sender is not COLLEAGUE:
        assert all(part.template.endswith(".external") for part in decision.answers)


def test_the_policy_on_one_screen() -> None:
    """Each automatic action, pinned: a changed line is a changed promise."""
    widths = [22, 9, 7, 7, 36]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[5]]).rstrip()
        for row in policy_table(SHIPPED)
    ]
    assert_golden("policy_table.txt", "\n".join(lines) + "\n")
