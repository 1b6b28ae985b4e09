"""A wrong setting stops the program at start with a sentence that says where it is; a secret is never printed."""

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from mailflow.errors import SettingsError
from mailflow.settings import ImapSettings, Settings, SmtpSettings, commented_toml, read_settings

SECRET = "hunter2-\u00fc-\u4e2d"
DEFAULTS = Settings.model_construct().model_dump()
PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No MAILFLOW_* of the machine, and a working directory without a mailflow.toml."""
    for name in [name for name in os.environ if name.upper().startswith("MAILFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield


def toml(text: str) -> Path:
    """A mailflow.toml in the working directory."""
    path = Path("mailflow.toml")
    path.write_text(text, encoding="utf-8")
    return path


def sentence_of(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings(toml(text))
    return str(caught.value)


# ------------------------------------------------------------------ wrong settings

WRONG: dict[str, tuple[str, tuple[str, ...]]] = {
    "unknown section": ("[imapp]\n", ("[imapp]", "is not a setting", "mailflow init")),
    "unknown key": ('[imap]\nhots = "x"\n', ("[imap] hots", "is not a setting")),
    "unknown key at the top": ('host = "x"\n', ("[host]", "is not a setting")),
    "no number": ('[imap]\nport = "many"\n', ("[imap] port", "integer")),
    "port too high": ("[smtp]\nport = 65536\n", ("[smtp] port", "65535")),
    "port zero": ("[imap]\nport = 0\n", ("[imap] port", "1")),
    "web port": ("[web]\nport = 0\n", ("[web] port",)),
    "unknown security": ('[imap]\nsecurity = "ssl"\n', ("[imap] security", "'tls', 'starttls' or 'none'")),
    "no address": ('[desk]\naddresses = ["support"]\n', ("[desk] addresses", "'support' is not a mail address")),
    "no addresses": ("[desk]\naddresses = []\n", ("[desk] addresses", "at least 1 item")),
    "two signs": ('[desk]\naddresses = ["a@b@c.example"]\n', ("[desk] addresses", "is not a mail address")),
    "addresses as text": ('[desk]\naddresses = "a@b.example"\n', ("[desk] addresses", "tuple")),
    "bcc with a name": ('[smtp]\nbcc = "Ann <a@b.example>"\n', ("[smtp] bcc", "is not a mail address")),
    "digest to two": ('[desk]\ndigest_to = "a@b.example, c@d.example"\n', ("[desk] digest_to", "not a mail")),
    "digest hour": ("[desk]\ndigest_hour = 24\n", ("[desk] digest_hour", "23")),
    "undo for days": ("[desk]\nundo_seconds = 86400\n", ("[desk] undo_seconds", "3600")),
    "no answers a minute": ("[smtp]\nmax_per_minute = 0\n", ("[smtp] max_per_minute", "1")),
    "unknown key of a mailbox": ('[mailboxes.sales]\nhots = "x"\n', ("[mailboxes.sales] hots", "is not a setting")),
    "clear text of a mailbox": (
        '[mailboxes.sales]\nhost = "imap.b.example"\nsecurity = "none"\n',
        ("[mailboxes.sales]", "clear text"),
    ),
    "poll too long": ("[imap]\npoll_seconds = 1741\n", ("[imap] poll_seconds", "1740")),
    "poll zero": ("[imap]\npoll_seconds = 0\n", ("[imap] poll_seconds", "1")),
    "two passwords": (
        f'[imap]\npassword = "{SECRET}"\npassword_file = "x"\n',
        ("[imap]", "password or password_file, not both"),
    ),
    "clear text": (
        '[smtp]\nhost = "mail.example"\nsecurity = "none"\n',
        ("[smtp]", "clear text to mail.example", "tls or starttls"),
    ),
    "an issuer in clear text": (
        '[web]\noidc_issuer = "http://a.example"\n',
        ("[web]", "oidc_issuer must be an https://"),
    ),
    "an issuer of which we are no client": (
        '[web]\noidc_issuer = "https://a.example"\n',
        ("[web]", "oidc_issuer needs oidc_client_id"),
    ),
    "an issuer that lets everybody in": (
        '[web]\norigin = "https://b.example"\noidc_issuer = "https://a.example"\noidc_client_id = "x"\n',
        ("[web]", "oidc_issuer needs oidc_domains"),
    ),
    "an issuer that does not know the way back": (
        '[web]\noidc_issuer = "https://a.example"\noidc_client_id = "x"\noidc_domains = ["b.example"]\n',
        ("[web]", "oidc_issuer needs origin"),
    ),
    "half of a sign-in elsewhere": ('[web]\noidc_client_id = "x"\n', ("[web]", "counts only with oidc_issuer")),
    "an admin by sign-in elsewhere": ('[web]\noidc_role = "admin"\n', ("[web] oidc_role", "'specialist' or 'lead'")),
    "two secrets of an issuer": (
        '[web]\norigin = "https://b.example"\noidc_issuer = "https://a.example"\noidc_client_id = "x"\n'
        f'oidc_domains = ["b.example"]\noidc_client_secret = "{SECRET}"\noidc_client_secret_file = "x"\n',
        ("[web]", "oidc_client_secret or oidc_client_secret_file, not both"),
    ),
    "a hook without a secret": ('[hooks.crm]\nurl = "https://a.example/"\n', ("[hooks.crm]", "secret_file is not set")),
    "a hook with two secrets": (
        f'[hooks.crm]\nurl = "https://a.example/"\nsecret = "{SECRET}"\nsecret_file = "x"\n',
        ("[hooks.crm]", "secret or secret_file, not both"),
    ),
    "a hook in clear text": (
        '[hooks.crm]\nurl = "http://a.example/"\nsecret_file = "x"\n',
        ("[hooks.crm]", "https:// address"),
    ),
    "a hook with a user": ('[hooks.crm]\nurl = "https://a:b@c.example/"\nsecret_file = "x"\n', ("without a user",)),
    "a hook without an address": ('[hooks.crm]\nsecret_file = "x"\n', ("[hooks.crm]", "url is an https://")),
    "a hook at no address": ('[hooks.crm]\nurl = "https://[/"\nsecret_file = "x"\n', ("[hooks.crm]", "https://")),
    "a hook with an unknown event": (
        '[hooks.crm]\nurl = "https://a.example/"\nsecret_file = "x"\nevents = ["seen"]\n',
        ("[hooks.crm] events", "'held', 'answered' or 'escalated'"),
    ),
    "issues in no project": (
        '[hooks.crm]\nkind = "gitlab"\nurl = "https://a.example/"\nsecret_file = "x"\n',
        ("[hooks.crm]", "project is not set"),
    ),
    "the address of Slack in the open": (
        '[hooks.chat]\nkind = "slack"\nurl = "https://hooks.example/x"\nsecret_file = "x"\n',
        ("[hooks.chat]", "put it into secret_file"),
    ),
    "no table": ('imap = "mail.example"\n', ("[imap]",)),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_setting_is_named_with_file_section_and_key(what: str) -> None:
    text, parts = WRONG[what]
    sentence = sentence_of(text)
    assert "mailflow.toml" in sentence
    for part in parts:
        assert part in sentence


def test_every_mistake_has_a_line() -> None:
    sentence = sentence_of('[imap]\nport = 0\nhots = "x"\n[smtp]\nport = 0\n')
    assert [line.split(": ")[1] for line in sentence.splitlines()] == ["[imap] port", "[imap] hots", "[smtp] port"]


def test_what_is_no_toml_is_said_to_be_so() -> None:
    assert "mailflow.toml: " in sentence_of("[imap\n")


def test_a_file_that_was_named_must_be_there() -> None:
    with pytest.raises(SettingsError, match=r"nothing\.toml does not exist; `mailflow init` writes one"):
        read_settings(Path("nothing.toml"))


def test_without_a_file_the_defaults_hold() -> None:
    assert read_settings(None).model_dump() == DEFAULTS


def test_the_file_of_the_working_directory_is_read() -> None:
    toml('[imap]\nhost = "mail.example"\n')
    assert read_settings(None).imap.host == "mail.example"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_clear_text_is_for_loopback_only(host: str) -> None:
    settings = read_settings(toml(f'[imap]\nhost = "{host}"\nsecurity = "none"\n'))
    assert settings.imap.security == "none"


@pytest.mark.parametrize("host", ["localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "LOCALHOST.example"])
@pytest.mark.parametrize("section", ["imap", "smtp"])
def test_no_other_host_gets_a_password_in_clear_text(section: str, host: str) -> None:
    assert "clear text" in sentence_of(f'[{section}]\nhost = "{host}"\nsecurity = "none"\n')


def test_addresses_and_domains_compare_in_lower_case() -> None:
    settings = read_settings(toml('[desk]\naddresses = [" Help@Desk.Example "]\nown_domains = ["DESK.example"]\n'))
    assert settings.desk.addresses == ("help@desk.example",)
    assert settings.desk.own_domains == ("desk.example",)


# ------------------------------------------------------------------ secrets


@pytest.mark.parametrize("section", ["imap", "smtp"])
def test_a_secret_is_read_and_never_shown(section: str) -> None:
    settings = read_settings(toml(f'[{section}]\npassword = "{SECRET}"\n'))
    server: ImapSettings | SmtpSettings = getattr(settings, section)
    assert server.secret() == SECRET
    for shown in (repr(settings), str(settings), repr(server), str(server), server.model_dump_json(), f"{server!r}"):
        assert SECRET not in shown


@pytest.mark.parametrize(
    "mistake",
    [
        'password = "{}"\nport = 0\n',
        'password = "{}"\npassword_file = "x"\n',
        'password = "{}"\nsecurity = "none"\nhost = "mail.example"\n',
        'password = ["{}"]\n',
        'passwort = "{}"\n',
        'port = "{}"\n',
        'security = "{}"\n',
        'username = ["{}"]\n',
    ],
)
def test_a_mistake_beside_a_secret_or_in_it_does_not_show_it(mistake: str) -> None:
    """Not in the sentence, and not in the chain of exceptions that a traceback would print."""
    with pytest.raises(SettingsError) as caught:
        read_settings(toml("[imap]\n" + mistake.format(SECRET)))
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_a_secret_in_the_environment_is_not_shown_when_it_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFLOW_IMAP__PASSWORD", SECRET)
    monkeypatch.setenv("MAILFLOW_IMAP__PORT", SECRET)
    with pytest.raises(SettingsError) as caught:
        read_settings(None)
    assert "[imap] port" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_broken_toml_does_not_show_its_lines() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(toml(f'[imap]\npassword = "{SECRET}" oops\n'))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("content", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n", f"{SECRET}\nsecond line\n"])
def test_the_password_is_the_first_line_of_its_file(content: str) -> None:
    Path("secret").write_bytes(content.encode())
    settings = read_settings(toml('[imap]\npassword_file = "secret"\n'))
    assert settings.imap.secret() == SECRET


def test_a_password_keeps_its_blanks() -> None:
    Path("secret").write_text("  two blanks  \n", encoding="utf-8")
    assert read_settings(toml('[imap]\npassword_file = "secret"\n')).imap.secret() == "  two blanks  "


def test_a_password_file_that_is_not_there_is_named() -> None:
    settings = read_settings(toml('[smtp]\npassword_file = "nowhere"\n'))
    with pytest.raises(SettingsError, match="password_file nowhere: No such file"):
        settings.smtp.secret()


def test_a_password_file_that_is_not_utf_8_is_named_and_not_shown() -> None:
    """The exception of decoding holds the octets of the file, so it must not be the cause."""
    Path("secret").write_bytes(b"\xff\xfe\x00")
    settings = read_settings(toml('[smtp]\npassword_file = "secret"\n'))
    with pytest.raises(SettingsError, match="password_file secret") as caught:
        settings.smtp.secret()
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# ------------------------------------------------------------------ the environment


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    path = toml('[imap]\nhost = "file.example"\nport = 1143\n')
    monkeypatch.setenv("MAILFLOW_IMAP__HOST", "environment.example")
    settings = read_settings(path)
    assert (settings.imap.host, settings.imap.port) == ("environment.example", 1143)


def test_a_list_in_the_environment_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFLOW_DESK__ADDRESSES", json.dumps(["a@desk.example", "b@desk.example"]))
    assert read_settings(None).desk.addresses == ("a@desk.example", "b@desk.example")


def test_a_list_in_the_environment_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFLOW_DESK__ADDRESSES", "a@desk.example")
    with pytest.raises(SettingsError, match="desk"):
        read_settings(None)


def test_a_foreign_variable_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAP__HOST", "x")
    monkeypatch.setenv("HOST", "x")
    assert read_settings(None).model_dump() == DEFAULTS


def test_a_desk_may_have_more_than_one_mailbox() -> None:
    found = read_settings(toml('[imap]\nusername = "a"\n[mailboxes.sales]\nusername = "b"\nmailbox = "Sales"\n'))
    assert (found.imap.username, list(found.mailboxes)) == ("a", ["sales"])
    sales = found.mailboxes["sales"]
    assert (sales.username, sales.mailbox, sales.port) == ("b", "Sales", 993)


# ------------------------------------------------------------------ mailflow init


def all_settings() -> list[tuple[str, str]]:
    return [
        (section, key)
        for section, field in Settings.model_fields.items()
        if isinstance(field.default, BaseModel)
        for key in type(field.default).model_fields
    ]


def test_the_commented_file_gives_the_defaults() -> None:
    assert tomllib.loads(commented_toml())
    assert read_settings(toml(commented_toml())).model_dump() == DEFAULTS


def test_the_commented_file_shows_every_setting_under_its_section() -> None:
    shown: list[tuple[str, str]] = []
    section = ""
    for line in commented_toml().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line:
            shown.append((section, line.removeprefix("# ").partition(" = ")[0]))
    assert [one for one in shown if one[0]] == all_settings()


def test_every_line_of_the_commented_file_is_right_once_it_is_uncommented() -> None:
    """An operator takes the # away and changes nothing: still the defaults, but for the passwords' empty paths."""
    lines = []
    for line in commented_toml().splitlines():
        bare = line.removeprefix("# ")
        is_setting = bare != line and " = " in bare and bare.partition(" = ")[0].isidentifier()
        lines.append(bare if is_setting and not bare.endswith(' = ""') else line)
    assert read_settings(toml("\n".join(lines))).model_dump() == DEFAULTS


