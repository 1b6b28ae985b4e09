"""The doctor's table of checks for one mailflow.toml: what is asked, in which order, and what each needs."""

from __future__ import annotations

import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from secrets import token_hex

from mailflow import bootstrap
from mailflow.adapters import probes, store_probe
from mailflow.core.alarms import expiry
from mailflow.core.findings import (
    MIB,
    Finding,
    ServerTime,
    failed,
    judge_arrival,
    judge_capabilities,
    judge_clock,
    judge_mailbox,
    judge_names,
    judge_secret_file,
    judge_space,
    judge_store,
    judge_tls,
    ok,
    server_time,
    skipped,
    together,
    warning,
)
from mailflow.core.ports import Clock
from mailflow.errors import SettingsError
from mailflow.services.doctor import Check, mail_to_ourselves
from mailflow.settings import ImapSettings, Settings, SmtpSettings, read_settings

PATIENCE = timedelta(seconds=90)
"""How long the mail to ourselves may take. Why: servers look at a mail for some seconds, seldom for a minute."""
_LOGIN = "check username and password, or the OAuth2 keys, of [{}]; many providers want OAuth2 or an app password"
_SECRET_FILES = {
    "password_file": False,
    "oauth_client_secret_file": False,
    "oauth_refresh_token_file": True,
    "oauth_service_account_file": False,
}
"""By setting: whether the worker writes it."""
_SECRETS = frozenset({"password", "oauth_client_secret", "oauth_refresh_token"})


def checks(config: Path | None, *, send: bool, clock: Clock | None = None) -> list[Check]:
    """Every check, in its order. Nothing is looked at yet but the settings file."""
    try:
        settings = read_settings(config)
    except SettingsError as error:
        sentence = str(error)
        broken = Check("settings", lambda: failed(sentence, "mend the line; docs/configuration.md has every setting"))
        return [broken, *_Checkup(Settings.model_construct(), config, bootstrap.SystemClock()).checks(send)]
    checkup = _Checkup(settings, config, clock or bootstrap.SystemClock())
    return [Check("settings", checkup.settings_read), *checkup.checks(send)]


