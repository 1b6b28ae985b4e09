"""The log: one event a line, no address, no body, nothing that forges a line; libraries speak through the same pipe."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from enum import IntEnum, StrEnum
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from mailflow.logs import (
    BODIES,
    LONGEST,
    LONGEST_TRACEBACK,
    QUIET,
    Form,
    Level,
    configure,
    pseudonym,
    without_addresses,
)

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
ANN = "ann@partner.example"
LOCAL = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="<>()[]{},;:\"'\\@|`%"), min_size=1
)


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """The root logger, the levels of the libraries and structlog as they were before."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


def written(say: Callable[[], object], form: Form = "json", level: Level = "info", key: bytes = KEY) -> str:
    stream = io.StringIO()
    configure(form, level, key, stream)
    say()
    return stream.getvalue()


def line_of(say: Callable[[], object], **how: Any) -> dict[str, Any]:
    """The one JSON line that `say` makes."""
    text = written(say, **how)
    assert text.count("\n") == 1 and text.endswith("\n"), text
    line: dict[str, Any] = json.loads(text)
    return line


def log(event: str, **values: object) -> Callable[[], object]:
    return lambda: structlog.get_logger("mailflow.tests").info(event, **values)


# ------------------------------------------------------------------ the form


def test_an_event_is_one_json_line_with_time_level_event_and_logger_first() -> None:
    line = line_of(log("decided", mails=3, failed=0))
    assert list(line) == ["at", "level", "event", "logger", "mails", "failed"]
    assert line["at"].endswith("Z")
    assert (line["level"], line["event"], line["logger"], line["mails"]) == ("info", "decided", "mailflow.tests", 3)


def test_for_people_it_is_one_line_without_colours_where_no_terminal_is() -> None:
    text = written(log("decided", mails=3, to=ANN), form="console")
    assert text.count("\n") == 1 and "\x1b" not in text
    assert "decided" in text and "mails=3" in text and f"to={pseudonym(ANN, KEY)}" in text


def test_libraries_speak_through_the_same_pipe() -> None:
    line = line_of(lambda: logging.getLogger("alembic").warning("upgrade of %s for %s", 5, ANN))
    assert line["event"] == f"upgrade of 5 for {pseudonym(ANN, KEY)}"
    assert (line["level"], line["logger"]) == ("warning", "alembic")


@pytest.mark.parametrize("name", QUIET)
def test_a_library_that_would_log_mail_is_not_heard_at_debug(name: str) -> None:
    assert written(lambda: logging.getLogger(name).debug("BODY[]"), level="debug") == ""


def test_the_level_holds_for_our_own_lines_and_for_libraries() -> None:
    def say() -> None:
        structlog.get_logger().info("quiet")
        logging.getLogger("alembic").info("quiet")
        structlog.get_logger().error("loud")

    assert json.loads(written(say, level="error"))["event"] == "loud"


def test_a_logger_made_before_the_configuration_follows_it() -> None:
    early = structlog.get_logger("early")
    assert line_of(lambda: early.info("found"))["event"] == "found"


def test_the_last_configuration_holds_and_no_line_comes_twice() -> None:
    first = io.StringIO()
    configure("json", "info", KEY, first)
    line = line_of(log("found", to=ANN), key=OTHER_KEY)
    assert first.getvalue() == "" and line["to"] == pseudonym(ANN, OTHER_KEY)


def test_without_a_stream_it_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info", KEY)
    log("found")()
    captured = capsys.readouterr()
    assert captured.out == "" and json.loads(captured.err)["event"] == "found"


def test_what_a_thread_is_about_is_in_each_of_its_lines() -> None:
    with structlog.contextvars.bound_contextvars(loop="fetch"):
        assert line_of(log("found"))["loop"] == "fetch"


def test_words_with_places_are_filled_in() -> None:
    assert line_of(lambda: structlog.get_logger().info("found %d of %s", 3, ANN))["event"] == (
        f"found 3 of {pseudonym(ANN, KEY)}"
    )


