"""Who we know: the partner directory, replaced as a whole, and muted addresses."""

from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Row, delete, select

from mailflow.adapters.sql.session import MUTE, PARTNER, PARTNER_IMPORT, Session
from mailflow.core.partner import Partner, PartnerDirectory, PartnerKind, Route
from mailflow.core.storage import Mute

_ATTRIBUTES = ("company", "tier", "kind", "region", "route", "distributor")


def partner_of(rows: list[Row[Any]]) -> Partner:
    """The rows of one company, one a domain."""
    first = rows[0]
    return Partner(
        domains=tuple(row.domain for row in rows),
        company=first.company,
        tier=first.tier,
        kind=PartnerKind(first.kind),
        region=first.region,
        route=Route(first.route),
        distributor=first.distributor,
    )


class Directory(Session):
    def partners_version(self) -> str:
        newest = select(PARTNER_IMPORT.c.version).order_by(PARTNER_IMPORT.c.id.desc()).limit(1)
        return self._db.scalar(newest) or ""

    def partners(self) -> PartnerDirectory:
        columns = [PARTNER.c[name] for name in _ATTRIBUTES]
        rows = self._db.execute(select(PARTNER).order_by(*columns, PARTNER.c.domain))
        same_firm = groupby(rows, key=lambda row: tuple(getattr(row, name) for name in _ATTRIBUTES))
        return PartnerDirectory.of(partner_of(list(firm)) for _, firm in same_firm)

    def replace_partners(self, directory: PartnerDirectory, now: datetime, actor: str) -> None:
        rows = [
            {name: value for name, value in asdict(partner).items() if name != "domains"} | {"domain": domain}
            for partner in directory.partners
            for domain in partner.domains
        ]
        self._db.execute(delete(PARTNER))
        if rows:
            self._db.execute(PARTNER.insert(), rows)
        self._insert_row(PARTNER_IMPORT, at=now, actor=actor, version=directory.version, domains=len(rows))
        sentence = f"the partner directory has {len(directory.partners)} companies with {len(rows)} domains now"
        self._tell(now, actor, "partners imported", sentence, None, None)

    def mutes(self, now: datetime, limit: int) -> list[Mute]:
        rows = self._db.execute(select(MUTE).where(MUTE.c.until > now).order_by(MUTE.c.until.desc()).limit(limit))
        return [Mute(row.address, row.since, row.until, row.reason) for row in rows]

    def unmute(self, address: str, now: datetime, actor: str) -> bool:
        done = self._run(delete(MUTE).where(MUTE.c.address == address.lower()))
        if done:
            self._tell(now, actor, "unmuted", f"mail to {address.lower()} is sent again", None, None)
        return bool(done)
