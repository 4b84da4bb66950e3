"""A look at every place that may hold points of the series."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from airflow_provider_influx_rollup.exceptions import ConfigurationError, SourceChanging
from airflow_provider_influx_rollup.flux.rollup import RollupSource
from airflow_provider_influx_rollup.lifecycle.erase.archive import ArchiveLook, WindowFiles, held_by
from airflow_provider_influx_rollup.lifecycle.erase.copies import find_copies
from airflow_provider_influx_rollup.lifecycle.erase.found import ErasureFindings, Holding, found_of
from airflow_provider_influx_rollup.lifecycle.erase.put_aside import find_put_aside
from airflow_provider_influx_rollup.lifecycle.erase.scripts import with_scripts
from airflow_provider_influx_rollup.lifecycle.erase.source import find_matching, source_of
from airflow_provider_influx_rollup.lifecycle.erase.spec import EraseSpec
from airflow_provider_influx_rollup.lifecycle.erase.targets import Readers, find_readers, find_rows
from airflow_provider_influx_rollup.lifecycle.erase.validated import find_validated
from airflow_provider_influx_rollup.lifecycle.pipeline.registry import load_stored
from airflow_provider_influx_rollup.steps.ask import ask
from airflow_provider_influx_rollup.steps.influx import Bucket, Progressed, ShowKeys, SourceKeys
from airflow_provider_influx_rollup.steps.step import Steps
from airflow_provider_influx_rollup.windows.interval import Interval

SOURCE = "source"
FIX_RERUN = "run it again: it continues where it stopped"


@dataclass(kw_only=True)
class Looker:
    """Looks everywhere.

    :param bucket: of the source
    :param readers: pipelines that hold what was made of the measurement
    :param keys: tag keys of the archive's files
    """

    spec: EraseSpec
    bucket: Bucket
    readers: Readers
    archive: ArchiveLook
    keys: set[str] = field(default_factory=set)

    @property
    def source(self) -> RollupSource:
        """The series where they are written."""
        return source_of(self.spec.archive.bucket, self.spec.archive.measurement, self.spec.tags)

    def look(self) -> Steps[ErasureFindings]:
        """Count and hash all that there is."""
        archive = self.spec.archive
        source = yield from find_matching(self.bucket, self.source, self.spec.span, archive.max_rows_per_read)
        details = {"bucket": archive.bucket, "measurement": archive.measurement}
        held = [Holding.of(f"{SOURCE} {archive.bucket}/{archive.measurement}", source.points, **details)]
        spans = list(source.spans)
        windows = yield from self.archive.windows()
        for number, window in enumerate(windows):
            looked = Progressed(message="archived windows looked into", done=number, total=len(windows))
            yield from ask(looked)
            found = held_by((yield from self._window(window)))
            held += found
            spans += [window] if found else []
        rows: dict[str, dict[int, int]] = {}
        for place in self.readers.places():
            there, of_pipelines = yield from find_rows(self.spec, self.readers, place)
            held.append(there)
            rows |= of_pipelines
        copies, copied = yield from find_copies(self.spec)
        held += copies
        spans += copied
        aside, of_aside = yield from find_put_aside(self.spec, self.readers)
        return found_of([*held, aside], spans, rows).with_windows(of_aside)

    def _window(self, window: Interval) -> Steps[WindowFiles]:
        files = yield from self.archive.look(window)
        for one in files.generations:
            if one.published is not None:
                self.keys.update(one.published.manifest.tags)
        return files

    def require_known(self, *, was_found: bool) -> Steps[None]:
        """Refuse a measurement that does not exist, and tags that none of its series has.

        :param was_found: whether something was found, so that the tags are known
        :raises ConfigurationError: naming what is unknown
        """
        archive = self.spec.archive
        if self.spec.require_archive and not self.archive.has_any:
            what = f"{archive.shown_path}/{archive.folder} has no archive of {archive.bucket}/{archive.measurement}"
            fix = "correct the path, or set require_archive=False when nothing was ever archived"
            raise ConfigurationError(what, written="nothing", fix=fix)
        if was_found:
            return
        keys: SourceKeys = yield from ask(ShowKeys(archive.bucket, archive.measurement))
        if not keys.tags and not keys.fields and not self.keys:
            what = f"measurement {archive.measurement!r} does not exist: bucket {archive.bucket!r} and the archive have no point of it"
            raise ConfigurationError(what, written="nothing", fix="correct its name")
        unknown = sorted(set(self.spec.tags) - set(keys.tags) - self.keys)
        if unknown:
            raise _unknown_tag(unknown[0], archive.measurement, keys.fields)

    def require_no_new_reader(self) -> Steps[None]:
        """Refuse to certify when a pipeline or a validation came since the erasure looked for those that read the series.

        :raises SourceChanging: naming it
        """
        yield from self._require_no_new_copies()
        stored = yield from load_stored(self.spec.archive.ledger_bucket)
        spec = replace(self.spec, pipelines=None)
        now = yield from with_scripts(find_readers(spec, stored), spec, stored)
        known = {*self.readers.left, *(one.name for one in self.readers.chosen)}
        new = sorted({*now.left, *(one.name for one in now.chosen)} - known)
        if new:
            what = f"pipeline {self.spec.shown(new[0])!r} ran for the first time while the series were erased"
            raise SourceChanging(what, written="no certificate", fix=FIX_RERUN)

    def _require_no_new_copies(self) -> Steps[None]:
        """A validation says where it copies points to before the first of them is there."""
        now, left = yield from find_validated(self.spec)
        places = (f"copies points to {'/'.join(one)!r}" for one in now.copies if one not in self.spec.copies)
        new = [*(name for name in left if name not in self.readers.left), *places]
        if new:
            what = f"a validation ran for the first time while the series were erased: {new[0]}"
            raise SourceChanging(what, written="no certificate", fix=FIX_RERUN)


def _unknown_tag(key: str, measurement: str, fields: Iterable[str]) -> ConfigurationError:
    """The error of a tag key that no series has."""
    if key in fields:
        what = f"{key!r} is a field of measurement {measurement!r}, no tag: InfluxDB cannot delete by a field"
        return ConfigurationError(what, written="nothing", fix="name tags that only these series have")
    what = f"no series of measurement {measurement!r} has a tag {key!r}, in the bucket or in the archive"
    return ConfigurationError(what, written="nothing", fix="correct the tag's key")
