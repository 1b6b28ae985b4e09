"""Full-text search of the mails, one function on two databases: FTS5 and tsvector. Folding: core/search.py.

Rule: every term is quoted by us; nothing of a query is an operator. Rule: no scores are compared, newest first.
"""

from collections.abc import Sequence

from sqlalchemy import text

from mailflow.adapters.sql.session import Session
from mailflow.core.search import searched_text, words

MOST_HITS = 1_000
"""Mails that a search looks at, newest first."""


class Search(Session):
    def index_mail(self, message_id: int, *parts: str) -> None:
        """Let a mail be found by the words of `parts`."""
        values = {"id": message_id, "body": searched_text(*parts)}
        if self._db.dialect.name == "sqlite":
            self._db.execute(text("INSERT INTO message_search (rowid, body) VALUES (:id, :body)"), values)
        else:
            self._db.execute(
                text("INSERT INTO message_search VALUES (:id, to_tsvector('simple', :body)) ON CONFLICT DO NOTHING"),
                values,
            )

    def forget_mails(self, message_ids: Sequence[int]) -> None:
        key = "rowid" if self._db.dialect.name == "sqlite" else "message_id"
        statement = text(f"DELETE FROM message_search WHERE {key} = :id")  # noqa: S608 - one of two literals
        for message_id in message_ids:
            self._db.execute(statement, {"id": message_id})

    def search(self, query: str) -> list[int]:
        """Message rows with all words of `query`, newest first, at most MOST_HITS; [] for a query without words."""
        wanted = words(query)
        if not wanted:
            return []
        *whole, last = wanted
        if self._db.dialect.name == "sqlite":
            terms = " ".join([*(f'"{word}"' for word in whole), f'"{last}"*'])
            found = text(
                "SELECT rowid FROM message_search WHERE message_search MATCH :terms ORDER BY rowid DESC LIMIT :most"
            )
        else:
            terms = " & ".join([*(f"'{word}'" for word in whole), f"'{last}':*"])
            found = text(
                "SELECT message_id FROM message_search WHERE body @@ to_tsquery('simple', :terms) "
                "ORDER BY message_id DESC LIMIT :most"
            )
        return list(self._db.scalars(found, {"terms": terms, "most": MOST_HITS}))