# ------------------------------------------------------------------ addresses


def test_the_same_address_has_the_same_hash_and_another_key_gives_another() -> None:
    assert pseudonym(ANN, KEY) == pseudonym("Ann@Partner.Example ", KEY) == pseudonym("ann%40partner.example", KEY)
    assert len({pseudonym(ANN, KEY), pseudonym(ANN, OTHER_KEY), pseudonym("bob@partner.example", KEY)}) == 3


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (ANN, "{}"),
        (f"<{ANN}>", "<{}>"),
        (f"to {ANN}, {ANN}; {ANN}.", "to {}, {}; {}."),
        (f"b'{ANN}'", "b'{}'"),
        (f'"{ANN}"', '"{}"'),
        (f"mailto:{ANN}?subject=x", "mailto:{}?subject=x"),
        ("ann%40partner.example is gone", "{} is gone"),
        (f"Ann <{ANN.upper()}> wrote", "Ann <{}> wrote"),
        (f"[{ANN}]({ANN})", "[{}]({})"),
        (f"550 5.1.1 <{ANN}>: unknown", "550 5.1.1 <{}>: unknown"),
    ],
)
def test_an_address_is_replaced_wherever_it_stands(text: str, left: str) -> None:
    assert without_addresses(text, KEY) == left.replace("{}", pseudonym(ANN, KEY))


@pytest.mark.parametrize(
    "address",
    [
        "o'neil@partner.example",
        "d'arc+tag@partner.example",
        '"ann smith"@partner.example',
        '"a\\"b c"@partner.example',
        "bounce+ann=partner.example@list.example",
        "ann@[192.0.2.1]",
        "ann@[IPv6:2001:db8::1]",
        "\u7528\u6237@\u4f8b\u5b50.example",
        "j\u00f6rg@b\u00fccher.example",
        "a@b",
        "support@helpdesk.example@mail.helpdesk.example",
        "mf.7.abcdefghijklmnop.0123@helpdesk.example",
    ],
)
@pytest.mark.parametrize("around", ["{}", "<{}>", "refused {}: no such user", "('{}',)", "{}\n"])
def test_addresses_of_every_kind_are_replaced_as_a_whole(address: str, around: str) -> None:
    told = without_addresses(around.replace("{}", address), KEY)
    assert told == around.replace("{}", pseudonym(address, KEY))


@given(LOCAL, st.sampled_from(["{}", "<{}>", "to {} now", "to={} x", "{}, {}"]))
def test_no_local_part_is_left_of_any_address(local: str, around: str) -> None:
    told = without_addresses(around.replace("{}", f"{local}@partner.example"), KEY)
    assert "@" not in told and "partner.example" not in told


@given(st.text())
def test_a_text_without_an_address_sign_stays_as_it_is(text: str) -> None:
    text = text.replace("@", "").replace("%40", "")
    assert without_addresses(text, KEY) == text


def test_a_login_in_a_url_goes_and_its_host_stays() -> None:
    text = "cannot open postgresql+psycopg://mailflow:hun,ter2@db.example:5432/desk"
    assert without_addresses(text, KEY) == "cannot open postgresql+psycopg://db.example:5432/desk"


@pytest.mark.parametrize("nasty", ["a'" * 50_000, "a" * 100_000, '"' * 100_000, "a@" * 50_000, "a.%" * 30_000])
def test_a_long_text_costs_no_more_than_its_length(nasty: str) -> None:
    """Each took hours with a pattern that starts anew at every letter."""
    assert without_addresses(f"{nasty} {ANN}", KEY).endswith(f" {pseudonym(ANN, KEY)}")


def test_addresses_are_replaced_in_keys_lists_mappings_and_exceptions() -> None:
    class Recipient:
        def __str__(self) -> str:
            return f"<{ANN}>"

    hashed = pseudonym(ANN, KEY)
    line = line_of(
        log(
            "found",
            many=(ANN, {"to": ANN, ANN: 1}),
            error=ValueError(f"no {ANN}"),
            thing=Recipient(),
            **{ANN: "key"},
        )
    )
    assert line["many"] == [hashed, {"to": hashed, hashed: 1}]
    assert (line["error"], line["thing"], line[hashed]) == (f"no {hashed}", f"<{hashed}>", "key")
    assert ANN not in json.dumps(line)


