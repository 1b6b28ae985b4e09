"""What the doctor finds and what is to be done about it: facts in, findings out. The facts are gathered elsewhere.

Rule: a finding says what was found and, unless all is well, what to do, in a sentence that names the setting.
Rule: `failed` is what stops the desk or loses an answer, `warning` what will or what makes it worse than it could be.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MIB, GIB = 1 << 20, 1 << 30
CERTIFICATE_AHEAD = timedelta(days=21)
CLOCK_OFF = timedelta(seconds=10)
"""Why: undo windows are seconds, and other servers refuse tokens and mail from the future."""
CLOCK_WRONG = timedelta(minutes=10)
LITTLE_SPACE, NO_SPACE = GIB, 100 * MIB
OLDEST_POSTGRES = 13


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    status: Status
    found: str
    to_do: str = ""


def ok(found: str) -> Finding:
    return Finding(Status.OK, found)


def warning(found: str, to_do: str) -> Finding:
    return Finding(Status.WARNING, found, to_do)


def failed(found: str, to_do: str) -> Finding:
    return Finding(Status.FAILED, found, to_do)


def skipped(found: str) -> Finding:
    return Finding(Status.SKIPPED, found)


_SEVERITY = (Status.FAILED, Status.WARNING, Status.OK, Status.SKIPPED)


def together(findings: Iterable[Finding]) -> Finding:
    """One finding of several: the gravest status, all that was found, and what to do about each that is not well."""
    each = list(findings)
    if not each:
        return skipped("nothing to look at")
    status = min((one.status for one in each), key=_SEVERITY.index)
    to_do = "; ".join(dict.fromkeys(one.to_do for one in each if one.to_do))
    return Finding(status, "; ".join(one.found for one in each), to_do)


# ---------------------------------------------------------------------- files with secrets


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file with a secret in it, by its setting."""

    setting: str
    path: str
    mode: int | None
    """Its permissions; None where there is no such file, or we may not look."""
    is_roots: bool = False
    """Whether it is root's: then its group may read it. Why: so systemd hands credentials to a service."""
    is_written: bool = False
    """Whether the worker writes it anew, as it does with refresh tokens."""
    is_folder_writable: bool = True


def judge_secret_file(file: SecretFile) -> Finding:
    if file.mode is None:
        return failed(
            f"{file.setting}: {file.path} cannot be read",
            f"make {file.path} readable for the worker's user, or correct {file.setting}",
        )
    if file.mode & (0o037 if file.is_roots else 0o077):
        return warning(
            f"{file.setting}: others may read {file.path} (mode {file.mode:04o})",
            f"chmod 0{'600' if file.is_written else '400'} {file.path}",
        )
    if file.is_written and not file.is_folder_writable:
        return warning(
            f"{file.setting}: {file.path} cannot be replaced",
            "make its folder writable for the worker's user: the server may hand out a new token that must be kept",
        )
    return ok(f"{file.setting}: {file.path} is ours alone")


# ---------------------------------------------------------------------- the store


@dataclass(frozen=True, slots=True)
class StoreFacts:
    kind: str
    """sqlite or postgresql."""
    place: str
    """The file, or the host and the database; no user and no password."""
    exists: bool
    """Whether there is a database at all."""
    version: str = ""
    """Of the database's program."""
    revision: str | None = None
    """None for an empty one."""
    newest_revision: str | None = None
    is_known: bool = True
    """Whether this mailflow knows that revision."""
    journal: str = ""
    """SQLite's journal mode."""
    write_error: str = ""
    """What a write said that was taken back; '' if it went well."""
    free_octets: int | None = None
    """On the disk of SQLite's file."""
    mode: int = 0
    """What anybody may do with SQLite's file and the two beside it; 0 where there are none."""


def judge_store(store: StoreFacts) -> Finding:
    if not store.exists:
        if store.write_error:
            return failed(f"{store.place}: {store.write_error}", "make the folder writable, or correct [store] url")
        return ok(f"{store.place} is not there yet; the first start makes it")
    return together([_revision(store), _write(store), *_journal(store), *_privacy(store)])


def _revision(store: StoreFacts) -> Finding:
    where = f"{store.kind} {store.version}, {store.place}"
    if store.revision == store.newest_revision:
        return ok(f"{where}, revision {store.revision}")
    if not store.is_known:
        return failed(
            f"{where}: revision {store.revision} is of a newer mailflow",
            "upgrade mailflow, or restore the backup from before (docs/operating.md)",
        )
    found = f"{where}: revision {store.revision or 'none'}, needed is {store.newest_revision}"
    if store.kind == "sqlite":
        return warning(found, "make a backup; `mailflow db upgrade`, or the next start, upgrades it")
    return failed(found, "make a backup, then `mailflow db upgrade`")


