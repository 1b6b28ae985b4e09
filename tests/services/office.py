"""A desk in memory: real reading, policy and SQL; the mailbox, the mail server, the model and the time are fakes.

The model goes by words, so that a mail says itself what is to become of it (WORDS).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mailflow.adapters import schema
from mailflow.adapters.store import SqlStore, open_engine
from mailflow.core.classification import Classification, ClassifierInput
from mailflow.core.fleet import ALL_ROLES, Role, WorkerRecord
from mailflow.core.playbook import Audience, AudienceRow, Intent, Playbook, PolicyAction, SendBudget
from mailflow.core.ports import Classifier, Renderer
from mailflow.core.storage import Counts, DecidedMail, OutboxView, Read
from mailflow.reading.sender import Desk
from mailflow.reading.understand import reader
from mailflow.services.fleet import Membership
from mailflow.services.outbox import Outbox
from mailflow.services.processing import DeskIdentity, Processing
from mailflow.services.worker import Chore, JobRunner, Worker
from mailflow.testing import (
    DESK,
    FixedClassifier,
    FrozenClock,
    MemorySource,
    PlainRenderer,
    ScriptedSubmission,
    classification,
    defaults,
    raw_mail,
)

WORDS: dict[str, Classification] = {
    "licence": classification(("nfr_request", 0.95)),
    "quote": classification(("quoting", 0.95)),
    "thanks": classification(("no_request", 0.95), reply=0.01, review=0.01, none=0.98),
    "riddle": classification(abstained="unlike any mail it knows"),
}
"""What the model says of a text that has the word: answered, drafted for a person, ignored, held."""

DEFAULTS = defaults(
    hold_if=("has_deliverable",),
    send_budget=SendBudget(
        per_thread=1,
        per_sender_and_intent_3_hours=2,
        per_sender_day=5,
        per_domain_hour=6,
        per_template_hour=8,
        desk_hour=8,
    ),
)


def _intent(name: str, action: PolicyAction, template: str) -> Intent:
    return Intent(
        intent=name,
        title=name,
        description=name,
        in_scope=True,
        rules=(),
        audiences={Audience.EXTERNAL: AudienceRow(action=action, template=template)},
        queue=f"{name} queue",
    )


PLAYBOOK = Playbook(
    defaults=DEFAULTS,
    intents={
        "nfr_request": _intent("nfr_request", PolicyAction.SEND, "nfr_request.external"),
        "quoting": _intent("quoting", PolicyAction.DRAFT, "quoting.external"),
        "no_request": _intent("no_request", PolicyAction.NEVER, ""),
    },
    version="playbook of the tests",
)


def by_words(mail: ClassifierInput) -> Classification:
    """What WORDS says of the first word that is in subject or text, `riddle` where none is."""
    text = f"{mail.subject}\n{mail.content}".lower()
    return next((answer for word, answer in WORDS.items() if word in text), WORDS["riddle"])


def words_model() -> FixedClassifier:
    return FixedClassifier(WORDS["riddle"], of=by_words)


def memory_store() -> SqlStore:
    """A migrated store that lives as long as its engine, for one thread."""
    engine = open_engine("sqlite://")
    schema.upgrade(engine)
    return SqlStore(engine)


def reader_of(address: str) -> Read:
    """Reading for the desk `address`, in this process."""
    domain = address.rpartition("@")[2]
    desk = Desk(frozenset({address}), frozenset({domain}), frozenset({f"mx.{domain}"}))
    return reader(desk)


@dataclass(slots=True)
class Office:
    """A desk and everything around it. What is not given is a well-behaved fake."""

    store: SqlStore
    address: str = DESK
    clock: FrozenClock = field(default_factory=FrozenClock)
    source: MemorySource = field(default_factory=MemorySource)
    submission: ScriptedSubmission = field(default_factory=ScriptedSubmission)
    classifier: Classifier = field(default_factory=words_model)
    renderer: Renderer = field(default_factory=PlainRenderer)
    read: Read | None = None
    playbook: Playbook = PLAYBOOK
    jitter: float = 0.5
    has_subaddress: bool = False
    undo: timedelta = timedelta(0)
    per_minute: int | None = None
    machine: str = "a machine"
    """Two offices on one machine would bury each other: one process is at work there, that of pid 1."""

    def processing(self) -> Processing:
        return Processing(
            store=self.store,
            read=self.read or reader_of(self.address),
            classifier=self.classifier,
            renderer=self.renderer,
            playbook=self.playbook,
            desk=DeskIdentity(
                name="Partner Support",
                address=self.address,
                addresses=frozenset({self.address}),
                reverse_path=self.address,
                message_id_domain=self.address.rpartition("@")[2],
                reply_key=self.store.key("reply"),
                has_subaddress=self.has_subaddress,
            ),
            clock=self.clock,
            jitter=lambda: self.jitter,
            undo=self.undo,
        )

    def outbox(self) -> Outbox:
        return Outbox(
            store=self.store,
            submission=self.submission,
            clock=self.clock,
            jitter=lambda: self.jitter,
            per_minute=self.per_minute,
        )

    def membership(self) -> Membership:
        now = self.clock.now()
        me = WorkerRecord(self.store.holder, self.machine, 1, ALL_ROLES, now, now)
        return Membership(store=self.store, me=me, clock=self.clock, is_running=lambda pid: False)

    def worker(
        self,
        poll: timedelta = timedelta(seconds=180),
        roles: frozenset[Role] = ALL_ROLES,
        runner: JobRunner | None = None,
        chores: Sequence[Chore] = (),
    ) -> Worker:
        return Worker(
            sources=[self.source],
            store=self.store,
            processing=self.processing(),
            outbox=self.outbox(),
            membership=self.membership(),
            clock=self.clock,
            jitter=lambda: self.jitter,
            poll=poll,
            roles=roles,
            runner=runner,
            chores=chores,
        )

    def beside(self, machine: str = "another machine") -> "Office":
        """A second worker of the same desk: the same database, mailbox, mail server and time."""
        return replace(self, store=SqlStore(self.store.engine), machine=machine)

    def work(self, *mails: bytes) -> None:
        """Deliver `mails` and do everything that is due."""
        for content in mails:
            self.source.deliver(content)
        self.worker().run_once()

    # ------------------------------------------------------------------ looking

    def decided(self) -> list[DecidedMail]:
        with self.store.view() as unit:
            return unit.decided(0, 1000)

    def actions(self) -> dict[str, str]:
        """Message-ID -> reply, review or none, of every decided mail."""
        return {one.message_id: one.action for one in self.decided()}

    def counts(self) -> Counts:
        with self.store.view() as unit:
            return unit.counts()

    def answers(self) -> list[OutboxView]:
        """Oldest first."""
        with self.store.view() as unit:
            return unit.outbox(1000)[::-1]


def question(number: int = 1, sender: str = "", body: str = "How do we get a licence?", **headers: str) -> bytes:
    """A mail that is answered, from a person of its own domain unless `sender` is given."""
    fields = {
        "From": f"Ann Example <{sender or f'ann@partner{number}.example'}>",
        "message_id": f"q{number}@partner.example",
        "subject": f"Question {number}",
    }
    return raw_mail(body, **fields | headers)
