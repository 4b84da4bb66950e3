"""Mutants of what is archived, purged, restored, compacted, erased and validated."""

from __future__ import annotations

from tests.simulation.mutant import Mutant

PURGE, ARCHIVE, FILES = "lifecycle/purge/", "lifecycle/archive/", "lifecycle/archive_files/"
ERASE, COMPACT, VALIDATE = "lifecycle/erase/", "lifecycle/compact/", "lifecycle/validate/"

ARCHIVE_MUTANTS = (
    # purges
    Mutant(
        "purges what the archive does not hold",
        PURGE + "proof.py",
        "if proof.source in (manifest.source, manifest.content):",
        "if True:",
    ),
    Mutant(
        "does not look once more before it deletes",
        PURGE + "delete.py",
        "            yield from _look_once_more(spec, proof)\n",
        "            pass\n",
    ),
    Mutant(
        "deletes what another run has claimed to purge",
        PURGE + "delete.py",
        "if not (yield from holds_claim(proof.folder, proof.claim)):",
        "if not (yield from holds_claim(proof.folder, proof.claim)) and False:",
    ),
    Mutant(
        "says nothing in the ledger before it deletes",
        PURGE + "delete.py",
        "    if announced.mark is not None:\n        yield from ask(Write(spec.archive.ledger_bucket",
        "    if False:\n        yield from ask(Write(spec.archive.ledger_bucket",
    ),
    Mutant(
        "leaves no word of its delete that a restore does not take away",
        PURGE + "delete.py",
        "            yield from begin_delete(proof.folder, proof.claim, run.info, run.now())\n",
        "            pass\n",
    ),
    # archives
    Mutant(
        "takes what a mark says is purged for gone when its document is",
        ARCHIVE + "purged.py",
        "if not (is_own and entry.window.covers(window))",
        "if True",
        only=("aged",),
    ),
    Mutant(
        "publishes although series were erased since it read",
        FILES + "publish.py",
        "if (yield from read_fences(measurement_folder)) != fences:",
        "if (yield from read_fences(measurement_folder)) != fences and False:",
    ),
    Mutant(
        "takes another run's manifest for its own",
        FILES + "publish.py",
        'if not (yield from ask(PutNew(f"{folder}/{MANIFEST}", published.data))):',
        'if not (yield from ask(PutNew(f"{folder}/{MANIFEST}", published.data))) and False:',
    ),
    Mutant(
        "takes any archive of an expiring window for enough",
        ARCHIVE + "expiring_candidates.py",
        "is_as_many = known is not None and rows == known_rows",
        "is_as_many = known is not None",
    ),
    Mutant(
        "takes late points for those that were purged",
        ARCHIVE + "expiring_candidates.py",
        "if is_as_many and not purged:",
        "if is_as_many:",
    ),
    # compactions
    Mutant(
        "removes files of a generation that the large window does not hold",
        COMPACT + "remove.py",
        "if newest is None or newest.manifest.generation != number:",
        "if newest is None:",
        only=("aged",),
    ),
    Mutant(
        "removes files and does not say where their points are",
        COMPACT + "remove.py",
        "            yield from write_moved(newest.folder, Moved(large.manifest.window, large.manifest.generation))\n",
        "",
    ),
    # erasures
    Mutant(
        "puts no fence when it erases",
        FILES + "fences.py",
        '        if (yield from ask(PutNew(f"{erasures_folder(measurement_folder)}/{fence_name(number)}", b""))):\n',
        "        if True:\n",
    ),
    Mutant(
        "leaves copies of what it erases",
        ERASE + "clear.py",
        "        yield from clear_copies(self.spec)\n",
        "",
        only=("archived",),
    ),
    Mutant(
        "leaves examples of violations that name the series",
        ERASE + "texts.py",
        '    TextField(VALIDATION_MEASUREMENT, "examples", _clean_list),\n',
        "",
        only=("archived",),
    ),
    Mutant(
        "certifies although a validation has copied points meanwhile",
        ERASE + "look.py",
        "        yield from self._require_no_new_copies()\n",
        "",
    ),
    Mutant(
        "does not wait for runs that write windows of the series",
        ERASE + "erase.py",
        "        if clearing.writing:\n",
        "        if False:\n",
        only=("erased",),
    ),
    # validations
    Mutant(
        "leaves copies of points that are right again",
        VALIDATE + "quarantine.py",
        "        if gone > 0:\n",
        "        if False:\n",
    ),
    Mutant(
        "leaves clean points that are wrong by now",
        VALIDATE + "clean.py",
        "        for tags in sorted(stale):\n",
        "        for tags in sorted(stale)[:0]:\n",
    ),
    Mutant(
        "writes points to the clean bucket that break a rule",
        VALIDATE + "clean.py",
        "kept = table.where(~wrong[index]) if index in wrong else table",
        "kept = table",
    ),
    Mutant(
        "leaves what runs have put aside of an erased series",
        "lifecycle/erase/put_aside.py",
        "    reaches = _reaches(spec, readers)",
        "    reaches: dict[str, list[Interval]] = {}",
        only=("erased",),
    ),
    Mutant(
        "waits for no run that has rows of an erased series in its memory",
        "lifecycle/erase/targets.py",
        "return tuple(merge((*found.spans, *windows)))",
        "return found.spans",
        only=("erased",),
    ),
)
