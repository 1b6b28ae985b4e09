"""The whole wiring on one screen: settings in, a running desk out. Nothing is built at import.

Each part can be replaced by keyword, so that a test needs no patching.
Why the model, the store and the servers are imported where they are built: spaCy and SQLAlchemy take two seconds, which
`mailflow parse`, `--help` and the reading process need not wait for.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from mailflow.adapters import assets
from mailflow.adapters.canned import CannedRenderer, canned_problems, load_canned
from mailflow.adapters.certificates import FILE as CERTIFICATE
from mailflow.adapters.certificates import load_certificate, read_certificate
from mailflow.adapters.machine import is_running, this_machine
from mailflow.adapters.mail_files import is_maildir
from mailflow.adapters.maildir import FolderSource, MaildirSource
from mailflow.adapters.partners_csv import read_partners
from mailflow.adapters.reading_process import ReadingProcess
from mailflow.adapters.renderer import TemplateRenderer
from mailflow.core.alarms import Arrivals
from mailflow.core.certify import problems as certificate_problems
from mailflow.core.check import ENGLISH, Problem, check
from mailflow.core.digest import DigestHeaders
from mailflow.core.fleet import ALL_ROLES, Role, WorkerRecord
from mailflow.core.health import lacking
from mailflow.core.hooks import Listener
from mailflow.core.loop_bound import bounds_table
from mailflow.core.partner import PartnerDirectory
from mailflow.core.playbook import Playbook, Rollout
from mailflow.core.policy import GUARDS, SEND_GUARDS, Guard, policy_table
from mailflow.core.ports import Classifier, Clock, Letter, Source, Submission
from mailflow.core.review import AccountRole
from mailflow.core.storage import Read
from mailflow.core.telemetry import Backlog, Meter
from mailflow.errors import AssetError, SettingsError
from mailflow.reading.domain_name import to_ascii
from mailflow.reading.sender import Desk
from mailflow.services.accounts import Access
from mailflow.services.digest import Digest
from mailflow.services.fleet import Membership
from mailflow.services.hooks import Hooks, Receiver
from mailflow.services.outbox import Outbox
from mailflow.services.processing import DeskIdentity, Processing
from mailflow.services.review import ReviewDesk
from mailflow.services.sign_in_elsewhere import Elsewhere
from mailflow.services.triage import Triage
from mailflow.services.watch import Looking, Watch
from mailflow.services.worker import Chore, JobRunner, Vitals, Worker
from mailflow.settings import HookSettings, ImapSettings, Settings, SmtpSettings

if TYPE_CHECKING:
    from mailflow.adapters.examples import ExampleSet
    from mailflow.adapters.imap import ImapSource
    from mailflow.adapters.keyring import Keyring
    from mailflow.adapters.oauth import OAuthTokens
    from mailflow.adapters.smtp import SmtpSubmission
    from mailflow.adapters.store import SqlStore


GUIDE = "docs/evaluating.md"
CORRECTIONS = "corrections.jsonl"
"""Beside the examples: what specialists said that mails are (`mailflow corrections export`)."""
_THREADS = 15
"""How many of a process may be in the store at once; a worker has a loop more for each more mailbox."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Assets:
    """The files that make the desk: what it knows, what it says, how it understands."""

    templates: Path
    classifiers: Path
    demo: Path

    @property
    def model(self) -> Path:
        return self.classifiers / "model"

    @property
    def holdout(self) -> Path:
        """Labelled mails that no model learns from."""
        return self.classifiers / "holdout"


def find_assets(settings: Settings) -> Assets:
    """[desk] assets, else what was installed with mailflow, else the checkout it runs from."""
    here = Path(__file__).resolve().parent
    roots = [settings.desk.assets] if settings.desk.assets else [here / "_assets", here.parent.parent]
    for root in roots:
        if (root / "classifiers").is_dir() and (root / "templates").is_dir():
            return Assets(root / "templates", root / "classifiers", root / "demo")
    raise SettingsError(f"[desk] assets: {roots[0]} has no folders templates/ and classifiers/")


def build_desk(settings: Settings) -> Desk:
    """What reading must know of us."""
    desk = settings.desk
    own_domains = frozenset(map(to_ascii, desk.own_domains))
    return Desk(frozenset(desk.addresses), own_domains, frozenset(desk.trusted_authserv_ids))


def read_partner_directory(settings: Settings, path: Path) -> PartnerDirectory:
    """The directory in a CSV file. Raises AssetError that names every wrong row."""
    return PartnerDirectory.of(read_partners(path, own_domains=frozenset(settings.desk.own_domains)))