@dataclass
class _Checkup:
    settings: Settings
    config: Path | None
    clock: Clock
    times: list[ServerTime] = field(default_factory=list)
    """What other clocks said while they were asked something else."""

    def checks(self, send: bool) -> Iterator[Check]:
        needs = ("settings",)
        yield Check("secrets", self.secrets, needs)
        yield Check("knowledge", self.knowledge, needs, "`mailflow check` tells all; see [desk] assets")
        yield Check("model", self.model, needs, "`mailflow train` makes it anew; see [desk] assets")
        yield Check("store", self.store, needs, "see [store] url, and whether the database runs")
        yield Check("disk", self.disk, needs)
        mailboxes = {"imap": self.settings.imap}
        mailboxes |= {f"mailboxes.{name}": one for name, one in self.settings.mailboxes.items()}
        for section, imap in mailboxes.items():
            yield from self._server(section, imap)
            yield self._imap_login(section, imap)
            yield self._folders(section, imap)
        yield from self._server("smtp", self.settings.smtp)
        yield Check("smtp login", self.smtp_login, ("smtp tls",), _LOGIN.format("smtp"))
        to_do = "see what the mail server said; its log tells more"
        yield Check("mail to ourselves", self.mail if send else _not_sent, ("imap folders", "smtp login"), to_do)
        yield Check("clock", self.time, needs)

    # ------------------------------------------------------------------ files

    def settings_read(self) -> Finding:
        file = self.config or Path("mailflow.toml")
        where = str(file) if file.is_file() else "no mailflow.toml here: defaults and the environment"
        return ok(f"{where}; the desk is {', '.join(self.settings.desk.addresses)}")

    def secrets(self) -> Finding:
        """Files that others can read, and logins without a secret or with one that ends soon."""
        servers: dict[str, ImapSettings | SmtpSettings] = {"imap": self.settings.imap, "smtp": self.settings.smtp}
        servers |= {f"mailboxes.{name}": one for name, one in self.settings.mailboxes.items()}
        found = [one for section, server in servers.items() for one in _secrets_of(section, server)]
        if file := self._file_with_secrets():
            found.append(judge_secret_file(probes.look_at_file("secrets in", file)))
        now = self.clock.now()
        ending = [alarm for one in self.settings.credentials if (alarm := expiry(one, now))]
        return together([*found, *(warning(alarm.sentence, alarm.to_do) for alarm in ending)])

    def _file_with_secrets(self) -> Path | None:
        """The settings file, if a secret stands in it."""
        file = self.config or Path("mailflow.toml")
        if not file.is_file():
            return None
        sections = tomllib.loads(file.read_text(encoding="utf-8"))
        tables = [sections.get("imap", {}), sections.get("smtp", {}), *sections.get("mailboxes", {}).values()]
        return file if any(table.get(key) for table in tables for key in _SECRETS) else None

    def knowledge(self) -> Finding:
        found = bootstrap.find_assets(self.settings)
        problems = bootstrap.check_assets(self.settings)
        if problems:
            more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
            return failed(f"{problems[0]}{more}", "`mailflow check` tells all")
        return ok(f"{found.classifiers} and {found.templates} agree")

    def model(self) -> Finding:
        classifier, playbook = bootstrap.build_understanding(
            bootstrap.find_assets(self.settings), rollout=self.settings.desk.rollout
        )
        certificate = playbook.certificate
        if certificate is None:
            return warning(
                f"model {classifier.version} without a certificate",
                "`mailflow certify`, with mails that nobody learned from (docs/evaluating.md)",
            )
        return ok(f"model {classifier.version}; {certificate.sentence}")

    def store(self) -> Finding:
        earliest = self.clock.now()
        facts, now = store_probe.look_at_store(self.settings.store.url)
        if now is not None:
            self.times.append(server_time("the database", now, earliest, self.clock.now()))
        free = [judge_space(facts.place, facts.free_octets)] if facts.free_octets is not None else []
        return together([judge_store(facts), *free])

    def disk(self) -> Finding:
        folder = tempfile.gettempdir()
        largest = max(one.max_size_mib for one in (self.settings.imap, *self.settings.mailboxes.values()))
        return judge_space(folder, shutil.disk_usage(folder).free, needed=2 * largest * MIB)

    # ------------------------------------------------------------------ servers

    def _server(self, section: str, server: ImapSettings | SmtpSettings) -> Iterator[Check]:
        endpoint = self._endpoint(section, server)
        yield Check(
            f"{section} names",
            lambda: self.names(section, server.host),
            ("settings",),
            f"see [{section}] host and this machine's resolver",
        )
        yield Check(f"{section} tls", lambda: self.tls(endpoint), (f"{section} names",))

    def _endpoint(self, section: str, server: ImapSettings | SmtpSettings) -> probes.Endpoint:
        is_smtp = isinstance(server, SmtpSettings)
        desk_domain = self.settings.desk.addresses[0].rpartition("@")[2]
        return probes.Endpoint(
            section,
            "smtp" if is_smtp else "imap",
            server.host,
            server.port,
            server.security,
            str(server.ca_file) if server.ca_file else None,
            self.settings.smtp.local_hostname or desk_domain,
        )

    def names(self, section: str, host: str) -> Finding:
        if not host:
            return failed(f"[{section}] host is not set", "`mailflow init` writes a mailflow.toml to fill in")
        return judge_names(probes.addresses_of(host))

    def tls(self, endpoint: probes.Endpoint) -> Finding:
        earliest = self.clock.now()
        facts = probes.look_at_tls(endpoint)
        if facts.server_time is not None:
            self.times.append(server_time(endpoint.host, facts.server_time, earliest, self.clock.now()))
        return judge_tls(facts, self.clock.now())

    def _imap_login(self, section: str, imap: ImapSettings) -> Check:
        def examine() -> Finding:
            source = bootstrap.build_source(self.settings, imap)
            return judge_capabilities(imap.username, probes.log_in(source))

        return Check(f"{section} login", examine, (f"{section} tls",), _LOGIN.format(section))

    def _folders(self, section: str, imap: ImapSettings) -> Check:
        def examine() -> Finding:
            return judge_mailbox(probes.look_at_mailbox(bootstrap.build_source(self.settings, imap), section))

        return Check(f"{section} folders", examine, (f"{section} login",))

    def smtp_login(self) -> Finding:
        extensions = probes.log_in_to_submit(bootstrap.build_submission(self.settings))
        has = [name for name in ("8BITMIME", "SMTPUTF8", "SIZE") if name in extensions]
        who = f"logged in as {self.settings.smtp.username}" if self.settings.smtp.username else "without a login"
        return ok(f"{who}; has {', '.join(has) or 'no extension of use'}")

    def mail(self) -> Finding:
        """Send the desk a mail and find it again."""
        settings, sent_at = self.settings, self.clock.now()
        address = settings.desk.addresses[0]
        message = mail_to_ourselves(address, settings.smtp.reverse_path or address, token_hex(8), sent_at)
        submission = bootstrap.build_submission(settings)
        try:
            submission.submit(message)
        finally:
            submission.close()
        arrival = probes.find_arrival(bootstrap.build_source(settings), message.message_id, PATIENCE)
        if arrival is not None:
            # IMAP tells whole seconds
            earliest = sent_at.replace(microsecond=0)
            self.times.append(server_time(settings.imap.host, arrival.arrived_at, earliest, self.clock.now()))
        return judge_arrival(arrival, settings.desk.trusted_authserv_ids, PATIENCE)

    def time(self) -> Finding:
        return judge_clock(self.times)


def _not_sent() -> Finding:
    return skipped("give --send to send the desk a mail and find it again")


def _secrets_of(section: str, server: ImapSettings | SmtpSettings) -> Iterator[Finding]:
    files = {key: path for key in _SECRET_FILES if isinstance(path := getattr(server, key), Path)}
    for key, path in files.items():
        yield judge_secret_file(probes.look_at_file(f"[{section}] {key}", path, is_written=_SECRET_FILES[key]))
    has_none = not files and not server.password.get_secret_value()
    if server.username and server.auth == "password" and has_none:
        yield failed(
            f"[{section}] has a username and no password",
            f"set [{section}] password_file, or the environment (docs/configuration.md#passwords)",
        )
