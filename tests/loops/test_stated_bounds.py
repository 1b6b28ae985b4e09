"""What docs/architecture.md says of loops is what the code keeps: its tables are made here, word for word."""

from collections.abc import Sequence
from pathlib import Path

from tests.loops.robots import NEVER, ONCE, ROBOTS, Robot
from tests.loops.simulation import COUNTED_BY, SHIPPED

from mailflow.core.loop_bound import DAY, ONE_ADDRESS, REACHES, SPANS, Reach, bounds_table, most_sends

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


def row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def told_bounds() -> str:
    """What the shipped budget is worth."""
    head = "Answers at most, in any", *SPANS
    rows = bounds_table(SHIPPED.defaults.send_budget)
    return "\n".join([row(head), "|---|" + "--:|" * len(SPANS), *map(row, rows)]) + "\n"


def in_words(robot: Robot) -> str:
    """How many of its mails are answered."""
    match robot.reach:
        case 0 | 1:
            return {NEVER: "none", ONCE: "one"}[robot.reach]
        case Reach(addresses=int() as addresses):
            return "as to an address" if addresses == 1 else f"as to {addresses} addresses"
        case Reach(domains=1):
            return "as to a domain"
        case _:
            return "as to anybody"


def robots_table() -> str:
    rows = [(f"`{one.name}`", one.does, one.stops, in_words(one)) for one in ROBOTS]
    head = "Robot", "What it does", "What stops it", "Answers to it"
    return "\n".join([row(head), "|---|---|---|---|", *map(row, rows)]) + "\n"


def test_the_bounds_are_told() -> None:
    assert list(COUNTED_BY) == list(REACHES)
    assert f"\n\n{told_bounds()}\n" in PAGE.read_text(encoding="utf-8")


def test_each_robot_is_told_with_what_stops_it() -> None:
    assert f"\n\n{robots_table()}\n" in PAGE.read_text(encoding="utf-8")


def test_the_two_desks_are_told() -> None:
    a_day = most_sends(SHIPPED.defaults.send_budget, DAY, ONE_ADDRESS)
    rows = (
        ("any mark, or the words of our own answer", "one to a person's question"),
        ("the references and nothing else", "two to a person's question"),
        ("nothing", f"{a_day} of each desk in any 24 hours"),
    )
    head = "What the gateway leaves of our answers", "Answers of both desks, for ever"
    table = "\n".join([row(head), "|---|---|", *map(row, rows)]) + "\n"
    assert f"\n\n{table}\n" in PAGE.read_text(encoding="utf-8")
