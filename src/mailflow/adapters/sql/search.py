"""Full-text search of the mails, one function on two databases: FTS5 and tsvector. Folding: core/search.py.

Rule: every term is quoted by us; nothing of a query is an operator. Rule: no scores are compared, newest first.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, TextClause, select, text

from mailflow.adapters.sql.session import MESSAGE, THREAD, Session
from mailflow.core.search import searched_text, words

MOST_HITS = 1_000
"""Mails up to which the hits of a search are a list."""
MOST_IN_ARCHIVE = 5_000
"""Mails with the words of a search, newest first, that it looks at among all threads; a page and its filters are found
in them. Why not all: each thread of the archive would be looked up where a word is rare among very many.
"""


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
        return list(self._db.scalars(text(self._newest_hits), {"terms": terms, "most": MOST_HITS}))

    @property
    def _newest_hits(self) -> str:
        return _HITS_SQLITE if self._db.dialect.name == "sqlite" else _HITS_POSTGRESQL

    def threads_with(self, query: str, in_archive: bool) -> ColumnElement[bool] | TextClause:
        """Whether a row of THREAD has a mail with all words of `query`: a condition, whatever else is asked for.

        `in_archive`: whether any thread may be asked for, and not only those that wait for somebody.

        Why three ways: few hits are a list. Of more, among threads that wait each is looked up, since the newest
        hits may all be elsewhere; among all threads it is the newest hits that are looked at.
        """
        hits = self.search(query)
        if len(hits) < MOST_HITS:
            return THREAD.c.id.in_(select(MESSAGE.c.thread_id).where(MESSAGE.c.id.in_(hits)))
        if in_archive:
            newest = f"SELECT thread_id FROM message WHERE id IN ({self._newest_hits})"  # noqa: S608 - one of two literals
            return text(f"thread.id IN ({newest})").bindparams(terms=self._terms(query), most=MOST_IN_ARCHIVE)
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


_HITS_SQLITE = "SELECT rowid FROM message_search WHERE message_search MATCH :terms ORDER BY rowid DESC LIMIT :most"
_HITS_POSTGRESQL = (
    "SELECT message_id FROM message_search WHERE body @@ to_tsquery('simple', :terms) "
    "ORDER BY message_id DESC LIMIT :most"
)
_HAS_SQLITE = (
    "EXISTS (SELECT 1 FROM message AS found CROSS JOIN message_search ON message_search.rowid = found.id "
    "WHERE found.thread_id = thread.id AND message_search MATCH :terms)"
)
"""CROSS JOIN: first the mails of the thread, then each in the index, never the other way round."""
_HAS_POSTGRESQL = (
    "EXISTS (SELECT 1 FROM message AS found JOIN message_search ON message_search.message_id = found.id "
    "WHERE found.thread_id = thread.id AND message_search.body @@ to_tsquery('simple', :terms))"
)
