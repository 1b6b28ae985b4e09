"""How the policy is shown to a person in a terminal: tables, receipts, answers. Values in, rich renderables out."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mailflow.console import COLOURS, VERBS, new_grid, new_table, plain, short
from mailflow.core.loop_bound import SPANS
from mailflow.core.policy import Guard
from mailflow.core.receipt import Receipt
from mailflow.services.triage import Preview


def policy_view(rows: Sequence[tuple[str, str, str, str, str, str]]) -> Table:
    shown = new_table("intent", "reader", "action", "rollout", "template", "held if")
    for row in rows:
        shown.add_row(*row)
    return shown


def guards_view(guards: Sequence[Guard]) -> Table:
    shown = new_table("guard", "outcome", "why")
    for guard in guards:
        shown.add_row(guard.name, guard.outcome.value, guard.why)
    return shown


def bounds_view(rows: Sequence[tuple[str, ...]]) -> Table:
    """Whatever anybody writes, loops included."""
    shown = new_table("answers at most, in any", *SPANS)
    for row in rows:
        shown.add_row(*row)
    return shown


def receipt_view(file: str, receipt: Receipt) -> RenderableType:
    """Everything that was asked of one mail, what decided, what would have changed it."""
    decision = receipt.decision
    sure = f"{receipt.reply_probability:.2f}, {receipt.reply_asked_by} needs {receipt.reply_needed:.2f}"
    head = new_grid(
        ("reader", receipt.audience.value),
        ("P(right answer)", sure),
        ("queue", f"{decision.queue}, {decision.priority}"),
        ("versions", f"policy {decision.policy_version}, model {decision.model_version}"),
    )
    facts = [plain(f"  {fact}: {said}") for fact, said in receipt.facts] or [plain("  none", "dim")]
    parts: list[RenderableType] = [
        Text(VERBS[decision.action.value].upper(), style=f"bold {COLOURS[decision.action.value]}"),
        *(plain(f"  - {reason.sentence}  [{reason.code}]") for reason in decision.reasons),
        Text(),
        head,
        Text(),
        plain("facts", "bold"),
        *facts,
        Text(),
        _rows(receipt),
        Text(),
        _guards(receipt),
        Text(),
        _what_ifs(receipt),
    ]
    return Panel(Group(*parts), title=plain(file), title_align="left")


def _rows(receipt: Receipt) -> Table:
    shown = new_table("intent", "likely", "needed", "row", "rollout", "template", "branch", "specified in")
    for row in receipt.rows:
        shown.add_row(
            row.intent,
            f"{row.confidence:.2f}",
            f"{row.needed:.2f}",
            row.action,
            row.rollout,
            row.template or "-",
            row.branch or "-",
            " ".join(row.rules),
        )
    return shown


def _guards(receipt: Receipt) -> Table:
    shown = new_table("guard", "outcome", "answer")
    for asked in receipt.guards:
        style = "" if asked.answer else "dim"
        shown.add_row(asked.guard, asked.outcome if asked.answer else "", plain(asked.answer or "no"), style=style)
    return shown


def _what_ifs(receipt: Receipt) -> Table:
    shown = new_table("what if", "then")
    for one in receipt.what_ifs:
        shown.add_row(one.change, one.then)
    return shown


def preview_view(preview: Preview) -> RenderableType:
    """The answer as its reader gets it, or the draft and why it waits."""
    answer, message, decision = preview.answer, preview.message, preview.decision
    head = new_grid(
        ("to", message.envelope.forward_path if message else "nobody can be answered"),
        ("subject", message.subject if message else ""),
        ("language", answer.language if answer else ""),
    )
    title = "answer" if decision.answers else f"draft: {short(decision.reasons[0].sentence, 90)}"
    return Panel(Group(head, Text(), plain(answer.text if answer else "")), title=plain(title), title_align="left")
