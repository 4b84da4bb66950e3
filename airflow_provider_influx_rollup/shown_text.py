"""Texts of a bucket as people can read them. Standard library only."""

from __future__ import annotations


def shown_text(text: str) -> str:
    r"""A text for people: bytes that are not UTF-8 and control characters as ``\xHH`` and the like.

    :param text: may hold the lone surrogates of ``keeps_bytes``
    """
    return "".join(_shown_character(character) for character in text)


def _shown_character(character: str) -> str:
    spelled = _spelled(character)
    return spelled if spelled.isprintable() else repr(character)[1:-1]


def bytes_spelled(text: str) -> str:
    r"""A text in which each byte that is not UTF-8 is spelled ``\\xHH``, so that it can be written and sent.

    :param text: may hold the lone surrogates that stand for such bytes
    """
    if text.isascii():
        return text
    return "".join(_spelled(character) for character in text)


def _spelled(character: str) -> str:
    is_byte = "\udc80" <= character <= "\udcff"
    return f"\\x{ord(character) - 0xDC00:02x}" if is_byte else character
