"""Text from the data as it may be printed: no control characters, no markers of ours."""

from __future__ import annotations

import re

__all__ = ["clean"]

_PRIVATE = re.compile("[\ue000-\uf8ff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """Text without characters that XML forbids (shown as control pictures) and without our markers."""

    def visible(match: re.Match[str]) -> str:
        c = ord(match.group())
        return chr(0x2400 + c) if c < 32 else "\u2421" if c == 127 else "\ufffd"

    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _PRIVATE.sub("\ufffd", _CONTROL.sub(visible, text))
