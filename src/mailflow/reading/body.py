"""The readable body of a message and what hangs on it: text parts, HTML as text, attachments (RFC 2045-2049, 2183, 3676).

Rule: nothing inside a message/* part is the sender's own text; such a part is one attachment.
Rule: of alternatives the plain text is read if it says something, else the HTML.
Why the plain text: it is what the sender's client made for programs, and quoting in it is visible.
"""

import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message

from mailflow.core.message import Attachment, Span
from mailflow.reading.charset import clean, decode, decode_words
from mailflow.reading.headers import parameters, unfolded
from mailflow.reading.html import HtmlText, html_text

MAX_TEXT = 500_000
"""Characters of body text that are kept."""