# ------------------------------------------------------------------ bodies and other values


@pytest.mark.parametrize("key", sorted(BODIES))
def test_what_stands_under_the_name_of_a_body_is_cut(key: str) -> None:
    def say() -> None:
        structlog.get_logger().info("found", **{key: "secret words"}, deep=[{key.upper(): "secret words"}])

    text = written(say)
    assert "secret words" not in text and f'"{key}": "[cut: str of 12]"' in text


def test_octets_are_never_told_and_what_is_long_is_cut() -> None:
    line = line_of(log("found", raw_mail=b"From: x", view=memoryview(b"abc"), error="x" * 5000))
    assert (line["raw_mail"], line["view"]) == ("[cut: bytes of 7]", "[cut: memoryview of 3]")
    assert line["error"] == "x" * LONGEST + " [5000 characters]"


def test_an_address_across_the_cut_is_replaced_all_the_same() -> None:
    line = line_of(log("found", error="x" * (LONGEST - 5) + " " + ANN))
    assert "ann" not in line["error"]


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


def test_numbers_truth_and_names_of_states_stay_what_they_are() -> None:
    line = line_of(log("found", n=1, x=0.5, yes=True, none=None, colour=Colour.RED, size=Size.BIG, some={3}))
    assert {key: line[key] for key in ("n", "x", "yes", "none", "colour", "size", "some")} == {
        "n": 1, "x": 0.5, "yes": True, "none": None, "colour": "red", "size": 3, "some": [3],
    }  # fmt: skip


# ------------------------------------------------------------------ forging, tracebacks


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_value_can_forge_a_line_or_drive_a_terminal(form: Form) -> None:
    hostile = "ok\r\n2026-01-01 [info] forged\x1b[2J\x9b31m\x07\u202e\u2028end"
    text = written(log(hostile, error=hostile, **{"k\ney": hostile}), form=form)
    assert text.count("\n") == 1
    for control in ("\x1b", "\x9b", "\x07", "\u202e", "\u2028", "\r"):
        assert control not in text


def fail() -> None:
    secret = "local words"
    try:
        raise RuntimeError(f"first {ANN}\n2026-01-01 [info] forged\x1b[2J {len(secret)}")
    except RuntimeError:
        structlog.get_logger().exception("broken")
        logging.getLogger("alembic").exception("broken")


def test_a_traceback_is_told_without_addresses_and_without_the_values_of_variables() -> None:
    lines = [json.loads(line) for line in written(fail).splitlines()]
    assert len(lines) == 2
    for line in lines:
        assert f"RuntimeError: first {pseudonym(ANN, KEY)}" in line["exception"]
        assert line["event"] == "broken" and "\x1b" not in line["exception"] and ANN not in line["exception"]


def test_lines_of_a_traceback_cannot_be_taken_for_events() -> None:
    text = written(fail, form="console")
    assert "    2026-01-01 [info] forged" in text
    assert not any(line.startswith("2026-01-01") for line in text.splitlines())


def test_of_a_long_traceback_the_end_is_kept() -> None:
    def deep() -> None:
        try:
            raise RuntimeError("x\n" * LONGEST_TRACEBACK + "the end")
        except RuntimeError:
            structlog.get_logger().exception("broken")

    told = line_of(deep)["exception"]
    assert told.startswith("[...] ") and told.endswith("the end") and len(told) == LONGEST_TRACEBACK + len("[...] ")


def test_where_it_was_called_from_can_be_told() -> None:
    line = line_of(lambda: structlog.get_logger().info("found", stack_info=True))
    assert "test_logs" in line["stack"]
    assert sys.exc_info() == (None, None, None)
