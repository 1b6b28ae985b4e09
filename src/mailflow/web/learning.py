"""Training: what specialists said, how far the model agrees, and the way of a new model to work.

    train --into FOLDER -> compare (the stored mails decided again) -> promote, or not -> roll back, if it was wrong

Rule: no model goes to work that was not compared here with the one that works, on this desk's own mail.
Why a comparison runs in a thread: it reads and classifies a thousand mails twice, which takes a minute or two.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, ClassVar, Protocol

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from mailflow.core.accounts import Signed
from mailflow.core.numbers import is_agreed, last_of_each
from mailflow.core.replay import Change, ReplayReport
from mailflow.core.review import CorrectionView, Permission, may
from mailflow.errors import MailflowError
from mailflow.web.access import needs
from mailflow.web.desk import WebDesk
from mailflow.web.rendering import Page, Renderer

MOST_CORRECTIONS = 200
MAILS_COMPARED = 1_000
Reader = Annotated[Signed, Depends(needs(Permission.READ))]
Lead = Annotated[Signed, Depends(needs(Permission.LEAD))]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained model that might go to work."""

    name: str
    """Of its folder."""
    version: str


class Models(Protocol):
    """The models of the desk, as files."""

    def current(self) -> str:
        """Version of the one that works, '' for none."""
        ...

    def previous(self) -> str: ...
    def candidates(self) -> list[tuple[str, str]]:
        """(name of its folder, version), by name."""
        ...

    def compare(self, name: str, mails: int, progress: Callable[[float, float], None]) -> ReplayReport:
        """Raises MailflowError."""
        ...

    def promote(self, name: str, actor: str) -> None:
        """Raises ModelError."""
        ...

    def roll_back(self, actor: str) -> None:
        """Raises ModelError."""
        ...


@dataclass(slots=True)
class Comparison:
    """One that runs or has run, in memory: it is made anew in minutes."""

    candidate: Candidate
    against: str = ""
    """Version of the model that was at work."""
    share: float = 0.0
    report: ReplayReport | None = None
    error: str = ""

    @property
    def is_running(self) -> bool:
        return self.report is None and not self.error


@dataclass(slots=True)
class Comparisons:
    """At most one runs at a time."""

    models: Models
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _by_version: dict[str, Comparison] = field(default_factory=dict)

    def candidates(self) -> list[Candidate]:
        return [Candidate(name, version) for name, version in self.models.candidates()]

    def candidate(self, name: str) -> Candidate | None:
        return next((one for one in self.candidates() if one.name == name), None)

    def of(self, version: str) -> Comparison | None:
        return self._by_version.get(version)

    def why_not(self, candidate: Candidate) -> str:
        """Why it may not go to work; '' where it may."""
        found, current = self.of(candidate.version), self.models.current()
        if found is None or found.report is None:
            return f"compare {candidate.name} with the model that works first"
        if found.against != current:
            return f"{candidate.name} was compared with {found.against}, and {current} works now: compare them again"
        return ""

    def begin(self, candidate: Candidate) -> bool:
        """False where one runs already."""
        with self._lock:
            if any(one.is_running for one in self._by_version.values()):
                return False
            comparison = self._by_version[candidate.version] = Comparison(candidate, self.models.current())
        threading.Thread(target=self._run, args=(comparison,), name="compare", daemon=True).start()
        return True

    def _run(self, comparison: Comparison) -> None:
        def progress(done: float, of: float) -> None:
            comparison.share = done / of if of else 1.0

        try:
            comparison.report = self.models.compare(comparison.candidate.name, MAILS_COMPARED, progress)
        except MailflowError as error:
            comparison.error = str(error)
        except Exception as error:  # noqa: BLE001 - the edge of the thread: shown on the page
            comparison.error = f"{type(error).__name__}: {error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPage(Page):
    template: ClassVar[str] = "training.html.j2"
    now: datetime
    corrections: Sequence[CorrectionView]
    agreement: Sequence[tuple[str, int, int]]
    """(intent, looked at, agreed)."""
    current: str
    previous: str
    candidates: Sequence[tuple[Candidate, Comparison | None]]
    may_lead: bool
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonPage(Page):
    template: ClassVar[str] = "comparison.html.j2"
    candidate: Candidate
    comparison: Comparison
    changes: Sequence[Change] = tuple(Change)
    may_lead: bool


