"""Raw mail at rest: sealed with AES-256-GCM (cryptography's AESGCM) under a key that is not in the database.

    stored = nonce (12 octets, random) + ciphertext + tag (16 octets); the id of the key stands beside it in the row

Rule: what is opened is what was sealed, octet for octet, in the place where it was sealed, or StoreError; never
garbage. The place (SHA-256 of the mail and number of the slice) is authenticated, so that rows cannot be exchanged.
Rule: the first key seals, the others only open: so keys change without a standstill (`mailflow db rekey`).
Rule: an id of a key is a hash of it, so nobody has to name keys, and a wrong file is found by its ids.

What it keeps from whoever has a dump, a backup or a disk, and not the key: the mails as they came, their attachments
above all. What it does not: the text that is searched and shown, addresses and subjects, which stand in other tables
in the clear. Why: full-text search holds every word of them anyway; sealing them beside it would only look safe. Let
the disk or the database do that. Beside each sealed mail stand its size and its SHA-256: whoever has a mail can tell
whether it is here, and that equal rows are equal mails; nothing else.
Why a nonce by chance: one key may seal 2**32 slices before two nonces could be equal with odds of 2**-32 (NIST SP
800-38D, 8.3); a desk with a thousand mails a day takes ten thousand years.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mailflow.errors import SettingsError, StoreError

_KEY, _NONCE = 32, 12
"""Octets."""


class Keyring:
    """The keys of a store. Without any, raw mail is stored as it is."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        """Each of 32 octets, the one that seals first."""
        self._keys = {key_id(key): AESGCM(key) for key in keys}
        self.current = next(iter(self._keys), "")
        """The id of the key that seals, '' for none."""

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def seal(self, octets: bytes, place: str) -> tuple[str, bytes]:
        """(the key's id, what is stored)."""
        if not self.current:
            return "", octets
        nonce = os.urandom(_NONCE)
        return self.current, nonce + self._keys[self.current].encrypt(nonce, octets, place.encode())

    def open(self, id_: str, stored: bytes, place: str) -> bytes:
        """Raises StoreError where the key is missing, or the row is not what was sealed here."""
        if not id_:
            return stored
        if id_ not in self._keys:
            raise StoreError(
                f"raw mail is sealed with the key {id_}, which is not among the keys of [store] encryption_key_file"
            )
        try:
            return self._keys[id_].decrypt(stored[:_NONCE], stored[_NONCE:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise StoreError(f"raw mail {place} was changed since it was sealed with the key {id_}") from error


NO_KEYS = Keyring()


def key_id(key: bytes) -> str:
    """16 hexadecimal digits that tell a key from others and nothing about it."""
    return hashlib.sha256(b"mailflow key id\0" + key).hexdigest()[:16]


def read_keys(text: str, where: str) -> Keyring:
    """The keys of a file or a setting: one a line in base64, the one that seals first. Raises SettingsError.

    Lines that are empty or begin with # are left out.
    """
    lines = [line.strip() for line in text.splitlines()]
    keys = [_key(line, where) for line in lines if line and not line.startswith("#")]
    if not keys:
        raise SettingsError(f"{where}: holds no key; `openssl rand -base64 {_KEY}` makes one")
    return Keyring(keys)


def _key(line: str, where: str) -> bytes:
    try:
        key = base64.b64decode(line.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY:
        # the line itself is left out, it may be a key with a slip of the pen
        raise SettingsError(f"{where}: a line is not {_KEY} octets in base64; `openssl rand -base64 {_KEY}` makes one")
    return key