def build_store(settings: Settings) -> SqlStore:
    """An open store of the newest revision. Raises StoreError. PostgreSQL is only upgraded by `mailflow db upgrade`."""
    from mailflow.adapters import schema
    from mailflow.adapters.store import SqlStore, open_engine

    engine = open_engine(settings.store.url, _THREADS + len(settings.mailboxes))
    if engine.dialect.name == "sqlite":
        schema.upgrade(engine)
    schema.require_newest(engine)
    if engine.dialect.name == "sqlite":
        return SqlStore(engine, keys=build_keyring(settings), listeners=listeners(settings))
    from mailflow.adapters.jobs import Jobs

    return SqlStore(engine, Jobs(), build_keyring(settings), listeners(settings))


def listeners(settings: Settings) -> tuple[Listener, ...]:
    """The other systems that hear of what happens."""
    return tuple(Listener(name, frozenset(hook.events)) for name, hook in settings.hooks.items())


def build_keyring(settings: Settings) -> Keyring:
    """The keys of [store]; without any, raw mail is stored as it is. Raises SettingsError."""
    from mailflow.adapters.keyring import NO_KEYS, read_keys

    found = settings.store.encryption_keys()
    return read_keys(*found) if found else NO_KEYS


def read_playbook(settings: Settings) -> Playbook:
    """The desk's playbook as its settings want it rolled out. Raises AssetError."""
    return _rolled_out(assets.load_playbook(find_assets(settings).classifiers), settings.desk.rollout)


def _rolled_out(playbook: Playbook, rollout: Rollout | None) -> Playbook:
    if rollout is None:
        return playbook
    return playbook.model_copy(update={"defaults": playbook.defaults.model_copy(update={"rollout": rollout})})


def build_renderer(found: Assets, playbook: Playbook) -> TemplateRenderer:
    links, words = assets.load_links(found.classifiers), assets.english_words(playbook)
    return TemplateRenderer(found.templates, links, words, playbook.defaults.answer_languages)


def build_canned(found: Assets, playbook: Playbook) -> CannedRenderer:
    links, words = assets.load_links(found.classifiers), assets.english_words(playbook)
    return CannedRenderer(found.templates, links, words, load_canned(found.classifiers))


def build_reader(settings: Settings) -> ReadingProcess:
    """Started, so that the first mail does not wait for it."""
    reader = ReadingProcess(build_desk(settings))
    reader.start()
    return reader


def build_triage(settings: Settings, *, read: Read | None = None, classifier: Classifier | None = None) -> Triage:
    classifier, playbook = build_understanding(
        find_assets(settings), classifier=classifier, rollout=settings.desk.rollout
    )
    return Triage(
        read=read or build_reader(settings),
        classifier=classifier,
        playbook=playbook,
        desk_addresses=frozenset(settings.desk.addresses),
        clock=SystemClock(),
    )


def build_understanding(
    found: Assets, *, classifier: Classifier | None = None, model: Path | None = None, rollout: Rollout | None = None
) -> tuple[Classifier, Playbook]:
    """The trained model, and the playbook with what that model's certificate asks. Raises ModelError or AssetError.

    `model`: another folder than the desk's. `rollout`: in place of the playbook's.
    A `classifier` from elsewhere has no certificate.
    """
    playbook = _rolled_out(assets.load_playbook(found.classifiers), rollout)
    if classifier is not None:
        return classifier, playbook
    from mailflow.adapters.spacy_classifier import SpacyClassifier

    folder = model or found.model
    trained = SpacyClassifier(folder, playbook.slots)
    certificate = read_certificate(folder, version=trained.version)
    return trained, playbook.model_copy(update={"certificate": certificate})


def build_sources(settings: Settings) -> list[ImapSource]:
    """[imap], and each of [mailboxes.NAME]."""
    return [build_source(settings), *(build_source(settings, one) for one in settings.mailboxes.values())]


def build_source(settings: Settings, imap: ImapSettings | None = None) -> ImapSource:
    from mailflow.adapters.imap import ImapAccount, ImapSource

    imap = imap or settings.imap
    if not imap.host:
        raise SettingsError("[imap] host is not set; `mailflow init` writes a mailflow.toml to fill in")
    ca_file = str(imap.ca_file) if imap.ca_file else None
    return ImapSource(
        ImapAccount(
            host=imap.host,
            port=imap.port,
            security=imap.security,
            username=imap.username,
            password=imap.secret(),
            tokens=build_tokens(imap, "imap"),
            ca_file=ca_file,
            mailbox=imap.mailbox,
            processed=imap.processed,
            failed=imap.failed,
            sent=imap.sent,
            max_size=imap.max_size_mib << 20,
        )
    )


