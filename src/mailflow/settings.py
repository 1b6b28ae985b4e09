"""Settings: mailflow.toml, then MAILFLOW_* in the environment, which wins (MAILFLOW_IMAP__HOST for [imap] host).

Rule: read once, by bootstrap, and handed on as values.
Rule: a wrong setting fails at start with a sentence that says where and what to change; a secret is never printed.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

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

from mailflow.core.playbook import Rollout
from mailflow.errors import SettingsError

Security = Literal["tls", "starttls", "none"]
_LOOPBACK = ("", "localhost", "127.0.0.1", "::1")


def _lower(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value.strip().lower() for value in values)


LowerCased = Annotated[tuple[str, ...], AfterValidator(_lower)]


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

    def secret(self) -> str:
        """The password. Raises SettingsError if its file cannot be read."""
        if self.password_file is None:
            return self.password.get_secret_value()
        try:
            return self.password_file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
        except OSError as error:
            raise SettingsError(f"password_file {self.password_file}: {error.strerror}") from error
        except UnicodeDecodeError:
            # from None: the exception holds the octets of the file
            raise SettingsError(f"password_file {self.password_file}: is not UTF-8 text") from None


class ImapSettings(_Server):
    port: int = Field(default=993, ge=1, le=65535)
    mailbox: str = Field(default="INBOX", description="the mailbox that is read")
    processed: str = Field(default="Processed", description="where dealt-with mail is moved")
    failed: str = Field(default="Failed", description="where mail that could not be read is moved")
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


class StoreSettings(_Section):
    url: str = Field(default="sqlite:///mailflow.sqlite3", description="sqlite:///file or postgresql+psycopg://...")


class WebSettings(_Section):
    host: str = Field(default="127.0.0.1", description="where the review desk listens")
    port: int = Field(default=8025, ge=1, le=65535)


class Settings(BaseSettings):
    """Everything an operator can set."""

    model_config = SettingsConfigDict(
        env_prefix="MAILFLOW_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )
    desk: DeskSettings = DeskSettings()
    imap: ImapSettings = ImapSettings()
    smtp: SmtpSettings = SmtpSettings()
    store: StoreSettings = StoreSettings()
    web: WebSettings = WebSettings()

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
        where = f"[{section}] {'.'.join(keys)}".strip()
        what = "is not a setting; `mailflow init` shows all" if one["type"] == "extra_forbidden" else one["msg"]
        lines.append(f"{toml}: {where}: {what}")
    return "\n".join(lines)


def commented_toml() -> str:
    """A mailflow.toml with every setting, its default and what it is for; written by `mailflow init`."""
    sections = []
    for name, field in Settings.model_fields.items():
        model = field.default
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
