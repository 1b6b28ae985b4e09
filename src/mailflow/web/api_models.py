"""The way of a new model to work, over the REST interface: as on the page (learning.py), with the same comparisons.

Rule: no model is promoted that was not compared here with the one that works.
"""

from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Request
from pydantic import AwareDatetime, Field

from mailflow.core.accounts import Signed
from mailflow.core.replay import Change
from mailflow.core.review import Permission
from mailflow.errors import ModelError
from mailflow.web.access import needs
from mailflow.web.actions import NoSuchThread, line
from mailflow.web.api import ERRORS, PREFIX
from mailflow.web.api_values import Value
from mailflow.web.learning import Candidate, Comparison, Comparisons

Reader = Annotated[Signed, Depends(needs(Permission.READ))]
Lead = Annotated[Signed, Depends(needs(Permission.LEAD))]
Name = Annotated[str, Path(max_length=100)]


class CandidateOut(Value):
    name: str
    version: str
    is_compared: bool


class ModelsOut(Value):
    current: str = Field(description="version of the model that works, empty for none")
    previous: str = Field(description="that a roll-back would bring back, empty for none")
    candidates: tuple[CandidateOut, ...]


class DoneOut(Value):
    action: str
    templates: tuple[str, ...]
    intents: tuple[str, ...]
    reason: str


class ReplayedOut(Value):
    mail_id: int = Field(validation_alias="message_id")
    thread_id: int
    change: Change
    may_loop: bool
    received_at: AwareDatetime
    before: DoneOut
    after: DoneOut


class ReportOut(Value):
    before: str
    after: str
    mails: int
    counts: dict[Change, int]
    rows: tuple[ReplayedOut, ...] = Field(description="the decisions that differ, what matters most first")
    loops: int
    most_to_one_sender: int
    corrected: int
    agreed_before: int
    agreed_after: int


class ComparisonOut(Value):
    name: str
    version: str
    share: float = Field(description="how far it is, 0 to 1")
    error: str
    report: ReportOut | None = Field(description="null while it runs, and where it failed")

    @classmethod
    def of(cls, one: Comparison) -> Self:
        return cls(
            name=one.candidate.name,
            version=one.candidate.version,
            share=one.share,
            error=one.error,
            report=ReportOut.model_validate(one.report) if one.report else None,
        )


def models_router(comparisons: Comparisons) -> APIRouter:
    router, models = APIRouter(prefix=PREFIX, responses=ERRORS), comparisons.models

    def known(name: str) -> Candidate:
        found = comparisons.candidate(name)
        if found is None:
            raise NoSuchThread(f"there is no model {line(name, 80)}: `mailflow train --into` makes one")
        return found

    def listed() -> ModelsOut:
        candidates = (
            CandidateOut(name=one.name, version=one.version, is_compared=not comparisons.why_not(one))
            for one in comparisons.candidates()
        )
        return ModelsOut(current=models.current(), previous=models.previous(), candidates=tuple(candidates))

    @router.get("/models")
    def all_models(request: Request, signed: Reader) -> ModelsOut:
        return listed()

    @router.post("/models/{name}/compare", status_code=202)
    def compare(signed: Lead, name: Name) -> ComparisonOut:
        """Begins; `GET /models/{name}/comparison` tells how far it is."""
        candidate = known(name)
        if not comparisons.begin(candidate):
            raise ModelError("a comparison is running: wait for its end")
        return comparison(signed, name)

    @router.get("/models/{name}/comparison")
    def comparison(signed: Reader, name: Name) -> ComparisonOut:
        found = comparisons.of(known(name).version)
        if found is None:
            raise NoSuchThread(f"there is no comparison of {line(name, 80)}: start one")
        return ComparisonOut.of(found)

    @router.post("/models/{name}/promote")
    def promote(signed: Lead, name: Name) -> ModelsOut:
        candidate = known(name)
        if why_not := comparisons.why_not(candidate):
            raise ModelError(why_not)
        models.promote(candidate.name, signed.account.name)
        return listed()

    @router.post("/models/rollback")
    def roll_back(signed: Lead) -> ModelsOut:
        models.roll_back(signed.account.name)
        return listed()

    return router