def build_tokens(server: ImapSettings | SmtpSettings, protocol: Literal["imap", "smtp"]) -> OAuthTokens | None:
    """Where access tokens come from; None for a password. Raises SettingsError."""
    if server.auth == "password":
        return None
    from mailflow.adapters.oauth import Credentials, Endpoint, OAuthTokens, preset, read_service_account

    key = server.oauth_service_account_file
    credentials = Credentials(
        client_id=server.oauth_client_id,
        client_secret=server.oauth_secret(),
        refresh_token=server.oauth_refresh_token.get_secret_value(),
        refresh_token_file=server.oauth_refresh_token_file,
        service_account=read_service_account(key) if key else None,
    )
    usual = Endpoint("")
    if server.oauth_provider:
        usual = preset(server.oauth_provider, credentials.grant, protocol, server.oauth_tenant)
    endpoint = Endpoint(server.oauth_token_url or usual.token_url, server.oauth_scope or usual.scope)
    ca_file = str(server.ca_file) if server.ca_file else None
    return OAuthTokens(server.username, endpoint, credentials, clock=SystemClock(), ca_file=ca_file)


def build_file_source(path: Path) -> Source:
    """A Maildir, or any other folder with .eml files in it. Raises SettingsError."""
    if not path.is_dir():
        raise SettingsError(f"--from {path}: there is no such folder")
    return MaildirSource(path) if is_maildir(path) else FolderSource(path)


def build_submission(settings: Settings) -> SmtpSubmission:
    from mailflow.adapters.smtp import SmtpAccount, SmtpSubmission

    smtp = settings.smtp
    if not smtp.host:
        raise SettingsError("[smtp] host is not set; `mailflow init` writes a mailflow.toml to fill in")
    return SmtpSubmission(
        SmtpAccount(
            host=smtp.host,
            port=smtp.port,
            security=smtp.security,
            username=smtp.username,
            password=smtp.secret(),
            tokens=build_tokens(smtp, "smtp"),
            ca_file=str(smtp.ca_file) if smtp.ca_file else None,
            local_hostname=smtp.local_hostname or settings.desk.addresses[0].rpartition("@")[2],
            bcc=smtp.bcc,
        )
    )


def build_worker(
    settings: Settings,
    *,
    store: SqlStore | None = None,
    source: Source | None = None,
    submission: Submission | None = None,
    classifier: Classifier | None = None,
    read: Read | None = None,
    clock: Clock | None = None,
    jitter: Callable[[], float] = random.random,
    roles: frozenset[Role] = ALL_ROLES,
    vitals: Vitals | None = None,
) -> Worker:
    """A worker ready to run. Raises SettingsError, AssetError, ModelError or StoreError with what to change.

    On PostgreSQL its turns are jobs, shared with the workers of other machines; on SQLite they are loops.
    """
    found, told = find_assets(settings), vitals or Vitals()
    store, clock = store or build_store(settings), clock or SystemClock()
    store.require_keys()
    classifier, playbook = build_understanding(found, classifier=classifier, rollout=settings.desk.rollout)
    processing = Processing(
        store=store,
        read=read or build_reader(settings),
        classifier=classifier,
        renderer=build_renderer(found, playbook),
        playbook=playbook,
        desk=build_identity(settings, store),
        clock=clock,
        jitter=jitter,
        undo=timedelta(seconds=settings.desk.undo_seconds),
        meter=told.meter,
    )
    outbox = Outbox(
        store=store,
        submission=submission or build_submission(settings),
        clock=clock,
        jitter=jitter,
        per_minute=settings.smtp.max_per_minute,
    )
    return Worker(
        sources=[source] if source else build_sources(settings) if Role.FETCH in roles else [],
        store=store,
        processing=processing,
        outbox=outbox,
        membership=build_membership(store, clock, roles),
        clock=clock,
        jitter=jitter,
        poll=settings.poll,
        roles=roles,
        runner=_job_runner(settings, store),
        chores=_chores(settings, store, told.meter),
        hooks=build_hooks(settings, store, clock, jitter) if settings.hooks and Role.SEND in roles else None,
        vitals=told,
    )


