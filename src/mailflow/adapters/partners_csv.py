"""Reads the partner directory from a CSV file: one row a domain, the rows of one company are one partner.

Rule: the file is taken whole or not at all. Every wrong row is named with its line and what to do, all at once.
Why: half a directory answers the other half of the partners wrongly, and nobody sees it.
Rule: a domain that proves no single company is refused: free mail, shared by strangers, ours, or of mixed alphabets.
Rule: comma or semicolon, whichever the header has more of, or the one that Excel's line `sep=` names; UTF-8, with or
without BOM. Columns beside ours are left unread.
"""

import csv
import difflib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, TypeVar

from mailflow.core.partner import Partner, PartnerKind, Route
from mailflow.errors import AssetError
from mailflow.reading.domain_name import is_domain_name, is_shared, to_ascii, to_unicode
from mailflow.reading.free_mail import is_free_mail
from mailflow.reading.lookalike import mixed_alphabets

COLUMNS = ("domain", "company", "tier", "kind", "region", "route", "distributor")
_Word = TypeVar("_Word", bound=StrEnum)


class Problem(NamedTuple):
    line: int
    """Counted from 1, as an editor does; a row that goes over several lines is named by its first."""
    sentence: str


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    domain: str
    company: str
    tier: str
    kind: PartnerKind
    region: str
    route: Route
    distributor: str


def read_partners(path: Path, own_domains: frozenset[str]) -> tuple[Partner, ...]:
    """The partners in `path`, in its order. Raises AssetError: one line a problem."""
    judged = [_row(line, cells, own_domains) for line, cells in _rows_by_column(path)]
    rows = [one for one in judged if isinstance(one, _Row)]
    problems = [problem for one in judged if not isinstance(one, _Row) for problem in one]
    problems += _contradictions(rows)
    if problems:
        told = "\n".join(f"  line {line}: {sentence}" for line, sentence in sorted(problems))
        raise AssetError(f"{path}: nothing was imported\n{told}")
    if not rows:
        raise AssetError(f"{path}: holds no partner; add a row for each domain")
    return _partners(rows)


def _partners(rows: Sequence[_Row]) -> tuple[Partner, ...]:
    companies: dict[str, list[_Row]] = {}
    for row in rows:
        companies.setdefault(row.company.casefold(), []).append(row)
    return tuple(
        Partner(
            domains=tuple(dict.fromkeys(row.domain for row in of_one)),
            company=of_one[0].company,
            tier=of_one[0].tier,
            kind=of_one[0].kind,
            region=of_one[0].region,
            route=of_one[0].route,
            distributor=of_one[0].distributor,
        )
        for of_one in companies.values()
    )


# --- the file -------------------------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AssetError(f"{path}: cannot be read ({error.strerror}); check the name") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise AssetError(f"{path}: line {line} is not UTF-8; save the file as `CSV UTF-8`") from error


_SEPARATOR_LINE = re.compile(r"sep=([,;])\s*", re.IGNORECASE)


