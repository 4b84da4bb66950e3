"""Places of the package that matter, each with what breaks it: the simulator must find every one of them.

A mutant is a text of a file that is replaced by another one. ``python -m tests.simulation.mutation`` tries them.
"""

from __future__ import annotations

from tests.simulation.mutant import Mutant
from tests.simulation.pipelines import SHARED

RESPECIFIED = ("respecified", "handed over")
ROLLUP, TARGET, RECONCILE = "lifecycle/rollup/", "lifecycle/target/", "lifecycle/reconcile/"
CLAIMS = "lifecycle/ledger/claimed_windows.py"
RIGHT = "if verdict.is_right and verdict.totals == totals and below == before and not taken:"
WRITE_BACK = "    torn_by = yield from _write_back("
DELETES = """    for tags in sorted(doomed):
        yield from ask(Delete(spec.target_bucket, instant, spec.output_measurement, dict(tags)))
"""

MUTANTS = (
    # what is read back
    Mutant("commits what was never compared", ROLLUP + "commit.py", RIGHT, "if verdict.totals == totals:"),
    Mutant("commits whatever it has written", ROLLUP + "commit.py", RIGHT, "if True:"),
    Mutant(
        "does not count the source again",
        ROLLUP + "commit.py",
        RIGHT,
        "if verdict.is_right and below == before and not taken:",
        only=("uncounted",),
    ),
    Mutant(
        "counts the source once for both looks",
        ROLLUP + "write.py",
        "            _, counted = yield from gather(write, source_totals(job))",
        "            yield from ask(write)\n            counted = totals",
    ),
    Mutant(
        "leaves rows that nothing explains",
        ROLLUP + "verify.py",
        '    def is_right(self) -> bool:\n        """Whether target and source agree."""\n        return not self.differences and not self.stale.columns_by_key',
        "    def is_right(self) -> bool:\n        return not self.differences",
    ),
    Mutant(
        "never removes rows that nothing explains",
        ROLLUP + "commit.py",
        "if verdict.stale.columns_by_key and not verdict.differences and not verdict.overtaken:",
        "if False:",
    ),
    Mutant(
        "takes what it has written for all that is there",
        ROLLUP + "verify.py",
        "if stored_totals is not None and _holds_exactly(job, rows, stored_totals):",
        "if stored_totals is not None:",
    ),
    # fences
    Mutant(
        "does not see that others claim",
        CLAIMS,
        "return tuple(one for one in windows if one.start in theirs)",
        "return ()",
    ),
    Mutant(
        "commits what others have claimed",
        ROLLUP + "commit.py",
        RIGHT,
        "if verdict.is_right and verdict.totals == totals and below == before:",
    ),
    Mutant(
        "counts a commit that another claim has overtaken",
        "ledger/codec.py",
        "return State.WRITING if state is State.COMMITTED and is_overtaken else state",
        "return state",
    ),
    Mutant(
        "writes no claim",
        "ledger/codec.py",
        "if receipt.claim_id:",
        "if False:",
    ),
    Mutant(
        "writes the claim as if it were the commit",
        "ledger/codec.py",
        "fields[COMMITTED_BY if receipt.is_committed else CLAIMED_BY] = receipt.claim_id",
        "fields[COMMITTED_BY] = receipt.claim_id",
    ),
    Mutant(
        "claims under the same id in each run",
        "lifecycle/ledger/receipt_book.py",
        "claims_begin_with(self.run) + _half_a_claim(str(to_ns(now)))",
        '"c"',
    ),
    Mutant(
        "claims under the same id in each try",
        "lifecycle/ledger/receipt_book.py",
        "claims_begin_with(self.run) + _half_a_claim(str(to_ns(now)))",
        "claims_begin_with(replace(self.run, try_number=0))",
    ),
    Mutant(
        "writes rows although another run has claimed the window",
        ROLLUP + "write.py",
        "    if look.taken:\n        return Written",
        "    if False:\n        return Written",
    ),
    Mutant(
        "looks at no claim before it writes",
        ROLLUP + "last_look.py",
        "return LastLook(taken, tuple(aside))",
        "return LastLook((), tuple(aside))",
    ),
    Mutant(
        "looks at claims once it has written",
        ROLLUP + "windows.py",
        "book = (yield from self._book(block)).claiming(self.now())",
        "book = yield from self._book(block)",
    ),
    # reconcile
    Mutant(
        "repairs what another run has claimed",
        RECONCILE + "repair.py",
        "if (yield from last_look(job, book, is_untouched=is_untouched, is_repair=True)).taken:",
        "if False:",
    ),
    Mutant(
        "writes rows of a window that it has left to another run",
        ROLLUP + "commit.py",
        "again = written.rows.at(removed.columns_by_key)",
        "again = written.rows.at(verdict.stale.columns_by_key)",
    ),
    Mutant(
        "looks at no claim before it commits a repair",
        RECONCILE + "repair.py",
        "    if not done.overtaken:\n        claims",
        "    if False:\n        claims",
    ),
    Mutant(
        "repairs no rows",
        RECONCILE + "repair.py",
        "    if rows.columns:\n        done.rows",
        "    if False:\n        done.rows",
    ),
    Mutant(
        "removes no stale rows in a repair",
        RECONCILE + "repair.py",
        "    if stale.columns_by_key:\n        removed",
        "    if False:\n        removed",
    ),
    Mutant(
        "compares windows that are being written",
        RECONCILE + "sweep.py",
        "if receipt is None or not receipt.is_committed:",
        "if receipt is None:",
    ),
    Mutant(
        "takes windows of an earlier spec for right",
        RECONCILE + "sweep.py",
        "return None if receipt.spec_hash == self.book.spec_hash else Reason.SPEC_CHANGED",
        "return None",
        only=("respecified",),
    ),
    Mutant(
        "looks again at the series alone that a repair has written",
        RECONCILE + "repair.py",
        "read_and_compare(job, whole_depth(job))",
        "read_and_compare(job, whole_depth(job), {tags for tags, _ in findings.difference.pairs()})",
    ),
    Mutant(
        "keeps the checksum and the numbers of before a repair",
        RECONCILE + "repair.py",
        "held, windows = TargetState.of(findings, job), findings.difference.windows",
        "windows = findings.difference.windows",
    ),
    # points that are shared
    Mutant(
        "puts nothing aside",
        TARGET + "stale_rows.py",
        "        yield from put_aside(job, claim_id, window, known, commits)\n",
        "        pass\n",
    ),
    Mutant(
        "does not look for what another run has put aside",
        TARGET + "stale_rows.py",
        "away = yield from put_aside_by_anyone(job, window)",
        "away = type((yield from put_aside_by_anyone(job, window)))()",
        only=("handed over", "three", "erased"),
    ),
    Mutant(
        "deletes rows of a window that another run has claimed",
        ROLLUP + "commit.py",
        "if verdict.stale.columns_by_key and not verdict.differences and not verdict.overtaken:",
        "if verdict.stale.columns_by_key and not verdict.differences:",
    ),
    Mutant(
        "writes nothing back", TARGET + "stale_rows.py", "    if not any(kept.values()):\n", "    if True:\n"
    ),
    Mutant(
        "deletes before it puts aside",
        TARGET + "stale_rows.py",
        "    if is_shared:\n        yield from put_aside",
        DELETES + "    if is_shared:\n        yield from put_aside",
    ),
    Mutant(
        "forgets before it writes back",
        TARGET + "stale_rows.py",
        WRITE_BACK,
        "    if foreign:\n        yield from forget(job, window, claim_id)\n" + WRITE_BACK,
    ),
    Mutant(
        "deletes more series than are stale",
        TARGET + "stale_rows.py",
        "instant, spec.output_measurement, dict(tags)))",
        "instant, spec.output_measurement, {}))",
    ),
    Mutant(
        "keeps only series of the very same tags",
        TARGET + "stale_rows.py",
        "if any(w <= frozenset(key[0]) for w in wanted)",
        "if frozenset(key[0]) in wanted",
    ),
    Mutant(
        "brings nothing back that a run put aside and died",
        ROLLUP + "last_look.py",
        "    elif aside and not taken:\n",
        "    elif False:\n",
        only=SHARED,
    ),
    Mutant(
        "never forgets what was put aside",
        TARGET + "stale_rows.py",
        "instant, commits, torn_by)\n    yield from forget(job, window, claim_id)\n",
        "instant, commits, torn_by)\n",
    ),
    Mutant(
        "tears no window of others that they committed meanwhile",
        TARGET + "neighbours.py",
        "changed = [one for one in found if one.is_committed and _commit(one) != before.get(one.pipeline)]",
        "changed = [one for one in found if False]",
    ),
    Mutant(
        "tears no window of a pipeline that has begun since",
        TARGET + "stale_rows.py",
        "yield from tear((yield from with_neighbours(job)), instant, commits, torn_by)",
        "yield from tear(job, instant, commits, torn_by)",
    ),
    Mutant(
        "does not look whether a pipeline has begun where there was none",
        TARGET + "stale_rows.py",
        "    if alone:\n",
        "    if False:\n",
    ),
    Mutant(
        "reads values before what others have committed",
        TARGET + "neighbours.py",
        """    receipts = yield from _receipts(job, instant)
    commits = {one.pipeline: _commit(one) for one in receipts if one.is_committed}
    return commits, (yield from ask(values))
""",
        """    found = yield from ask(values)
    receipts = yield from _receipts(job, instant)
    return {one.pipeline: _commit(one) for one in receipts if one.is_committed}, found
""",
    ),
    Mutant(
        "tears the windows of others only when its values are back",
        TARGET + "stale_rows.py",
        "    if foreign:\n        # before",
        "    if False:\n        # before",
    ),
    Mutant(
        "tears the windows of others only when values that a run has put aside are back",
        TARGET + "set_aside.py",
        "        torn_by = yield from tear((yield from with_neighbours(job)), instant, commits)\n",
        "",
    ),
    Mutant(
        "does not look again when it has forgotten what another run had put aside",
        TARGET + "set_aside.py",
        "        if is_last:\n            # a run that hangs",
        "        if False:\n            # a run that hangs",
    ),
    Mutant(
        "leaves others their claim",
        TARGET + "neighbours.py",
        "writing = [one for one in found if one.state is State.WRITING]",
        "writing = [one for one in found if False]",
    ),
    Mutant(
        "forgets what a run has put aside that has claimed the window since",
        ROLLUP + "last_look.py",
        "        if not taken:\n            yield from restore_set_aside",
        "        if True:\n            yield from restore_set_aside",
        only=SHARED,
    ),
    Mutant(
        "repairs a window of a run that has died and put values aside",
        ROLLUP + "last_look.py",
        "        if aside:\n",
        "        if False:\n",
        only=SHARED,
    ),
    Mutant(
        "brings values back and tears nobody's window",
        TARGET + "set_aside.py",
        "if lacking or (not is_last and (not aside.points or _has_any(aside.points, there))):",
        "if False:",
    ),
    Mutant(
        "brings values back as if nobody had committed since",
        TARGET + "neighbours.py",
        'return f"{receipt.generation} {to_ns(receipt.written_at)} {receipt.claim_id}"',
        'return ""',
    ),
    Mutant(
        "takes values that are away for as new as the last commits",
        TARGET + "stale_rows.py",
        "return commits if old is None else seen_by_both(old, commits)",
        "return commits",
        only=("three",),
    ),
    # specs and windows
    Mutant(
        "refuses rows that another pipeline has given up",
        ROLLUP + "foreign_rows.py",
        "        found = yield from _without_given_up(job, found)\n",
        "",
        only=("handed over",),
    ),
    Mutant(
        "forgets the rows of earlier specs",
        ROLLUP + "plan.py",
        "return Ownership(mine, tuple(Claim.of(other) for other in earlier), tuple(others.values()), neighbours)",
        "return Ownership(mine, neighbours=neighbours)",
        only=RESPECIFIED,
    ),
    Mutant(
        "does not see that another spec was in use at the same time",
        ROLLUP + "plan.py",
        "and not _overlapped(receipt, used_at)",
        "",
        only=RESPECIFIED,
    ),
    Mutant(
        "takes what any run has committed for done",
        ROLLUP + "blocks.py",
        "    if not is_same_run or receipt.try_number not in claims:\n        return False\n",
        "    if claims or is_same_run or True:\n        return True\n",
    ),
    Mutant(
        "takes what any try has committed for done",
        ROLLUP + "blocks.py",
        "if receipt.is_committed\n        and receipt.spec_hash == book.spec_hash",
        "if receipt.spec_hash == book.spec_hash",
    ),
    Mutant(
        "leaves the last block out",
        ROLLUP + "blocks.py",
        "return blocks_of(todo, most)",
        "return blocks_of(todo, most)[:-1] or blocks_of(todo, most)",
    ),
    Mutant(
        "counts the rows of all series as one",
        "lifecycle/ledger/receipt_book.py",
        "            rows_out=rows_out,\n            series=series,",
        "            rows_out=rows_out,\n            series=min(series, 1),",
    ),
    Mutant(
        "reads a window up to its last microsecond only",
        "windows/equal_runs.py",
        "return EqualRun(Interval(first.start, windows[-1].stop), every_ns, offset_ns, windows)",
        "return EqualRun(Interval(first.start, windows[-1].stop - first.duration / 100), every_ns, offset_ns, windows)",
    ),
)