def build_hooks(settings: Settings, store: SqlStore, clock: Clock, jitter: Callable[[], float]) -> Hooks:
    """Calls the other systems of [hooks.NAME]. Raises SettingsError."""
    receivers = {name: _receiver(name, hook, settings.web.origin) for name, hook in settings.hooks.items()}
    return Hooks(store=store, receivers=receivers, clock=clock, jitter=jitter)


def _receiver(name: str, hook: HookSettings, desk_url: str) -> Receiver:
    from mailflow.adapters.webhooks import GitLabIssue, Sender, SlackMessage, Webhook

    try:
        secret = hook.opened()
    except SettingsError as error:
        raise SettingsError(f"[hooks.{name}] {error}") from error
    sender = Sender(hook.allow_private)
    match hook.kind:
        case "gitlab":
            return GitLabIssue(name, hook.url, hook.project, secret, sender, desk_url)
        case "slack":
            return SlackMessage(name, secret, sender, desk_url)
        case _:
            return Webhook(name, hook.url, secret.encode(), sender, desk_url)


def build_identity(settings: Settings, store: SqlStore) -> DeskIdentity:
    desk, address = settings.desk, settings.desk.addresses[0]
    return DeskIdentity(
        name=desk.name,
        address=address,
        addresses=frozenset(desk.addresses),
        reverse_path=settings.smtp.reverse_path or address,
        message_id_domain=address.rpartition("@")[2],
        reply_key=store.key("reply"),
        reopen_within=timedelta(days=desk.reopen_days),
        has_subaddress=desk.reply_subaddress,
    )


def build_review(settings: Settings, *, store: SqlStore | None = None, read: Read | None = None) -> ReviewDesk:
    """What the pages and the REST interface work with. Raises SettingsError, AssetError, ModelError or StoreError."""
    found, store = find_assets(settings), store or build_store(settings)
    playbook = read_playbook(settings).model_copy(update={"certificate": load_certificate(found.model)})
    return ReviewDesk(
        store=store,
        read=read or build_reader(settings),
        renderer=build_renderer(found, playbook),
        canned=build_canned(found, playbook),
        playbook=playbook,
        desk=build_identity(settings, store),
        clock=SystemClock(),
        undo=timedelta(seconds=settings.desk.undo_seconds),
    )


def build_access(settings: Settings, *, store: SqlStore | None = None) -> Access:
    """The accounts. Raises SettingsError where the extra `web` is not installed."""
    try:
        from mailflow.adapters.passwords import Argon2Passwords
    except ImportError as error:
        raise SettingsError("the review desk needs the extra `web`: pip install 'mailflow[web]'") from error

    return Access(store=store or build_store(settings), passwords=Argon2Passwords(), clock=SystemClock())


def build_elsewhere(settings: Settings, access: Access, key: bytes) -> Elsewhere | None:
    """Signing in at an issuer of OpenID Connect; None where [web] names none. Raises SettingsError."""
    web = settings.web
    if not web.oidc_issuer:
        return None
    from mailflow.adapters.oidc import Client, OidcIssuer

    client = Client(web.oidc_issuer, web.oidc_client_id, web.oidc_secret(), f"{web.origin}/login/oidc/back")
    return Elsewhere(
        access=access,
        issuer=OidcIssuer(client, SystemClock()),
        label=f"Sign in with {web.oidc_name or urlsplit(web.oidc_issuer).hostname}",
        domains=web.oidc_domains,
        role=AccountRole(web.oidc_role) if web.oidc_role else None,
        clock=SystemClock(),
        key=key,
    )


def build_membership(store: SqlStore, clock: Clock, roles: frozenset[Role]) -> Membership:
    now = clock.now()
    me = WorkerRecord(store.holder, this_machine(), os.getpid(), roles, now, now)
    return Membership(store=store, me=me, clock=clock, is_running=is_running)


def _job_runner(settings: Settings, store: SqlStore) -> JobRunner | None:
    if store.engine.dialect.name == "sqlite":
        return None
    from mailflow.adapters.jobs import ProcrastinateRunner

    return ProcrastinateRunner(settings.store.url)


def _chores(settings: Settings, store: SqlStore, meter: Meter) -> list[Chore]:
    """What one worker of the store does about every minute."""

    looking = Looking()

    def look(now: datetime) -> tuple[Backlog, Arrivals]:
        with store.view() as unit:
            return looking(unit, now)

    watch = Watch(look=look, credentials=settings.credentials, meter=meter)
    desk, address = settings.desk, settings.desk.addresses[0]
    if not desk.digest_to:
        return [watch]
    headers = DigestHeaders(desk.name, address, settings.smtp.reverse_path or address, desk.digest_to)
    return [watch, Digest(store=store, headers=headers, hour=desk.digest_hour)]


