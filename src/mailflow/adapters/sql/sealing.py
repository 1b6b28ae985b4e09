"""Keys of a store: which ones its raw mail is sealed with, and the change to another, a few MiB a transaction.

Rule: the ids of the keys in use stand in `secret`, so that a worker without one of them is refused at its start, before
it stores mail that nobody can read beside mail that it cannot.
"""

from sqlalchemy import ColumnElement, Table, and_, delete, exists, select, tuple_, update

from mailflow.adapters.keyring import Keyring
from mailflow.adapters.sql.ledger import place_of
from mailflow.adapters.sql.session import RAW, RAW_SLICE, SECRET, Session
from mailflow.errors import SettingsError

_IN_USE = "raw key "
_AT_ONCE = 4 << 20
"""Octets that one transaction seals anew."""
_MOST = 500
Resealed = tuple[str, int]
"""The slice that was sealed last: SHA-256 of the mail and number, 0 for the first."""
START: Resealed = ("", -1)


class Sealing(Session):
    def keys_in_use(self) -> set[str]:
        names = self._db.scalars(select(SECRET.c.name).where(SECRET.c.name.startswith(_IN_USE, autoescape=True)))
        return {name.removeprefix(_IN_USE) for name in names}

    def require_keys(self) -> None:
        """Raises SettingsError where the store has mail that the keys at hand do not open."""
        in_use = self.keys_in_use()
        if missing := sorted(in_use - {*self._keys.ids}):
            raise SettingsError(
                f"[store] encryption_key_file: raw mail of this store is sealed with {', '.join(missing)}, which is "
                "not among its keys; put that key back, as a further line"
            )
        if self._keys.current and self._keys.current not in in_use:
            insert = self._insert(SECRET).values(name=_IN_USE + self._keys.current, value=b"")
            self._db.execute(insert.on_conflict_do_nothing())

    def reseal(self, after: Resealed, to: Keyring) -> tuple[Resealed | None, int]:
        """Seal the next slices with the first key of `to`. Returns (the last one, how many); (None, 0) at the end.

        Raises StoreError where one cannot be opened; what was done before stays done.
        """
        self._overwrite_what_is_deleted()
        sealed, octets = 0, 0
        for sha256, number in self._not_sealed_with(to.current, after):
            octets += self._reseal_one(sha256, number, to)
            after, sealed = (sha256, number), sealed + 1
            if octets >= _AT_ONCE:
                break
        return (after, sealed) if sealed else (None, 0)

    def _not_sealed_with(self, key_id: str, after: Resealed) -> list[Resealed]:
        """In order: the first slices of all mails, then the further ones."""
        found: list[Resealed] = []
        if after[1] <= 0:
            first = select(RAW.c.sha256).where(RAW.c.sha256 > after[0], RAW.c.key_id != key_id)
            rows = self._db.scalars(first.where(RAW.c.emptied_at.is_(None)).order_by(RAW.c.sha256).limit(_MOST))
            found = [(sha256, 0) for sha256 in rows]
        if not found:
            place = tuple_(RAW_SLICE.c.sha256, RAW_SLICE.c.number)
            wanted = select(RAW_SLICE.c.sha256, RAW_SLICE.c.number).where(RAW_SLICE.c.key_id != key_id)
            if after[1] > 0:
                wanted = wanted.where(place > after)
            rows_ = self._db.execute(wanted.order_by(RAW_SLICE.c.sha256, RAW_SLICE.c.number).limit(_MOST))
            found = [(row.sha256, row.number) for row in rows_]
        return found

    def _reseal_one(self, sha256: str, number: int, to: Keyring) -> int:
        """Octets that were sealed."""
        table, here = _row(sha256, number)
        row = self._db.execute(select(table.c.content, table.c.key_id).where(here).with_for_update()).first()
        if row is None:
            return 0
        place = place_of(sha256, number)
        key_id, content = to.seal(self._keys.open(row.key_id, row.content, place), place)
        self._db.execute(update(table).where(here, table.c.key_id == row.key_id).values(content=content, key_id=key_id))
        return len(content)

    def forget_keys(self, keep: str) -> set[str]:
        """Strike the keys that nothing is sealed with any more, `keep` apart. Returns those that something still is.

        '' among them: something is in the clear.
        """
        still = {id_ for id_ in (self.keys_in_use() | {""}) - {keep} if self._is_used(id_)}
        gone = self.keys_in_use() - still - {keep}
        self._db.execute(delete(SECRET).where(SECRET.c.name.in_([_IN_USE + id_ for id_ in gone])))
        return still

    def _is_used(self, key_id: str) -> bool:
        """What was taken away has the id '' too."""
        first = exists().where(RAW.c.key_id == key_id, RAW.c.emptied_at.is_(None))
        return bool(self._db.scalar(select(first | exists().where(RAW_SLICE.c.key_id == key_id))))


def _row(sha256: str, number: int) -> tuple[Table, ColumnElement[bool]]:
    if number == 0:
        return RAW, RAW.c.sha256 == sha256
    return RAW_SLICE, and_(RAW_SLICE.c.sha256 == sha256, RAW_SLICE.c.number == number)
