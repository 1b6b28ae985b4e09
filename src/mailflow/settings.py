"""Settings: mailflow.toml, then MAILFLOW_* in the environment, which wins (MAILFLOW_IMAP__HOST for [imap] host).

Rule: read once, by bootstrap, and handed on as values.
Rule: a wrong setting fails at start with a sentence that says where and what to change; a secret is never printed.
"""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from mailflow.core.alarms import Credential
from mailflow.core.hooks import HookEvent
from mailflow.core.playbook import Rollout
from mailflow.core.reply import is_sendable
from mailflow.errors import SettingsError

Security = Literal["tls", "starttls", "none"]
_LOOPBACK = ("", "localhost", "127.0.0.1", "::1")


def _lower(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.strip().lower() for value in values)


def _is_address_or_empty(value: str) -> str:
    """Why strict: it is used long after the start, where a mistake would end the worker or refuse every answer."""
    if value and not (is_sendable(value) and value.isascii()):
        raise ValueError(f"{value!r} is not a mail address and nothing else")
    return value


LowerCased = Annotated[tuple[str, ...], AfterValidator(_lower)]
AddressOrEmpty = Annotated[str, AfterValidator(_is_address_or_empty)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeskSettings(_Section):
    """Who answers, and whom we trust."""

    name: str = Field(default="Partner Support", description="display name of the answers' From")
    addresses: LowerCased = Field(
        default=("partnersupport@gitlab.com",), min_length=1, description="addresses of the desk; the first one answers"
    )
    own_domains: LowerCased = Field(default=("gitlab.com",), description="domains of our own people")
    trusted_authserv_ids: LowerCased = Field(
        default=("mx.gitlab.com",),
        description="authserv-ids of our own receiving servers, whose Authentication-Results count (RFC 8601)",
    )
    reopen_days: int = Field(
        default=60, ge=0, description="mail for a thread that rested longer begins a new one that points at it"
    )
    reply_subaddress: bool = Field(
        default=False,
        description="answers carry Reply-To desk+mf...@, for partners' clients that drop References; only where your "
        "server delivers plus-addresses (RFC 5233)",
    )
    undo_seconds: int = Field(
        default=20,
        ge=0,
        le=3600,
        description="an automatic answer waits so long, and `mailflow outbox cancel` stops it",
    )
    digest_to: AddressOrEmpty = Field(
        default="", description="gets a daily mail about answers that failed or are uncertain, and mails in quarantine"
    )
    digest_hour: int = Field(default=6, ge=0, le=23, description="after this hour, UTC")
    rollout: Rollout | None = Field(
        default=None,
        description="off, shadow, draft, canary or live, for every intent whose file does not say its own; default: "
        "what classifiers/intents/_defaults.yaml says (draft: a person approves each answer)",
    )
    assets: Path | None = Field(
        default=None, description="folder that holds templates/ and classifiers/; default: what came with mailflow"
    )

    @field_validator("addresses")
    @classmethod
    def _are_addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if value.count("@") != 1 or " " in value:
                raise ValueError(f"{value!r} is not a mail address")
        return values


class _Server(_Section):
    host: str = ""
    port: int = Field(ge=1, le=65535)
    security: Security = "tls"
    username: str = ""
    password: SecretStr = SecretStr("")
    password_file: Path | None = Field(default=None, description="file whose first line is the password")
    ca_file: Path | None = Field(default=None, description="CA certificates (PEM) to trust instead of the system's")
    login_expires: date | None = Field(
        default=None,
        description="the day on which the password, or what stands in its place, ends; an alarm comes 14 days ahead",
    )
    auth: Literal["password", "oauth2"] = Field(default="password", description="oauth2 for Google and Microsoft 365")
    oauth_provider: Literal["", "google", "microsoft"] = Field(
        default="", description="google or microsoft; empty: your own, at oauth_token_url"
    )
    oauth_tenant: str = Field(default="", description="Microsoft's directory (tenant) id")
    oauth_client_id: str = Field(default="", description="the app's id")
    oauth_client_secret: SecretStr = SecretStr("")
    oauth_client_secret_file: Path | None = Field(default=None, description="file whose first line is the app's secret")
    oauth_refresh_token: SecretStr = SecretStr("")
    oauth_refresh_token_file: Path | None = Field(
        default=None, description="file whose first line is the refresh token; a new one is written back"
    )
    oauth_service_account_file: Path | None = Field(
        default=None, description="Google: the JSON key of a service account that may act for username"
    )
    oauth_token_url: str = Field(default="", description="where tokens are asked for; default: the provider's")
    oauth_scope: str = Field(default="", description="what is asked for; default: the provider's for this protocol")

    @model_validator(mode="after")
    def _oauth_fits_together(self) -> "_Server":
        if mistake := _oauth_mistake(self):
            raise ValueError(mistake)
        return self

    @model_validator(mode="after")
    def _one_password(self) -> "_Server":
        if self.password_file is not None and self.password.get_secret_value():
            raise ValueError("give password or password_file, not both")
        return self

    @model_validator(mode="after")
    def _no_clear_text_outside(self) -> "_Server":
        if self.security == "none" and self.host not in _LOOPBACK:
            raise ValueError(
                f'security = "none" would send passwords in clear text to {self.host}; use tls or starttls'
            )
        return self

    def credential(self, name: str) -> Credential | None:
        """What logs in here and when it ends; None where nobody said when."""
        if self.login_expires is None:
            return None
        ends_at = datetime.combine(self.login_expires, time(), UTC)
        return Credential(
            f"the login of {name}",
            ends_at,
            f"make a new one, put it into {name}, write its last day into {name} login_expires, restart the workers",
        )

    def secret(self) -> str:
        """The password. Raises SettingsError if its file cannot be read."""
        return _first_line("password_file", self.password_file) or self.password.get_secret_value()

    def oauth_secret(self) -> str:
        """The app's secret, '' if it has none. Raises SettingsError if its file cannot be read."""
        found = _first_line("oauth_client_secret_file", self.oauth_client_secret_file)
        return found or self.oauth_client_secret.get_secret_value()


def _first_line(key: str, path: Path | None) -> str:
    """Of a file with a secret; '' without a file. Raises SettingsError."""
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    except OSError as error:
        raise SettingsError(f"{key} {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        # from None: the exception holds the octets of the file
        raise SettingsError(f"{key} {path}: is not UTF-8 text") from None


def _oauth_mistake(server: _Server) -> str:
    """What does not fit together in the keys for OAuth2, with what to change; '' if all does."""
    given = [key for key in type(server).model_fields if key.startswith("oauth_") and _is_given(getattr(server, key))]
    if server.auth == "password":
        return f'{given[0]} counts only with auth = "oauth2": set that, or take {given[0]} away' if given else ""
    secrets = [key for key in given if key.startswith("oauth_client_secret")]
    refresh_tokens = [key for key in given if key.startswith("oauth_refresh_token")]
    has_account = "oauth_service_account_file" in given
    provider, url = server.oauth_provider, server.oauth_token_url
    wrong = (
        (
            _is_given(server.password) or server.password_file is not None,
            'auth = "oauth2" takes no password: take password and password_file away, or set auth = "password"',
        ),
        (not server.username, 'auth = "oauth2" needs username, the mailbox that the tokens are for'),
        (not server.username.isprintable(), "username holds a character that cannot be printed"),
        (not provider and not url, 'auth = "oauth2" needs oauth_provider ("google" or "microsoft") or oauth_token_url'),
        (bool(url) and not _is_safe(url), "oauth_token_url must be an https:// address without a user in it"),
        (
            provider == "microsoft" and not server.oauth_tenant and not url,
            'oauth_provider = "microsoft" needs oauth_tenant, the directory (tenant) id of the app',
        ),
        (len(secrets) > 1, "give oauth_client_secret or oauth_client_secret_file, not both"),
        (len(refresh_tokens) > 1, "give oauth_refresh_token or oauth_refresh_token_file, not both"),
        (has_account and bool(refresh_tokens), "give a refresh token or oauth_service_account_file, not both"),
        (
            has_account and provider == "microsoft",
            "oauth_service_account_file is Google's: for Microsoft give oauth_client_secret_file",
        ),
        (not has_account and not server.oauth_client_id, 'auth = "oauth2" needs oauth_client_id, the id of the app'),
        (
            not has_account and not refresh_tokens and provider == "google",
            "Google gives an app alone no mailbox: give oauth_refresh_token_file or oauth_service_account_file",
        ),
        (
            not has_account and not refresh_tokens and not secrets,
            "give a way to tokens: oauth_client_secret_file, oauth_refresh_token_file or oauth_service_account_file",
        ),
    )
    return next((sentence for is_wrong, sentence in wrong if is_wrong), "")


def _is_given(value: object) -> bool:
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _is_safe(url: str) -> bool:
    """Whether secrets may be posted to it: TLS, or this machine."""
    parts = urlsplit(url)
    is_loopback = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return (parts.scheme == "https" or is_loopback) and bool(parts.hostname) and parts.username is None


class ImapSettings(_Server):
    port: int = Field(default=993, ge=1, le=65535)
    mailbox: str = Field(default="INBOX", description="the mailbox that is read")
    processed: str = Field(default="Processed", description="where dealt-with mail is moved")
    failed: str = Field(default="Failed", description="where mail that could not be read is moved")
    sent: str = Field(
        default="",
        description="the account's folder of sent mail, where copies of uncertain answers are looked for; default: the "
        "one that the server marks as such (RFC 6154)",
    )
    poll_seconds: int = Field(default=180, ge=1, le=1740, description="look again after this, whatever IDLE says")
    max_size_mib: int = Field(
        default=150, ge=1, le=1000, description="of a larger mail only the first MiB is fetched, and a person gets it"
    )


class SmtpSettings(_Server):
    port: int = Field(default=465, ge=1, le=65535)
    reverse_path: str = Field(
        default="", description="envelope sender of answers, where bounces go; default: the desk's first address"
    )
    local_hostname: str = Field(default="", description="name for EHLO; default: the desk's domain")
    bcc: AddressOrEmpty = Field(
        default="",
        description="gets a blind copy of each answer; an address that comes back into the desk's mailbox proves "
        "that an uncertain answer was sent",
    )
    max_per_minute: int = Field(default=60, ge=1, description="at most so many answers are handed in, by all workers")


class StoreSettings(_Section):
    url: str = Field(default="sqlite:///mailflow.sqlite3", description="sqlite:///file or postgresql+psycopg://...")
    encryption_key_file: Path | None = Field(
        default=None,
        description="file with the keys that raw mail is sealed with at rest, one a line in base64, the one in use "
        "first; `openssl rand -base64 32` makes one",
    )
    encryption_key: SecretStr = Field(default=SecretStr(""), description="the key itself, in place of a file")

    @model_validator(mode="after")
    def _one_way_to_keys(self) -> "StoreSettings":
        if self.encryption_key_file is not None and self.encryption_key.get_secret_value():
            raise ValueError("give encryption_key or encryption_key_file, not both")
        return self

    def encryption_keys(self) -> tuple[str, str] | None:
        """(the keys as they are written, where); None without. Raises SettingsError if their file cannot be read."""
        if self.encryption_key_file is None:
            text = self.encryption_key.get_secret_value()
            return (text, "[store] encryption_key") if text else None
        where = f"[store] encryption_key_file {self.encryption_key_file}"
        try:
            return self.encryption_key_file.read_text(encoding="ascii"), where
        except OSError as error:
            raise SettingsError(f"{where}: {error.strerror}") from error
        except UnicodeDecodeError:
            # from None: the exception holds the octets of the file
            raise SettingsError(f"{where}: is not a file of keys in base64") from None


class WebSettings(_Section):
    host: str = Field(default="127.0.0.1", description="where the review desk listens")
    port: int = Field(default=8025, ge=1, le=65535)
    origin: str = Field(
        default="", description="where browsers reach it, as https://desk.example behind a proxy with TLS"
    )

    @field_validator("origin")
    @classmethod
    def _is_origin_or_empty(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (
            parts.scheme not in ("http", "https") or not parts.netloc or value != f"{parts.scheme}://{parts.netloc}"
        ):
            raise ValueError(f"{value!r} is no origin; write https://desk.example, without a path")
        return value

    proxies: tuple[str, ...] = Field(
        default=("127.0.0.1", "::1"),
        description="addresses of your proxies, whose X-Forwarded-For says who asks; who guesses passwords must wait",
    )
    oidc_issuer: str = Field(
        default="", description="an issuer of OpenID Connect, as https://login.example, where people may sign in"
    )
    oidc_name: str = Field(default="", max_length=60, description="how the button calls it; default: its host")
    oidc_client_id: str = Field(default="", description="what the issuer knows the desk by")
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_client_secret_file: Path | None = Field(default=None, description="file whose first line is the secret")
    oidc_domains: LowerCased = Field(
        default=(), description="whose mail addresses are let in; an account is named by the address"
    )
    oidc_role: Literal["", "viewer", "specialist", "lead"] = Field(
        default="", description="of accounts that are made at the first sign-in; empty: accounts are made by an admin"
    )

    @model_validator(mode="after")
    def _oidc_fits_together(self) -> "WebSettings":
        if mistake := _oidc_mistake(self):
            raise ValueError(mistake)
        return self

    def oidc_secret(self) -> str:
        """'' for a client without one. Raises SettingsError if its file cannot be read."""
        found = _first_line("oidc_client_secret_file", self.oidc_client_secret_file)
        return found or self.oidc_client_secret.get_secret_value()


def _oidc_mistake(web: WebSettings) -> str:
    """What does not fit together in the keys of OpenID Connect, with what to change; '' if all does."""
    given = [key for key in WebSettings.model_fields if key.startswith("oidc_") and _is_given(getattr(web, key))]
    if not web.oidc_issuer:
        return f"{given[0]} counts only with oidc_issuer: set that, or take {given[0]} away" if given else ""
    wrong = (
        (not _is_safe(web.oidc_issuer), "oidc_issuer must be an https:// address without a user in it"),
        (not web.oidc_client_id, "oidc_issuer needs oidc_client_id, what it knows the desk by"),
        (not web.oidc_domains, "oidc_issuer needs oidc_domains, whose mail addresses are let in"),
        (not web.origin, "oidc_issuer needs origin, where it sends browsers back to"),
        (
            "oidc_client_secret" in given and "oidc_client_secret_file" in given,
            "give oidc_client_secret or oidc_client_secret_file, not both",
        ),
    )
    return next((sentence for is_wrong, sentence in wrong if is_wrong), "")


class HookSettings(_Section):
    """Another system that hears of what happens to threads."""

    kind: Literal["webhook", "gitlab", "slack"] = Field(default="webhook", description="what it is")
    url: str = Field(
        default="", description="of a webhook: where it is called; of GitLab: https://gitlab.example; of Slack: none"
    )
    secret_file: Path | None = Field(
        default=None,
        description="file whose first line signs the calls of a webhook, or is GitLab's token, or Slack's address",
    )
    secret: SecretStr = Field(default=SecretStr(""), description="the secret itself, in place of a file")
    project: str = Field(default="", description="GitLab: group/project, where the issues are made")
    events: tuple[HookEvent, ...] = Field(
        default=tuple(HookEvent), min_length=1, description="of what it hears: held, answered, escalated"
    )
    allow_private: bool = Field(default=False, description="it may be in a private network, and be called without TLS")

    @model_validator(mode="after")
    def _fits_together(self) -> "HookSettings":
        if mistake := _hook_mistake(self):
            raise ValueError(mistake)
        return self

    def opened(self) -> str:
        """Its secret. Raises SettingsError if the file cannot be read, or there is nothing in it."""
        found = _first_line("secret_file", self.secret_file) or self.secret.get_secret_value()
        if len(found) < _SHORTEST_SECRET:
            raise SettingsError(f"secret_file: a secret has at least {_SHORTEST_SECRET} characters")
        if self.kind == "slack" and (mistake := _address_mistake("Slack's address", found, self.allow_private)):
            raise SettingsError(f"secret_file: {mistake}")
        return found


_SHORTEST_SECRET = 16


def _hook_mistake(hook: HookSettings) -> str:
    """What does not fit together, with what to change; '' if all does."""
    is_slack, is_gitlab = hook.kind == "slack", hook.kind == "gitlab"
    wrong = (
        (hook.secret_file is not None and _is_given(hook.secret), "give secret or secret_file, not both"),
        (
            hook.secret_file is None and not _is_given(hook.secret),
            "secret_file is not set; without it nothing is called",
        ),
        (is_slack and bool(hook.url), "Slack's address is its secret: put it into secret_file, and take url away"),
        (is_gitlab and not hook.project, "project is not set: group/project, where the issues are made"),
        (bool(hook.project) and not is_gitlab, 'project counts only with kind = "gitlab"'),
    )
    found = next((sentence for is_wrong, sentence in wrong if is_wrong), "")
    return found or ("" if is_slack else _address_mistake("url", hook.url, hook.allow_private))


def _address_mistake(what: str, url: str, allow_private: bool) -> str:
    """Names no address: that of Slack is a secret."""
    schemes = ("https", "http") if allow_private else ("https",)
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and parts.username is None
    except ValueError:
        is_right = False
    if is_right and url.isascii() and url.isprintable() and " " not in url:
        return ""
    return f"{what} is an https:// address in ASCII, without a user in it"


class LogSettings(_Section):
    format: Literal["json", "console"] = Field(default="json", description="json: for machines; console: for people")
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="what is logged at least")


class MetricsSettings(_Section):
    host: str = Field(
        default="127.0.0.1", description="where /metrics, /healthz and /readyz listen; they have no login"
    )
    port: int = Field(default=0, ge=0, le=65535, description="0: nothing listens")


class Settings(BaseSettings):
    """Everything an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix="MAILFLOW_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )
    desk: DeskSettings = DeskSettings()
    imap: ImapSettings = ImapSettings()
    mailboxes: dict[str, ImapSettings] = Field(
        default={}, description="more mailboxes of the same desk, each as [mailboxes.NAME] with the keys of [imap]"
    )
    smtp: SmtpSettings = SmtpSettings()
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()
    hooks: dict[str, HookSettings] = Field(
        default={}, description="other systems that hear of what happens, each as [hooks.NAME]; docs/configuration.md"
    )
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """The logins of which it is known when they end."""
        servers: dict[str, _Server] = {"[imap]": self.imap, "[smtp]": self.smtp}
        servers |= {f"[mailboxes.{name}]": one for name, one in self.mailboxes.items()}
        found = [server.credential(name) for name, server in servers.items()]
        return tuple(one for one in found if one is not None)

    @property
    def poll(self) -> timedelta:
        return timedelta(seconds=self.imap.poll_seconds)


def read_settings(path: Path | None) -> Settings:
    """The settings of `path` (a mailflow.toml) under the environment. Raises SettingsError.

    None: mailflow.toml of the working directory where there is one, else defaults and environment.
    """
    if path is not None and not path.is_file():
        raise SettingsError(f"{path} does not exist; `mailflow init` writes one")
    toml = path or Path("mailflow.toml")

    class FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return env_settings, TomlConfigSettingsSource(settings_cls, toml_file=toml)

    try:
        return FromFile()
    except ValidationError as error:
        raise SettingsError(_sentences(toml, error)) from None
    except ValueError as error:
        raise SettingsError(f"{toml}: {error}") from error


def _sentences(toml: Path, error: ValidationError) -> str:
    """One line a mistake: where it is and what to do. Values are left out, one of them may be a password."""
    lines = []
    for one in error.errors(include_input=False, include_url=False):
        section, *keys = (str(part) for part in one["loc"]) if one["loc"] else ("",)
        if section in ("mailboxes", "hooks") and keys:
            section, *keys = f"{section}.{keys[0]}", *keys[1:]
        where = f"[{section}] {'.'.join(keys)}".strip()
        what = "is not a setting; `mailflow init` shows all" if one["type"] == "extra_forbidden" else one["msg"]
        lines.append(f"{toml}: {where}: {what}")
    return "\n".join(lines)


def commented_toml() -> str:
    """A mailflow.toml with every setting, its default and what it is for; written by `mailflow init`."""
    sections = []
    for name, field in Settings.model_fields.items():
        model = field.default
        if isinstance(model, dict):
            sections.append(f"# [{name}.NAME]: {field.description}")
            continue
        lines = [f"[{name}]"]
        for key, info in type(model).model_fields.items():
            lines.append(f"# {info.description}" if info.description else "")
            lines.append(_toml_line(key, getattr(model, key)))
        sections.append("\n".join(line for line in lines if line))
    return _HEAD + "\n\n".join(sections) + "\n"


_HEAD = """\
# mailflow.toml: every setting with its default. A line that starts with # changes nothing.
# The environment wins: MAILFLOW_IMAP__PASSWORD for [imap] password.

"""
_ASKED = {"host", "username"}


def _toml_line(key: str, value: object) -> str:
    """`key = value`; commented out unless it must be filled in."""
    match value:
        case SecretStr() | None:
            return f'# {key} = ""'
        case tuple():
            return f"# {key} = [{', '.join(_quoted(str(one)) for one in value)}]"
        case bool():
            return f"# {key} = {str(value).lower()}"
        case int():
            return f"# {key} = {value}"
        case _:
            return (
                f"{key} = {_quoted(str(value))}" if key in _ASKED and not value else f"# {key} = {_quoted(str(value))}"
            )


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