def build_status_server(
    settings: Settings, store: SqlStore, clock: Clock
) -> tuple[Vitals, AbstractContextManager[object]]:
    """What a worker tells of itself, and the server of /metrics, /healthz and /readyz where one is wanted."""
    if not settings.metrics.port:
        return Vitals(), nullcontext()
    from mailflow.adapters import schema
    from mailflow.adapters.metrics import PrometheusMeter
    from mailflow.adapters.status_server import StatusServer, status_pages

    meter, newest = PrometheusMeter(), schema.newest_revision()
    vitals = Vitals(meter)

    def backlog() -> Backlog:
        with store.view() as unit:
            return unit.backlog(clock.now())

    def lacks_store() -> str:
        with store.view() as unit:
            return "" if unit.revision() == newest else "the store has another revision: `mailflow db upgrade`"

    meter.watch(backlog, clock)
    ready = {"store": lacks_store, "mailbox": lambda: lacking(vitals.contacts.pulses(clock.now()))}
    pages = status_pages(vitals.health, ready, clock, meter.page)
    return vitals, StatusServer(settings.metrics.host, settings.metrics.port, pages)


def upgrade_store(settings: Settings) -> tuple[str | None, str | None]:
    """The store's revision before and after."""
    from mailflow.adapters import schema
    from mailflow.adapters.store import open_engine

    engine = open_engine(settings.store.url)
    try:
        before_and_after = schema.upgrade(engine)
        if engine.dialect.name == "postgresql":
            from mailflow.adapters import jobs

            jobs.upgrade(engine)
    finally:
        engine.dispose()
    return before_and_after


def read_holdout(found: Assets) -> ExampleSet:
    """The labelled mails that no model learns from. Raises AssetError where there are none."""
    from mailflow.adapters.examples import read_examples

    if not any(found.holdout.glob("*.jsonl")):
        raise AssetError(
            f"{found.holdout}: no held-out mail is here, so nothing can be shown of the model; see {GUIDE}"
        )
    return read_examples(found.holdout)


def policy_tables(
    settings: Settings,
) -> tuple[tuple[Guard, ...], list[tuple[str, str, str, str, str, str]], list[tuple[str, ...]]]:
    """The guards in their order, the playbook's rows, and how many automatic answers they let out at most."""
    playbook = read_playbook(settings)
    return GUARDS + SEND_GUARDS, policy_table(playbook), bounds_table(playbook.defaults.send_budget)


def _with_corrections(found: Assets) -> set[str]:
    """What the examples are together with the corrections of specialists; empty where there are none."""
    from mailflow.adapters.examples import read_examples

    corrections = found.classifiers / CORRECTIONS
    return {read_examples(found.classifiers / "examples", [corrections]).sha256} if corrections.exists() else set()


def check_assets(settings: Settings) -> list[Problem]:
    """Playbook, links, templates, examples and model proved against each other; empty if all agree."""
    from mailflow.adapters.examples import contradictions, examples_by_file, read_examples
    from mailflow.adapters.spacy_classifier import SpacyClassifier

    found = find_assets(settings)
    playbook, links = assets.load_playbook(found.classifiers), assets.load_links(found.classifiers)
    renderer = build_renderer(found, playbook)
    read, holdout = read_examples(found.classifiers / "examples"), read_holdout(found)
    classifier = SpacyClassifier(found.model)
    problems = check(
        playbook,
        links,
        {
            ENGLISH: assets.load_templates(found.templates),
            **{one: assets.load_templates(found.templates / one) for one in playbook.defaults.answer_languages},
        },
        lambda part, language: renderer.render(Letter((part,), language=language)).text,
        model_labels=classifier.labels,
        examples=examples_by_file(read),
    )
    problems += [
        Problem(f"classifiers/examples: {name}", sentence)
        for name, sentence in contradictions(read.examples, holdout.examples)
    ]
    learned_from = {read.sha256, *_with_corrections(found)}
    if classifier.meta["data_sha256"] not in learned_from:
        problems.append(Problem(str(found.model), "was trained on other examples: run `mailflow train`"))
    canned = build_canned(found, playbook)
    problems += canned_problems(canned.replies, playbook, links, found.templates, canned)
    problems += [
        Problem(str(found.model / CERTIFICATE), sentence)
        for sentence in certificate_problems(
            load_certificate(found.model),
            model_version=classifier.version,
            rules=playbook.answering_rules,
            holdout_sha256=holdout.sha256,
        )
    ]
    return problems
