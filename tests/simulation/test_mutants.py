"""The list of mutants fits the package."""

from __future__ import annotations

import ast

import pytest

from tests.simulation.mutant import Mutant
from tests.simulation.mutation import CHECKOUT, EVERY_MUTANT, PACKAGE


@pytest.mark.parametrize("mutant", EVERY_MUTANT, ids=lambda mutant: mutant.name)
def test_mutant_changes_one_place_of_its_file(mutant: Mutant) -> None:
    source = (CHECKOUT / PACKAGE / mutant.file).read_text()
    assert source.count(mutant.old) == 1
    ast.parse(source.replace(mutant.old, mutant.new))


def test_mutants_are_told_apart_by_their_names() -> None:
    assert len({mutant.name for mutant in EVERY_MUTANT}) == len(EVERY_MUTANT)
    assert len(EVERY_MUTANT) >= 60