@pytest.mark.parametrize(("section", "key"), all_settings())
def test_every_setting_is_documented(section: str, key: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    _, found, rest = page.partition(f"\n## `[{section}]`")
    assert found, f"{PAGE.name} has no section [{section}]"
    part = rest.split("\n## ")[0]
    assert f"| `{key}` |" in part, f"{PAGE.name} says nothing of [{section}] {key}"
    assert f"`MAILFLOW_{section.upper()}__{key.upper()}`" in part


def test_the_two_servers_have_the_same_keys() -> None:
    """What an operator learns of one holds for the other."""
    common = {"host", "port", "security", "username", "password", "password_file", "ca_file"}
    assert common <= set(ImapSettings.model_fields) & set(SmtpSettings.model_fields)
    assert get_args(ImapSettings.model_fields["security"].annotation) == ("tls", "starttls", "none")


# ------------------------------------------------------------------ other systems


def test_there_are_no_other_systems_as_it_comes() -> None:
    assert read_settings(None).hooks == {}


def test_the_secret_of_another_system_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "crm").write_text("sixteen letters and more\nnot this\n", encoding="utf-8")
    found = read_settings(toml('[hooks.crm]\nurl = "https://a.example/"\nsecret_file = "crm"\n'))
    assert found.hooks["crm"].opened() == "sixteen letters and more"


@pytest.mark.parametrize(
    ("kind", "secret", "sentence"),
    [
        ('url = "https://a.example/"', "short", "at least 16 characters"),
        ('kind = "slack"', "not an address of Slack", "Slack's address is an https:// address"),
        ('kind = "slack"', "https://[and this is none", "Slack's address is an https:// address"),
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_shown(kind: str, secret: str, sentence: str) -> None:
    found = read_settings(toml(f'[hooks.crm]\n{kind}\nsecret = "{secret}"\n'))
    assert secret not in repr(found)
    with pytest.raises(SettingsError) as caught:
        found.hooks["crm"].opened()
    assert sentence in str(caught.value)
    assert secret not in str(caught.value)