def _write(store: StoreFacts) -> Finding:
    if store.write_error:
        return failed(
            f"cannot be written: {store.write_error}",
            "give the worker's user the right to write, and see that the disk has room",
        )
    return ok("written and taken back")


def _journal(store: StoreFacts) -> list[Finding]:
    if store.kind == "postgresql":
        major = int(store.version.partition(".")[0]) if store.version.partition(".")[0].isdigit() else 0
        if 0 < major < OLDEST_POSTGRES:
            return [failed(f"PostgreSQL {store.version} is too old", f"use PostgreSQL {OLDEST_POSTGRES} or newer")]
        return []
    if store.journal.lower() != "wal":
        return [
            failed(
                f"no write-ahead log (journal mode {store.journal})",
                "put the file on a local disk: on a network file system SQLite loses data",
            )
        ]
    return [ok("write-ahead log")]


def _privacy(store: StoreFacts) -> list[Finding]:
    if not store.mode & 0o077:
        return []
    return [
        warning(
            f"others may read or change all mail (mode {store.mode:04o})",
            f"chmod 600 {store.place}*: in it is the key too that signs our Message-IDs",
        )
    ]


def judge_space(where: str, free_octets: int, needed: int = LITTLE_SPACE) -> Finding:
    """`needed`: below this there will be trouble."""
    free = f"{free_octets // MIB} MiB free for {where}"
    if free_octets < NO_SPACE:
        return failed(free, f"make room on the disk that holds {where}")
    if free_octets < needed:
        return warning(free, f"make room on the disk that holds {where}; {needed // MIB} MiB are wanted")
    return ok(free)


# ---------------------------------------------------------------------- names, TLS, the clock


def judge_names(addresses: Sequence[str]) -> Finding:
    return ok(", ".join(addresses[:4]) + (f" and {len(addresses) - 4} more" if len(addresses) > 4 else ""))


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What came of a handshake. Without a `version` there was none."""

    host: str
    port: int
    security: str
    """tls, starttls or none."""
    section: str
    """imap, smtp or mailboxes.NAME."""
    version: str = ""
    ends_at: datetime | None = None
    """Of the server's own certificate."""
    error: str = ""
    verify_code: int = 0
    """OpenSSL's reason (X509_V_ERR_...) where the certificate was refused."""
    server_time: datetime | None = None
    """What the greeting said, if it said any."""


def judge_tls(tls: TlsFacts, now: datetime) -> Finding:
    if tls.error:
        return failed(f"{tls.host}:{tls.port}: {tls.error}", _tls_advice(tls))
    if tls.security == "none":
        return ok('security = "none": without TLS, on this machine alone')
    left = tls.ends_at - now if tls.ends_at else None
    found = f"{tls.version}, certificate for {left.days} days yet" if left else tls.version
    if left is not None and left < CERTIFICATE_AHEAD:
        return warning(found, f"have the certificate of {tls.host} renewed: nobody can log in once it has ended")
    return ok(found)


_ADVICE_BY_CODE = {
    10: "have the certificate of {host} renewed, or correct this machine's clock",
    9: "correct this machine's clock",
    62: "set [{section}] host to the name that the certificate is for",
    64: "set [{section}] host to the name that the certificate is for",
    **dict.fromkeys(
        (2, 18, 19, 20, 21),
        "if the server has a certificate of your own authority, name that authority's file in [{section}] ca_file",
    ),
}
"""By OpenSSL's X509_V_ERR_...: 9 and 10 the time, 62 and 64 the name, the others the authority."""
_ADVICE_BY_WORDS = (
    ("ca_file", "correct [{section}] ca_file: a file with certificates in PEM"),
    ("not supported", 'the server offers no STARTTLS: set [{section}] security = "tls" and its port ({tls_port})'),
    ("wrong version number", 'port {port} does not begin with TLS: set [{section}] security = "starttls"'),
    ("record layer failure", 'port {port} does not begin with TLS: set [{section}] security = "starttls"'),
    (
        "timed out",
        "see [{section}] host and port and the firewall; a port that begins with TLS, as {tls_port} does, says nothing "
        'to security = "starttls"',
    ),
    ("refused", "see [{section}] host and port; nothing listens there"),
    ("", "see [{section}] host, port and security, and the firewall between"),
)


def _tls_advice(tls: TlsFacts) -> str:
    by_words = next(advice for words, advice in _ADVICE_BY_WORDS if words in tls.error.lower())
    advice = _ADVICE_BY_CODE.get(tls.verify_code, by_words)
    return advice.format(host=tls.host, port=tls.port, section=tls.section, tls_port=_tls_port(tls.section))


def _tls_port(section: str) -> int:
    return 465 if section == "smtp" else 993


@dataclass(frozen=True, slots=True)
class ServerTime:
    """What another clock said, and what ours said at that moment."""

    server: str
    theirs: datetime
    ours: datetime


