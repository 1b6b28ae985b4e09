"""Calendar entries as lines to read (RFC 5545, 5546)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailflow.reading.invitation import invitation_text


def calendar(*fields: str, method: str = "REQUEST") -> str:
    entry = "\n".join(("BEGIN:VEVENT", *fields, "END:VEVENT"))
    return f"BEGIN:VCALENDAR\nMETHOD:{method}\n{entry}\nEND:VCALENDAR\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (calendar("SUMMARY:Partner call", "LOCATION:Room 1"), "Partner call\nRoom 1"),
        (calendar("SUMMARY;LANGUAGE=de:Gespräch\\, kurz", "DESCRIPTION:eins\\nzwei"), "Gespräch, kurz\neins\nzwei"),
        (calendar("SUMMARY:long li", " ne", "DTSTART:20240506T080000Z"), "long line\n2024-05-06 08:00 UTC"),
        (calendar("SUMMARY:x", "DTSTART;TZID=Europe/Berlin:20240506T100000"), "x\n2024-05-06 10:00 Europe/Berlin"),
        (calendar("SUMMARY:x", "DTSTART;VALUE=DATE:20240506"), "x\n2024-05-06"),
        (calendar("SUMMARY:x", "DTSTART:soon"), "x\nsoon"),
        (
            calendar(
                'ATTENDEE;CN="Ann: A";PARTSTAT=ACCEPTED:mailto:ann@x.example',
                "SUMMARY:Call",
                "COMMENT:ok",
                method="REPLY",
            ),
            "Accepted: Call\nok",
        ),
        (calendar("ATTENDEE;PARTSTAT=DECLINED:mailto:a@x.example", "SUMMARY:Call", method="REPLY"), "Declined: Call"),
        (calendar("SUMMARY:Call", method="CANCEL"), "Cancelled: Call"),
        (calendar("SUMMARY:first", "BEGIN:VALARM", "DESCRIPTION:Reminder", "END:VALARM"), "first"),
        ("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:x\nEND:VTIMEZONE\nEND:VCALENDAR", ""),
        ("no calendar", ""),
    ],
)
def test_an_invitation_reads_as_its_lines(source: str, expected: str) -> None:
    assert invitation_text(source) == expected


@given(st.text(alphabet='BEGIN:VENT\nSUMARY;="\\, DTZ2024', max_size=200))
def test_reading_an_invitation_is_total(source: str) -> None:
    assert isinstance(invitation_text(source), str)
