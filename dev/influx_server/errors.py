"""What the command tells a person who cannot go on."""

from __future__ import annotations


class ServerError(Exception):
    """A message for the person at the terminal: what happened and what to do."""
