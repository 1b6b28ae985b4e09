"""The CSV of the partner directory: what is taken, and that everything wrong is named at once."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.adapters.partners_csv import COLUMNS, read_partners
from mailflow.core.partner import Partner, PartnerDirectory, PartnerKind, Route
from mailflow.errors import AssetError

OWN = frozenset({"vendor.example"})
HEADER = "domain,company,tier,kind,region,route,distributor"
FIRM = Partner(
    ("firm.example", "firm.test"), "Firm Ltd", "select", PartnerKind.RESELLER, "EMEA", Route.DISTRIBUTION, "Whole"
)
ROWS = (
    "firm.example,Firm Ltd,select,reseller,EMEA,distribution,Whole",
    "firm.test,Firm Ltd,select,reseller,EMEA,distribution,Whole",
    "whole.example,Whole,,distributor,EMEA,direct,",
)
WHOLE = Partner(("whole.example",), "Whole", "", PartnerKind.DISTRIBUTOR, "EMEA", Route.DIRECT, "")


def read(folder: Path, *lines: str, end: str = "\n", encoding: str = "utf-8") -> tuple[Partner, ...]:
    path = folder / "partners.csv"
    path.write_bytes((end.join(lines) + end).encode(encoding))
    return read_partners(path, OWN)


def problems(folder: Path, *lines: str, header: str = HEADER) -> str:
    with pytest.raises(AssetError) as refused:
        read(folder, header, *lines)
    return str(refused.value).removeprefix(f"{folder / 'partners.csv'}: ")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_what_spreadsheets_write_is_read(tmp_path: Path, delimiter: str, encoding: str, end: str) -> None:
    lines = [line.replace(",", delimiter) for line in (HEADER, *ROWS)]
    assert read(tmp_path, *lines, end=end, encoding=encoding) == (FIRM, WHOLE)


def test_case_order_and_strange_columns_of_the_header_do_not_matter(tmp_path: Path) -> None:
    row = "7;direct;ALLIANCE;Ada & Co;Ada.Example.;;;;"
    assert read(tmp_path, "Id;Route;Kind;Company;DOMAIN;Tier; Region ;Distributor;", row) == (
        Partner(("ada.example",), "Ada & Co", "", PartnerKind.ALLIANCE, "", Route.DIRECT, ""),
    )


def test_blank_rows_trailing_delimiters_and_quotes_are_read(tmp_path: Path) -> None:
    lines = ("", HEADER, "", ",,,,,,", '"firm.example","Firm,\n Ltd",  ,msp,"",direct,,,', "")
    assert read(tmp_path, *lines)[0].company == "Firm, Ltd"


def test_the_separator_line_of_excel_is_obeyed(tmp_path: Path) -> None:
    header, row = HEADER.replace(",", ";"), "a.example;A, B, C, D, E, F, G, H, I;;msp;;direct;"
    assert read(tmp_path, "sep=;", header, row)[0].company == "A, B, C, D, E, F, G, H, I"


def test_an_international_domain_is_kept_as_it_is_sent(tmp_path: Path) -> None:
    rows = ("B\u00fccher.example,A,,msp,,direct,", "xn--bro-hoa.example,B,,msp,,direct,")
    assert [one.domains for one in read(tmp_path, HEADER, *rows)] == [
        ("xn--bcher-kva.example",),
        ("xn--bro-hoa.example",),
    ]


def test_a_row_that_stands_twice_is_one(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER, *ROWS, *ROWS) == (FIRM, WHOLE)
    assert read(tmp_path, HEADER, ROWS[0], ROWS[0].replace("Firm Ltd", "FIRM LTD"))[0].domains == ("firm.example",)


def test_what_is_read_makes_a_directory(tmp_path: Path) -> None:
    assert PartnerDirectory.of(read(tmp_path, HEADER, *ROWS)).lookup("in.firm.test") == FIRM


# ---- what is refused -------------------------------------------------------------------------------------------------

_WHAT_STANDS_BEHIND = "give what stands behind the @ of the partner's addresses"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (",A,,msp,,direct,", f"domain is empty; {_WHAT_STANDS_BEHIND}"),
        ("firm,A,,msp,,direct,", f"`firm` is not a domain name; {_WHAT_STANDS_BEHIND}"),
        ("fi_rm.example,A,,msp,,direct,", f"`fi_rm.example` is not a domain name; {_WHAT_STANDS_BEHIND}"),
        ("10.0.0.1,A,,msp,,direct,", f"`10.0.0.1` is not a domain name; {_WHAT_STANDS_BEHIND}"),
        ("\uff46irm.example,A,,msp,,direct,", f"`\uff46irm.example` is not a domain name; {_WHAT_STANDS_BEHIND}"),
        ("jo@firm.example,A,,msp,,direct,", "`jo@firm.example` is not a domain; write `firm.example`"),
        ("@firm.example,A,,msp,,direct,", "`@firm.example` is not a domain; write `firm.example`"),
        (
            "https://www.firm.example/de,A,,msp,,direct,",
            "`https://www.firm.example/de` is not a domain; write `firm.example`",
        ),
        ("www.firm.example,A,,msp,,direct,", "`www.firm.example` is not a domain; write `firm.example`"),
        ("vendor.example,A,,msp,,direct,", "`vendor.example` is our own; remove the row"),
        ("Sub.Vendor.Example,A,,msp,,direct,", "`Sub.Vendor.Example` is our own; remove the row"),
        ("GMail.com,A,,msp,,direct,", "`GMail.com` is a free mail provider's and proves no company; remove the row"),
        (
            "yahoo.co.uk,A,,msp,,direct,",
            "`yahoo.co.uk` is a free mail provider's and proves no company; remove the row",
        ),
        (
            "onmicrosoft.com,A,,msp,,direct,",
            "`onmicrosoft.com` is shared by strangers; give the partner's own name below it, "
            "such as `firm.onmicrosoft.com`",
        ),
        (
            "co.uk,A,,msp,,direct,",
            "`co.uk` is shared by strangers; give the partner's own name below it, such as `firm.co.uk`",
        ),
        (
            "f\u0456rm.example,A,,msp,,direct,",
            "`f\u0456rm.example` mixes Cyrillic and Latin letters, as imitations do; type the name anew",
        ),
        ("a.example,,,msp,,direct,", "company is empty; name the partner"),
        ("a.example,A,,vendor,,direct,", "kind is `vendor`; write one of reseller, distributor, msp, alliance"),
        ("a.example,A,,,,direct,", "kind is ``; write one of reseller, distributor, msp, alliance"),
        ("a.example,A,,msp,,indirect,", "route is `indirect`; write one of direct, distribution"),
        (
            "a.example,A,,reseller,,distribution,",
            "the route is distribution, but distributor is empty; name the distributor, or write `direct`",
        ),
        (
            "a.example,A,,reseller,,direct,Whole",
            "the route is direct, but Whole is named as distributor; empty that cell or write `distribution`",
        ),
        (
            "a.example,A,,distributor,,distribution,X",
            "a distributor deals with us directly; write `direct` as its route",
        ),
        (
            "a.example,A,,msp,,direct",
            "the row has 6 cells, the header 7; put quotes around a cell that holds a comma or semicolon",
        ),
        (
            "a.example,A, Ltd,,msp,,direct,Whole",
            "the row has 8 cells, the header 7; put quotes around a cell that holds a comma or semicolon",
        ),
        (
            "firm.test,Other,,msp,,direct,",
            "firm.test is of Other here and of Firm Ltd on line 3; remove one",
        ),
        (
            "firm.org,Firm Ltd,open,reseller,EMEA,distribution,Whole",
            "tier of Firm Ltd is `open` here and `select` on line 2; make them equal, or give two companies two names",
        ),
    ],
)
def test_a_wrong_row_is_named_with_its_line_and_what_to_do(tmp_path: Path, row: str, sentence: str) -> None:
    assert problems(tmp_path, *ROWS, row) == f"nothing was imported\n  line 5: {sentence}"


def test_all_wrong_rows_are_named_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        "gmail.com,,,x,,y,",
        "",
        *ROWS,
        '"firm.\nexample",Firm Ltd,open,msp,US,direct,Z',
        "b.example,B,,msp,,,",
    )
    assert [line.partition(": ")[0] for line in told.splitlines()] == [
        "nothing was imported",
        *["  line 2"] * 4,
        *["  line 7"] * 2,
        "  line 9",
    ]


def test_each_contradiction_of_a_company_is_named(tmp_path: Path) -> None:
    told = problems(tmp_path, *ROWS, "firm.org,firm ltd,open,msp,US,direct,")
    assert [line.split()[2] for line in told.splitlines()[1:]] == ["distributor", "kind", "region", "route", "tier"]


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("domain,company", "line 1: the header does not name tier, kind, region, route, distributor; add it"),
        (
            "domain,company,tier,kind,region,route,distributer",
            "line 1: the header does not name distributor; add it (or mend `distributer`)",
        ),
        (HEADER + ",Kind", "line 1: the header names kind twice; remove one"),
        ("", f"line 1: the header does not name {', '.join(COLUMNS)}; add it"),
    ],
)
def test_a_wrong_header_is_told_alone(tmp_path: Path, header: str, sentence: str) -> None:
    assert problems(tmp_path, header=header) == sentence


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    """Why: it would forget every partner."""
    assert problems(tmp_path, "", ",,,,,,") == "holds no partner; add a row for each domain"


def test_what_is_no_csv_is_told_with_its_line(tmp_path: Path) -> None:
    assert problems(tmp_path, ROWS[0], '"a"b,c').startswith("line 3 is not CSV (")
    assert problems(tmp_path, ROWS[0], '"never ends,,').startswith("line 3 is not CSV (")


def test_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"line 3 is not UTF-8; save the file as `CSV UTF-8`$"):
        read(tmp_path, HEADER, ROWS[0], "m\u00fcller.example,A,,msp,,direct,", encoding="cp1252")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"none\.csv: cannot be read \(No such file or directory\); check the name$"):
        read_partners(tmp_path / "none.csv", OWN)


@given(st.lists(st.text(max_size=40) | st.sampled_from(ROWS), max_size=5))
def test_any_file_is_read_or_refused_as_a_whole(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8", errors="replace")
    try:
        taken = read_partners(path, OWN)
    except AssetError as refused:
        assert str(refused).startswith(str(path))
    else:
        assert PartnerDirectory.of(taken).domains <= {"firm.example", "firm.test", "whole.example"}
