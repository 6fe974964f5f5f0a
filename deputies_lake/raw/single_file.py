"""From the landing zone to the published table of a source that has one file with all its years: Kaggle's.

What a source with a file a year does is in `intake.py`. Why such a file was refused last is kept in the archive: its
years have no rows of raw.file_versions.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from deputies_lake.checks.audit import Finding
from deputies_lake.contracts import Table
from deputies_lake.lakehouse.lake import Lake, Published, Staged
from deputies_lake.raw import ingestion
from deputies_lake.raw.archive import Acceptance, Archive, FileChangedError, LandedFile, LandingZone, Refusal
from deputies_lake.raw.ingestion import Report
from deputies_lake.raw.intake import NothingToAcceptError, rejected_lines
from deputies_lake.raw.published_csv import PublishedCsv, RawFileError
from deputies_lake.raw.rejections import told


@dataclass(frozen=True, kw_only=True)
class SingleFile:
    """A source with one file: where it arrives, is kept, and goes to."""

    lake: Lake
    zone: LandingZone
    archive: Archive
    source: PublishedCsv
    contract: Table

    def take_in(self, landed: LandedFile | None, *, run_id: str, report: Report) -> Published:
        """Publish the file if it is new; where none `landed`, what is published stays, be it an empty table.

        Raises `RawFileError`, which says whether a person may accept the file.
        """
        self._mend(run_id, report)
        if landed is None:
            if self.lake.exists(self.contract):
                return self._verified()
            return self._published(self.lake.nothing(self.contract), run_id)
        sha256 = self.zone.sha256(landed)
        is_known = self.lake.exists(self.contract) and self.lake.data_version(self.contract) == sha256
        if is_known and not self.lake.lacks_columns(self.contract):
            report(f"{landed.name} has the bytes that are published already; nothing to do")
            published = self._verified()
        else:
            published = self._published(self._staged(landed, sha256, run_id, report), run_id)
        self.archive.refuse(self.source, None)
        return published

    def _mend(self, run_id: str, report: Report) -> None:
        """Publish again what stands where a file of it is lost, whatever lies in the landing zone."""
        version = self.lake.data_version(self.contract) if self.lake.exists(self.contract) else None
        if version and not self.lake.stands(self.contract, version):
            staged = ingestion.stage_archived(
                self.lake, self.archive, self.source, self.contract, version, run_id=run_id, report=report
            )
            self._published(staged, run_id)

    def _staged(self, landed: LandedFile, sha256: str, run_id: str, report: Report) -> Staged:
        """Raises `RawFileError`, having noted it."""
        try:
            return self._believed(landed, sha256, run_id, report)
        except FileChangedError:
            # No version of anything.
            raise
        except RawFileError as error:
            self.archive.refuse(self.source, _refusal(landed, sha256, error))
            if not error.can_be_accepted:
                raise
            advice = f'deputies-lake accept --source {self.source.source_code} --reason "..."'
            remedy = f"{error.remedy} If that is how it is: {advice}."
            raise RawFileError(error.file, error.problem, remedy, can_be_accepted=True) from error

    def _believed(self, landed: LandedFile, sha256: str, run_id: str, report: Report) -> Staged:
        manifest, staged = ingestion.stage_file(
            self.lake,
            self.zone,
            self.archive,
            self.source,
            self.contract,
            landed,
            sha256=sha256,
            run_id=run_id,
            report=report,
        )
        if manifest.doubts and not self.archive.acceptance(self.source, sha256):
            raise RawFileError(landed.path, "; ".join(manifest.doubts), self.source.obtain, can_be_accepted=True)
        return staged

    def _verified(self) -> Published:
        return self.lake.verify(self.contract, findings=[self._rejected_lines(self.lake.data_version(self.contract))])

    def _published(self, staged: Staged, run_id: str) -> Published:
        finding = self._rejected_lines(staged.data_version)
        (published,) = self.lake.publish([replace(staged, findings=[finding])], run_id)
        return published

    def _rejected_lines(self, sha256: str | None) -> Finding:
        manifest = self.archive.manifest(self.source, sha256) if sha256 else None
        sentence = told(manifest.rejections, rows=manifest.rows) if manifest else ""
        return rejected_lines({manifest.file_name: sentence} if manifest and sentence else {})


def accept(archive: Archive, source: PublishedCsv, *, reason: str, by: str) -> Refusal:
    """Have the file that was refused last be published by the next materialization. Raises `NothingToAcceptError`."""
    refusal = archive.refusal(source)
    if refusal is None:
        raise NothingToAcceptError(f"no {source.csv_name} waits for acceptance. Nothing was changed.")
    if not refusal.can_be_accepted:
        why = f"{refusal.file_name}: {refusal.problem}. {refusal.remedy}"
        raise NothingToAcceptError(f"what can't be read can't be accepted. {why} Nothing was changed.")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    archive.accept(source, Acceptance(year=None, sha256=refusal.sha256, reason=reason, by=by, at=now))
    return refusal


def _refusal(landed: LandedFile, sha256: str, error: RawFileError) -> Refusal:
    return Refusal(
        file_name=landed.name,
        sha256=sha256,
        problem=error.problem,
        remedy=error.remedy,
        can_be_accepted=error.can_be_accepted,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
