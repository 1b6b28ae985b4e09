"""Who may join which thread: every cell of the table, and what the table can never do."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.core.conversation import PLACES, Candidate, Place, Proof, Relation, place, relation
from mailflow.core.message import Origin, OriginKind, Role, Sender, Trust
from mailflow.testing import NOON, inbound

REOPEN = timedelta(days=60)
HUMAN = Origin(OriginKind.HUMAN, "nothing says otherwise")
ALIGNED = Sender(Role.UNKNOWN, Trust.ALIGNED, "dmarc=pass")
UNPROVEN = Sender(Role.UNKNOWN, Trust.UNAUTHENTICATED, "no Authentication-Results")
STAFF = Sender(Role.INTERNAL, Trust.KNOWN, "dmarc=pass for gitlab.com")


def candidate(proof: Proof = Proof.REFERENCE, *, status: str = "answered", thread_id: int = 7) -> Candidate:
    participants = frozenset({"ann@partner.example", "bob@customer.example"})
    return Candidate(thread_id, proof, "ann@partner.example", participants, status, NOON)


WRITERS: dict[Relation, tuple[str, Sender]] = {
    Relation.REQUESTER: ("Ann@Partner.example", UNPROVEN),
    Relation.COLLEAGUE: ("carl@partner.example", ALIGNED),
    Relation.PARTICIPANT: ("bob@customer.example", UNPROVEN),
    Relation.STAFF: ("sam@gitlab.com", STAFF),
    Relation.STRANGER: ("mallory@evil.example", ALIGNED),
}
EXPECTED = """
    proof         requester  colleague  participant  staff    stranger
    signed id     join       join       join         join     suggest
    reference     join       join       join         join     suggest
    subject tag   join       suggest    suggest      suggest  nothing
    same subject  suggest    nothing    nothing      nothing  nothing
"""


def test_the_table_is_this_one() -> None:
    """Written out a second time, so that nobody changes a cell by accident."""
    header, *rows = (line.split("  ") for line in EXPECTED.strip().splitlines())
    names = [cell.strip() for cell in header if cell.strip()][1:]
    for cells in rows:
        proof, *places = (cell.strip() for cell in cells if cell.strip())
        assert {one.value: PLACES[Proof(proof)][one].value for one in Relation} == dict(zip(names, places, strict=True))


@pytest.mark.parametrize("writer", WRITERS)
def test_each_writer_is_known_for_who_he_is(writer: Relation) -> None:
    address, sender = WRITERS[writer]
    assert relation(inbound(from_=address), sender, candidate()) is writer


@pytest.mark.parametrize("proof", Proof)
@pytest.mark.parametrize("writer", WRITERS)
def test_the_table_is_obeyed(proof: Proof, writer: Relation) -> None:
    address, sender = WRITERS[writer]
    found = place(inbound(from_=address), HUMAN, sender, [candidate(proof)], now=NOON, reopen_within=REOPEN)
    verdict = PLACES[proof][writer]
    assert (found.joined is not None) == (verdict is Place.JOIN)
    assert found.suggested == (7 if verdict is Place.SUGGEST else None)
    assert found.why


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("carl@partner.example", UNPROVEN),
        ("carl@partner.example", replace(ALIGNED, flags=("free_mail",))),
        ("sam@gitlab.com", replace(STAFF, trust=Trust.UNAUTHENTICATED)),
        ("ann@partner.example", replace(UNPROVEN, flags=("disproved",))),
    ],
    ids=["colleague without proof", "neighbour at a free mail provider", "forged staff", "forged requester"],
)
def test_who_only_claims_to_be_somebody_is_a_stranger(address: str, sender: Sender) -> None:
    """D2: what a sender says of himself opens nothing."""
    assert relation(inbound(from_=address), sender, candidate()) is Relation.STRANGER


def test_a_mail_without_author_joins_nothing() -> None:
    found = place(inbound(from_=None), HUMAN, UNPROVEN, [candidate(Proof.SIGNED)], now=NOON, reopen_within=REOPEN)
    assert (found.joined, found.suggested) == (None, 7)


def test_a_stronger_proof_that_is_only_suggested_yields_to_one_that_joins() -> None:
    """A reference into another desk's thread beside one into the writer's own."""
    foreign = replace(candidate(thread_id=3), requester="zoe@else.example", participants=frozenset())
    own = candidate(Proof.TAG, thread_id=9)
    found = place(inbound(from_="ann@partner.example"), HUMAN, UNPROVEN, [foreign, own], now=NOON, reopen_within=REOPEN)
    assert found.joined == own


@pytest.mark.parametrize(
    ("status", "days", "reopens"),
    [("answered", 60, True), ("answered", 61, False), ("ignored", 61, False), ("held", 400, True), ("open", 400, True)],
)
def test_a_thread_that_rested_too_long_is_not_reopened(status: str, days: int, reopens: bool) -> None:
    found = place(
        inbound(),
        HUMAN,
        UNPROVEN,
        [candidate(status=status)],
        now=NOON + timedelta(days=days),
        reopen_within=REOPEN,
    )
    assert (found.joined is not None) is reopens
    assert found.suggested == (None if reopens else 7)


@given(
    kind=st.sampled_from([one for one in OriginKind if one not in (OriginKind.HUMAN, OriginKind.LIST)]),
    proofs=st.lists(st.sampled_from(Proof), max_size=4),
    writer=st.sampled_from(list(WRITERS)),
)
def test_automatic_mail_is_filed_by_a_signed_id_or_not_at_all(
    kind: OriginKind, proofs: list[Proof], writer: Relation
) -> None:
    """Two help desks that acknowledge each other must not fill a partner's thread."""
    address, sender = WRITERS[writer]
    candidates = [candidate(proof, thread_id=number) for number, proof in enumerate(proofs, start=1)]
    found = place(inbound(from_=address), Origin(kind, "x"), sender, candidates, now=NOON, reopen_within=REOPEN)
    assert (found.joined is not None) == (Proof.SIGNED in proofs)
    assert found.suggested is None


@given(proofs=st.lists(st.sampled_from(Proof), max_size=6), proven=st.booleans())
def test_a_stranger_never_joins(proofs: list[Proof], proven: bool) -> None:
    candidates = [candidate(proof, thread_id=number) for number, proof in enumerate(proofs, start=1)]
    found = place(
        inbound(from_="mallory@evil.example"),
        HUMAN,
        ALIGNED if proven else UNPROVEN,
        candidates,
        now=NOON,
        reopen_within=REOPEN,
    )
    assert found.joined is None