def _lines_of_cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with its first line, the cells without white space at their ends."""
    lines = list(io.StringIO(_text(path), newline=""))
    named = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    skipped = 1 if named else 0
    header = lines[skipped] if len(lines) > skipped else ""
    reader = csv.reader(lines[skipped:], delimiter=named[1] if named else max(",;", key=header.count), strict=True)
    line = skipped + 1
    try:
        for cells in reader:
            values = [" ".join(cell.split()) for cell in cells]
            if any(values):
                yield line, values
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise AssetError(f"{path}: line {line} is not CSV ({error}); check its quotes") from error


def _rows_by_column(path: Path) -> Iterator[tuple[int, Mapping[str, str] | Problem]]:
    """Each row by the names of the header; a problem where its cells cannot be told apart."""
    rows = _lines_of_cells(path)
    header_line, names = next(rows, (1, []))
    header = [name.casefold() for name in names]
    if wrong := _header_problem(header):
        raise AssetError(f"{path}: line {header_line}: {wrong}")
    for line, values in rows:
        if len(values) < len(header) or any(values[len(header) :]):
            count = f"the row has {len(values)} cells, the header {len(header)}"
            yield line, Problem(line, f"{count}; put quotes around a cell that holds a comma or semicolon")
        else:
            yield line, dict(zip(header, values, strict=False))


def _header_problem(header: Sequence[str]) -> str:
    if missing := [column for column in COLUMNS if column not in header]:
        near = {name for column in missing for name in difflib.get_close_matches(column, set(header) - set(COLUMNS))}
        hint = f" (or mend {', '.join(f'`{name}`' for name in sorted(near))})" if near else ""
        return f"the header does not name {', '.join(missing)}; add it{hint}"
    twice = [column for column in COLUMNS if header.count(column) > 1]
    return f"the header names {', '.join(twice)} twice; remove one" if twice else ""


# --- a row ----------------------------------------------------------------------------------------------------------


def _row(line: int, cells: Mapping[str, str] | Problem, own_domains: frozenset[str]) -> _Row | list[Problem]:
    if isinstance(cells, Problem):
        return [cells]
    domain = to_ascii(cells["domain"])
    kind, route = _word(PartnerKind, cells["kind"]), _word(Route, cells["route"])
    sentences = (
        _domain_problem(cells["domain"], domain, own_domains),
        "" if cells["company"] else "company is empty; name the partner",
        "" if kind else _choice(PartnerKind, "kind", cells["kind"]),
        "" if route else _choice(Route, "route", cells["route"]),
        _route_problem(kind, route, cells["distributor"]),
    )
    if kind is None or route is None or any(sentences):
        return [Problem(line, sentence) for sentence in sentences if sentence]
    return _Row(line, domain, cells["company"], cells["tier"], kind, cells["region"], route, cells["distributor"])


def _word(words: type[_Word], written: str) -> _Word | None:
    return next((word for word in words if word == written.casefold()), None)


def _choice(words: type[StrEnum], column: str, written: str) -> str:
    return f"{column} is `{written}`; write one of {', '.join(words)}"


def _route_problem(kind: PartnerKind | None, route: Route | None, distributor: str) -> str:
    if route is Route.DISTRIBUTION and kind is PartnerKind.DISTRIBUTOR:
        return "a distributor deals with us directly; write `direct` as its route"
    if route is Route.DISTRIBUTION and not distributor:
        return "the route is distribution, but distributor is empty; name the distributor, or write `direct`"
    if route is Route.DIRECT and distributor:
        return (
            f"the route is direct, but {distributor} is named as distributor; empty that cell or write `distribution`"
        )
    return ""


_DECORATED = re.compile(r"(?:[a-z]+://|mailto:)?(?:[^@/]*@)?(?:www\.)?([^@/:?#]+).*", re.IGNORECASE)


def _domain_problem(written: str, domain: str, own_domains: frozenset[str]) -> str:
    """Why `written`, which is `domain` as A-labels, cannot stand for a partner; '' if it can."""
    bare = to_ascii(_DECORATED.sub(r"\1", written))
    if not written:
        return "domain is empty; give what stands behind the @ of the partner's addresses"
    if bare != domain and is_domain_name(bare):
        return f"`{written}` is not a domain; write `{bare}`"
    if not is_domain_name(domain):
        return f"`{written}` is not a domain name; give what stands behind the @ of the partner's addresses"
    if any(domain == own or domain.endswith("." + own) for own in own_domains):
        return f"`{written}` is our own; remove the row"
    if is_free_mail(domain):
        return f"`{written}` is a free mail provider's and proves no company; remove the row"
    if is_shared(domain):
        return f"`{written}` is shared by strangers; give the partner's own name below it, such as `firm.{domain}`"
    if alphabets := mixed_alphabets(to_unicode(domain)):
        return f"`{written}` mixes {' and '.join(alphabets)} letters, as imitations do; type the name anew"
    return ""


# --- rows against each other ----------------------------------------------------------------------------------------


def _contradictions(rows: Sequence[_Row]) -> Iterator[Problem]:
    by_domain: dict[str, _Row] = {}
    by_company: dict[str, _Row] = {}
    for row in rows:
        other = by_domain.setdefault(row.domain, row)
        if other.company.casefold() != row.company.casefold():
            sentence = f"{row.domain} is of {row.company} here and of {other.company} on line {other.line}; remove one"
            yield Problem(row.line, sentence)
        first = by_company.setdefault(row.company.casefold(), row)
        for column in ("tier", "kind", "region", "route", "distributor"):
            here, there = getattr(row, column), getattr(first, column)
            if here != there:
                sentence = f"{column} of {row.company} is `{here}` here and `{there}` on line {first.line}"
                yield Problem(row.line, f"{sentence}; make them equal, or give two companies two names")