def learning_router(renderer: Renderer, comparisons: Comparisons) -> APIRouter:
    router, models, chosen = APIRouter(), comparisons.models, comparisons.candidate

    def training(request: Request, signed: Signed, problem: str = "", status: int = 200) -> Response:
        desk: WebDesk = request.app.state.desk
        with desk.store.view() as unit:
            corrections = unit.corrections(MOST_CORRECTIONS)
        return renderer.page(
            TrainingPage(
                title="Training",
                desk=desk.name,
                account=signed.account,
                now=desk.clock.now(),
                corrections=corrections,
                agreement=agreement(corrections),
                current=models.current(),
                previous=models.previous(),
                candidates=[(one, comparisons.of(one.version)) for one in comparisons.candidates()],
                may_lead=_may_lead(signed),
                problem=problem,
            ),
            status,
        )

    @router.get("/training")
    def page(request: Request, signed: Reader) -> Response:
        return training(request, signed)

    @router.get("/training/{name}")
    def comparison(request: Request, signed: Reader, name: str) -> Response:
        candidate = chosen(name)
        found = comparisons.of(candidate.version) if candidate else None
        if candidate is None or found is None:
            return training(request, signed, f"there is no comparison of {name}: start one", 404)
        desk: WebDesk = request.app.state.desk
        return renderer.page(
            ComparisonPage(
                title=f"Comparison of {name}",
                desk=desk.name,
                account=signed.account,
                candidate=candidate,
                comparison=found,
                may_lead=_may_lead(signed),
            )
        )

    @router.post("/training/compare")
    def compare(request: Request, signed: Lead, name: Annotated[str, Form()]) -> Response:
        candidate = chosen(name)
        if candidate is None:
            return training(request, signed, f"there is no model {name}: `mailflow train --into` makes one", 404)
        if not comparisons.begin(candidate):
            return training(request, signed, "a comparison is running: wait for its end", 409)
        return RedirectResponse(f"/training/{candidate.name}", 303)

    @router.post("/training/promote")
    def promote(request: Request, signed: Lead, name: Annotated[str, Form()]) -> Response:
        candidate = chosen(name)
        if candidate is None:
            return training(request, signed, f"there is no model {name}: `mailflow train --into` makes one", 409)
        if why_not := comparisons.why_not(candidate):
            return training(request, signed, why_not, 409)
        return _tried(lambda: models.promote(candidate.name, signed.account.name), request, signed)

    @router.post("/training/rollback")
    def roll_back(request: Request, signed: Lead) -> Response:
        return _tried(lambda: models.roll_back(signed.account.name), request, signed)

    def _tried(act: Callable[[], None], request: Request, signed: Signed) -> Response:
        try:
            act()
        except MailflowError as error:
            return training(request, signed, str(error), 409)
        return RedirectResponse("/training", 303)

    return router


def agreement(corrections: Sequence[CorrectionView]) -> list[tuple[str, int, int]]:
    """(intent as a person says, looked at, agreed), the most frequent first."""
    sums: dict[str, list[int]] = {}
    for one in last_of_each(corrections):
        of = sums.setdefault(one.correction.intents[0] if one.correction.intents else "none of ours", [0, 0])
        of[0] += 1
        of[1] += is_agreed(one)
    return sorted(((name, of[0], of[1]) for name, of in sums.items()), key=lambda row: (-row[1], row[0]))


def _may_lead(signed: Signed) -> bool:
    return may(signed.account.role, Permission.LEAD)
