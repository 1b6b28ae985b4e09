"""Full-text search of the mails, one function on two databases: FTS5 and tsvector. Folding: core/search.py.

Rule: every term is quoted by us; nothing of a query is an operator. Rule: no scores are compared, newest first.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, TextClause, select, text

from mailflow.adapters.sql.session import MESSAGE, THREAD, Session
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
        terms = self._terms(query)
        if not terms:
            return []
        if self._db.dialect.name == "sqlite":
            found = text(
                "SELECT rowid FROM message_search WHERE message_search MATCH :terms ORDER BY rowid DESC LIMIT :most"
            )
        else:
            found = text(
                "SELECT message_id FROM message_search WHERE body @@ to_tsquery('simple', :terms) "
                "ORDER BY message_id DESC LIMIT :most"
            )
        return list(self._db.scalars(found, {"terms": terms, "most": MOST_HITS}))

    def threads_with(self, query: str) -> ColumnElement[bool] | TextClause:
        """Whether a row of THREAD has a mail with all words of `query`: a condition, whatever else is asked for.

        Why two ways: few hits are a list; of more, whoever filters by something else wants those that the newest
        MOST_HITS mails do not have. Then each row that fits the filter is looked up, and of a word that is in so many
        mails a page is found soon.
        """
        hits = self.search(query)
        if len(hits) < MOST_HITS:
            return THREAD.c.id.in_(select(MESSAGE.c.thread_id).where(MESSAGE.c.id.in_(hits)))
        has = _HAS_SQLITE if self._db.dialect.name == "sqlite" else _HAS_POSTGRESQL
        return text(has).bindparams(terms=self._terms(query))

    def _terms(self, query: str) -> str:
        """In the language of the database; '' for a query without words."""
        wanted = words(query)
        if not wanted:
            return ""
        *whole, last = wanted
        if self._db.dialect.name == "sqlite":
            return " ".join([*(f'"{word}"' for word in whole), f'"{last}"*'])
        return " & ".join([*(f"'{word}'" for word in whole), f"'{last}':*"])


_HAS_SQLITE = (
    "EXISTS (SELECT 1 FROM message AS found CROSS JOIN message_search ON message_search.rowid = found.id "
    "WHERE found.thread_id = thread.id AND message_search MATCH :terms)"
)
"""CROSS JOIN: first the mails of the thread, then each in the index, never the other way round."""
_HAS_POSTGRESQL = (
    "EXISTS (SELECT 1 FROM message AS found JOIN message_search ON message_search.message_id = found.id "
    "WHERE found.thread_id = thread.id AND message_search.body @@ to_tsquery('simple', :terms))"
)
