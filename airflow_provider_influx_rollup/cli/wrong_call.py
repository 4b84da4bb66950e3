"""Words that the command line did not understand: what they were near to, and what to write instead."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

# an option's name; what follows it may be a secret
_OPTION = re.compile(r"--[a-z][a-z-]*(?==|$)|-[a-zA-Z]$")
# a name that ends so is no token, and may be repeated
_FILE = re.compile(r"[\w./~-]{1,200}\.(?:ya?ml|json|flux|toml|csv)")
_STRAY = (
    "there are words where this command has none: names and files stand together, beside the options{hint}"
)
OF_LIFECYCLES = ("--lifecycle", "LIFECYCLE")


def about_choice(word: str, known: Iterable[str]) -> str:
    """Name what a word was near to; one that is near to nothing may be a secret, and is not repeated.

    :param known: the words that can stand there
    """
    names = list(known)
    if _FILE.fullmatch(word) and "run" in names:
        return f"{word} is a file, and the command stands before it, such as: influx-rollup run {word}"
    near = get_close_matches(word.lower(), names, n=2, cutoff=0.6)
    if near:
        return f"there is no {word!r}; did you mean {' or '.join(near)}? See --help"
    return f"there is no such word; use one of {', '.join(names)}"


def about_unknown(
    parser: argparse.ArgumentParser, actions: Sequence[argparse.Action], words: Sequence[str]
) -> str:
    """Name unknown options and what they are near to; what else was not understood may hold a secret, and is not repeated.

    :param actions: what the parser takes
    """
    options = list(dict.fromkeys(matched[0] for word in words if (matched := _OPTION.match(word))))
    if not options:
        return _STRAY.format(hint=_place(parser, actions, words))
    shown = [action for action in actions if action.help != argparse.SUPPRESS]
    known = [name for action in shown for name in action.option_strings if name.startswith("--")]
    if any(action.dest == "command" for action in shown):
        return f"{', '.join(options)} stands before the command; options stand after it, such as: influx-rollup coverage --json"
    near = [found for name in options for found in get_close_matches(name, known, n=1, cutoff=0.7)]
    told = f"; did you mean {', '.join(dict.fromkeys(near))}?" if near else ";"
    return f"this command does not have {', '.join(options)}{told} see --help"


def _place(parser: argparse.ArgumentParser, actions: Sequence[argparse.Action], words: Sequence[str]) -> str:
    """Where the words belong, as far as the command takes such a thing."""
    files = [word for word in words if _FILE.fullmatch(word)]
    options = {name: action for action in actions for name in action.option_strings}
    takes = next((name for name in OF_LIFECYCLES if name in options), None)
    if files and takes:
        return f"; a file is given by its option: {parser.prog} {takes} {files[0]}"
    if files and any(action.metavar in OF_LIFECYCLES for action in actions):
        return f"; it takes one file at a time: run it once more for {files[0]}"
    if files:
        return f"; it takes no file such as {files[0]}; see --help"
    if "--pipeline" in options:
        return f"; a pipeline is named by its option: {parser.prog} --pipeline NAME"
    return "; see --help"