def server_time(server: str, theirs: datetime, earliest: datetime, latest: datetime) -> ServerTime:
    """What `theirs` says of our clock, if it was read between `earliest` and `latest` of ours."""
    return ServerTime(server, theirs, min(max(theirs, earliest), latest))


def judge_clock(times: Sequence[ServerTime]) -> Finding:
    if not times:
        return skipped("no server told its time; with --send the mail server's is compared")
    worst = max(times, key=lambda one: abs(one.theirs - one.ours))
    off = abs(worst.theirs - worst.ours)
    found = f"{off.total_seconds():.0f} s from {worst.server}"
    to_do = "have this machine's clock set by NTP (timedatectl), or the server's"
    if off > CLOCK_WRONG:
        return failed(found, to_do)
    return warning(found, to_do) if off > CLOCK_OFF else ok(found)


# ---------------------------------------------------------------------- the mailbox


@dataclass(frozen=True, slots=True)
class Folder:
    name: str
    error: str = ""
    """Why it is not there and cannot be made, or cannot be opened; '' if it is there."""
    is_made: bool = False
    """Whether it was made just now."""
    is_read_only: bool = False


@dataclass(frozen=True, slots=True)
class MailboxFacts:
    section: str
    """Where its settings stand: imap, or mailboxes.NAME."""
    mailbox: Folder
    processed: Folder
    failed: Folder
    keeps_keywords: bool
    capabilities: frozenset[str]


def judge_capabilities(account: str, capabilities: frozenset[str]) -> Finding:
    found = f"logged in as {account}"
    names = [name for name in ("IDLE", "MOVE", "UIDPLUS") if name in capabilities]
    found += f"; has {', '.join(names)}" if names else "; has none of IDLE, MOVE, UIDPLUS"
    if "IDLE" not in capabilities:
        return warning(found, "without IDLE the mailbox is looked at every 30 seconds; nothing need be done")
    if not capabilities & {"MOVE", "UIDPLUS"}:
        return warning(found, "mail that is dealt with stays in the mailbox and gets a keyword; nothing need be done")
    return ok(found)


def judge_mailbox(facts: MailboxFacts) -> Finding:
    """Whether mail can be read, and put away once it is dealt with."""
    mailbox, section = facts.mailbox, facts.section
    if mailbox.error:
        return failed(
            f"{mailbox.name}: {mailbox.error}", f"correct [{section}] mailbox, or give {section} access to it"
        )
    if mailbox.is_read_only:
        return failed(
            f"{mailbox.name} can be read and not changed",
            "give this account the right to move mail out of it: it would be looked at again and again",
        )
    if not facts.capabilities & {"MOVE", "UIDPLUS"}:
        if facts.keeps_keywords:
            return ok(f"{mailbox.name}; keywords instead of folders")
        return failed(
            f"{mailbox.name}: the server can neither move mail nor keep keywords",
            "use another server: what is dealt with cannot be told from what is not",
        )
    folders = [_folder(facts.processed, section, "processed"), _folder(facts.failed, section, "failed")]
    return together([ok(mailbox.name), *folders])


def _folder(folder: Folder, section: str, setting: str) -> Finding:
    if folder.error:
        return failed(
            f"{folder.name} is not there and cannot be made: {folder.error}",
            f"make the folder, give this account the right to make it, or name another in [{section}] {setting}",
        )
    if folder.is_read_only:
        return failed(
            f"nothing can be put into {folder.name}",
            f"give this account the right to write there, or name another in [{section}] {setting}",
        )
    return ok(f"{folder.name} made" if folder.is_made else folder.name)


# ---------------------------------------------------------------------- the mail to ourselves


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail to ourselves, found again."""

    folder: str
    arrived_at: datetime
    """By the mail server's clock."""
    authserv_id: str
    """Of the topmost Authentication-Results, '' where there is none."""
    own_mark: bool
    """Whether the mark by which the desk knows its own mail came through."""
    after: timedelta = timedelta(0)
    """By ours, since it was handed in."""


def judge_arrival(arrival: Arrival | None, trusted: Sequence[str], patience: timedelta) -> Finding:
    if arrival is None:
        return failed(
            f"sent, and not in the mailbox after {patience.total_seconds():.0f} s",
            "look for it in the log of the mail server: the desk's address may lead elsewhere, or into quarantine",
        )
    found = f"in {arrival.folder} after {arrival.after.total_seconds():.0f} s"
    if not arrival.own_mark:
        return failed(
            f"{found}, without the header by which the desk knows its own mail",
            "have the mail server leave X-Mailflow-Loop in place: the desk might answer itself",
        )
    if arrival.authserv_id and trusted and arrival.authserv_id.lower() not in trusted:
        return warning(
            f"{found}; your server signs its findings as {arrival.authserv_id}",
            f"if {arrival.authserv_id} is your own receiving server, add it to [desk] trusted_authserv_ids "
            "(docs/reading.md#trust): colleagues count as strangers until then",
        )
    return ok(found)
