"""From the landing zone to the published tables of a source with one file a year: what changed, and may it stand.

A year whose bytes are published already costs the reading of its file. A year whose new file can't be read, or is not
believed, keeps the version that it has, and the others go on. Every decision is kept in raw.file_versions.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from pyiceberg.table import Table as IcebergTable

from deputies_lake.checks.audit import AuditFailedError, Finding, Sums, listed, not_published
from deputies_lake.contracts import YEAR, Table
from deputies_lake.lakehouse.lake import Lake, Published, Staged
from deputies_lake.quota_years import clock
from deputies_lake.raw import file_versions, ingestion
from deputies_lake.raw.archive import Acceptance, Archive, FileChangedError, LandedFile, LandingZone, Manifest
from deputies_lake.raw.drop_guard import Earlier, compare
from deputies_lake.raw.file_dates import made_at
from deputies_lake.raw.ingestion import Report
from deputies_lake.raw.published_csv import PublishedCsv, RawFileError
from deputies_lake.raw.rejections import told

FILES_ARE_READABLE: Final = "files_are_readable"
"""The check that says which years' files could not be read, why, and what to do."""

NOTHING_VANISHED: Final = "nothing_vanished"
"""The check that says which years keep their old version although the new one can be read, and why."""

LINES_ARE_READABLE: Final = "lines_are_readable"
"""The check that says of which published files some lines are rejected."""

_REMEMBERED_DAYS: Final = 30
"""A version is compared with the largest that stood in so many days."""


@dataclass(frozen=True, kw_only=True)
class TakenIn:
    """The tables as they are now, and of the years asked for: which are new, were not published, or have no file.

    `refused` says why, year by year.
    """

    published: Sequence[Published]
    new: Sequence[int]
    refused: Mapping[int, str]
    absent: Sequence[int]


class NoneTakenInError(AuditFailedError):
    """There are files and none was published, nor is one of them published already. Names each, and what to do."""

    def __init__(self, contract: Table, findings: Sequence[Finding]) -> None:
        super().__init__({contract.name: findings})
        failed = "; ".join(finding.summary for finding in findings if finding.blocking and not finding.passed)
        self.args = (f"No file was taken in: {failed}",)


@dataclass(frozen=True, kw_only=True)
class _Decision:
    """What is done about a year's file. `row` is its new row of raw.file_versions, `staged` what is to be published.

    A file with `faults` is not published; of one that `is_readable` a person may say that it is right.
    """

    year: int
    faults: str = ""
    is_readable: bool = True
    remarks: str = ""
    row: Mapping[str, Any] | None = None
    staged: Staged | None = None


@dataclass(frozen=True, kw_only=True)
class _Offered:
    """A year's file as it landed, the version that readers have, and the year's rows of raw.file_versions so far."""

    year: int
    source: PublishedCsv
    landed: LandedFile
    sha256: str
    standing: str | None
    rows: Sequence[Mapping[str, Any]]

    @property
    def last(self) -> Mapping[str, Any] | None:
        """The last decision, if it was about these bytes."""
        last = self.rows[-1] if self.rows else None
        return last if last and last["sha256"] == self.sha256 else None

    @property
    def is_blocked(self) -> bool:
        """Whether these bytes were refused, and wait for a person's word."""
        return self.last is not None and self.last["decision"] == file_versions.BLOCKED


@dataclass(frozen=True, kw_only=True)
class Intake:
    """A source with one file a year: where it arrives, is kept, and goes to."""

    lake: Lake
    zone: LandingZone
    archive: Archive
    source: PublishedCsv
    contract: Table

    def take_in(
        self, years: Collection[int], *, run_id: str, report: Report, findings: Sequence[Finding] = ()
    ) -> TakenIn:
        """Publish what is new of these years. `findings` are shown beside those made here.

        A file that can't be read holds up no other. Where there are files and all were refused, raises
        `NoneTakenInError`.
        """
        self._mend(years, run_id, report)
        # First: what others publish from now on, of what is read here, is a conflict.
        table = self.lake.table(self.contract)
        standing, rows = self.lake.versions(self.contract), decisions(self.lake, years)
        found = {
            year: self._decide(year, standing.get(year), rows.get(year, ()), run_id, report) for year in sorted(years)
        }
        decided = [decision for decision in found.values() if decision]
        new = {decision.year: decision.staged for decision in decided if decision.staged}
        named = {year: one.data_version or "" for year, one in new.items()}
        shown = [*findings, *_findings(decided), self._rejected_lines(years, {**standing, **named})]
        new_rows = [decision.row for decision in decided if decision.row]
        if decided and all(decision.faults for decision in decided):
            if new_rows:
                self.lake.publish([self._staged_decisions(new_rows, run_id)], run_id)
            raise NoneTakenInError(self.contract, shown)
        return TakenIn(
            published=self._publish(years, table, new, new_rows, shown, run_id),
            new=[*new],
            refused={decision.year: decision.faults for decision in decided if decision.faults},
            absent=[year for year, decision in found.items() if decision is None],
        )

    def _mend(self, years: Collection[int], run_id: str, report: Report) -> None:
        """Publish again what stands of these years where a file of it is lost, whatever lies in the landing zone."""
        self.lake.restore(file_versions.TABLE, run_id)
        versions = self.lake.versions(self.contract)
        lost = self.lake.lost_years(self.contract).intersection(years, versions) if versions else ()
        staged = {
            year: ingestion.stage_archived(
                self.lake,
                self.archive,
                self.source.of_year(year),
                self.contract,
                versions[year],
                run_id=run_id,
                report=report,
            )
            for year in sorted(lost)
        }
        if staged:
            self.lake.publish([self._staged_years(self.lake.table(self.contract), staged, [])], run_id)

    def _decide(
        self, year: int, standing: str | None, rows: Sequence[Mapping[str, Any]], run_id: str, report: Report
    ) -> _Decision | None:
        """`standing` is the published version. None where there is no file."""
        source = self.source.of_year(year)
        landed = self.zone.find(source)
        if landed is None:
            return None
        sha256 = self.zone.sha256(landed)
        offered = _Offered(year=year, source=source, landed=landed, sha256=sha256, standing=standing, rows=rows)
        try:
            return self._read(offered, run_id, report)
        except RawFileError as error:
            report(f"{landed.name}: {error.problem}; NOT published")
            return self._refused(offered, error)

    def _refused(self, offered: _Offered, error: RawFileError) -> _Decision:
        landed = offered.landed
        row = file_versions.row_without_figures(
            self.source.source_code,
            replace(landed, modified=made_at(self.zone, landed, offered.source, offered.sha256)),
            offered.sha256,
            offered.year,
            before=offered.standing,
            error=error,
        )
        last = offered.last
        is_known = last and (last["decision"], last["faults"]) == (row["decision"], row["faults"])
        # What changed while it was read is no version of anything.
        is_none = isinstance(error, FileChangedError)
        return _Decision(
            year=offered.year,
            faults=row["faults"],
            is_readable=error.can_be_accepted,
            row=None if is_known or is_none else row,
        )

    def _read(self, offered: _Offered, run_id: str, report: Report) -> _Decision:
        """Raises `RawFileError`."""
        year, landed, sha256, last = offered.year, offered.landed, offered.sha256, offered.last
        stage = partial(
            ingestion.stage_file,
            self.lake,
            self.zone,
            self.archive,
            offered.source,
            self.contract,
            landed,
            sha256=sha256,
            run_id=run_id,
            report=report,
        )
        acceptance = self.archive.acceptance(offered.source, sha256)
        if sha256 == offered.standing:
            # A run that was killed between its two publications left a version without its row.
            known = last is not None and file_versions.is_believed(last)
            row = None if known else file_versions.row(self._manifest(sha256), year, acceptance=acceptance)
            if not self.lake.lacks_columns(self.contract, [year]):
                report(f"{landed.name}: its bytes are published already")
                return _Decision(year=year, row=row)
            report(f"{landed.name}: is read again, for the columns that its table has got since")
            return _Decision(year=year, row=row, staged=stage()[1])
        if offered.is_blocked and not acceptance:
            report(f"{landed.name}: was refused before and has not changed")
            return _Decision(year=year, faults=offered.rows[-1]["faults"])
        manifest, staged = stage()
        return self._judge(offered, manifest, staged, acceptance, report)

    def _judge(
        self, offered: _Offered, manifest: Manifest, staged: Staged, acceptance: Acceptance | None, report: Report
    ) -> _Decision:
        year, standing = offered.year, offered.standing
        before = self._manifest(standing).sums() if standing else Sums.none()
        comparison = compare(year, before, manifest.sums(), self._largest(offered))
        faults = [*comparison.faults, *(f"{manifest.file_name}: {doubt}" for doubt in manifest.doubts)]
        remarks = [*comparison.remarks]
        if added := self.source.new_columns(manifest.header):
            remarks.append(f"new columns: {', '.join(added)}")
        if not manifest.rows:
            remarks.append(f"{manifest.file_name} has a header and no rows yet")
        if acceptance and not faults and offered.is_blocked:
            # What was wrong with it is not seen in its figures.
            faults = [offered.rows[-1]["faults"]]
        is_refused = faults and not acceptance
        report(f"{comparison.summary}{'; NOT published' if is_refused else ''}")
        return _Decision(
            year=year,
            faults="; ".join(faults) if is_refused else "",
            remarks="; ".join(remarks),
            row=file_versions.row(
                manifest, year, before=standing, faults=faults, remarks=remarks, acceptance=acceptance
            ),
            staged=None if is_refused else staged,
        )

    def _largest(self, offered: _Offered) -> Earlier | None:
        """The largest version that readers had in the last weeks; None where it is the one they have."""
        since = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=_REMEMBERED_DAYS)
        stood = file_versions.standing_since(offered.rows, since)
        largest = max(stood, key=lambda row: (row["rows"], row["net_amount"]), default=None)
        if largest is None or largest["sha256"] == offered.standing:
            return None
        name = (
            f"version {largest['sha256'][:12]} of {largest['decided_at']:%Y-%m-%d}, the largest of "
            f"{_REMEMBERED_DAYS} days (this is {offered.sha256[:12]})"
        )
        return Earlier(name=name, sums=self._manifest(largest["sha256"]).sums())

    def _rejected_lines(self, years: Collection[int], versions: Mapping[int, str]) -> Finding:
        """Of what readers have now, whichever run published it."""
        manifests = {
            year: self.archive.manifest(self.source, versions[year]) for year in sorted(years) if year in versions
        }
        return rejected_lines(
            {
                str(year): told(manifest.rejections, rows=manifest.rows)
                for year, manifest in manifests.items()
                if manifest and manifest.rejections.rows
            }
        )

    def _manifest(self, sha256: str) -> Manifest:
        return ingestion.archived(self.archive, self.source, self.contract, sha256)

    def _publish(
        self,
        years: Collection[int],
        table: IcebergTable,
        new: Mapping[int, Staged],
        rows: Sequence[Mapping[str, Any]],
        findings: Sequence[Finding],
        run_id: str,
    ) -> list[Published]:
        """Both tables, each as far as there is something new; what there is already is looked at again."""
        staged = []
        if new or not self.lake.exists(self.contract):
            staged.append(self._staged_years(table, new, findings))
        if rows or not self.lake.exists(file_versions.TABLE):
            staged.append(self._staged_decisions(rows, run_id))
        published = {table.contract: table for table in self.lake.publish(staged, run_id)} if staged else {}
        return [
            published.get(self.contract) or self.lake.verify(self.contract, years, findings=findings),
            published.get(file_versions.TABLE) or self.lake.verify(file_versions.TABLE, years),
        ]

    def _staged_years(self, table: IcebergTable, staged: Mapping[int, Staged], findings: Sequence[Finding]) -> Staged:
        """All years in one publication."""
        if not staged:
            return replace(self.lake.nothing(self.contract), findings=findings)
        return Staged(
            contract=self.contract,
            table=table,
            files=[file for one in staged.values() for file in one.files],
            row_count=sum(one.row_count for one in staged.values()),
            years=[*staged],
            versions={year: one.data_version or "" for year, one in staged.items()},
            invented=any(one.invented for one in staged.values()),
            findings=findings,
        )

    def _staged_decisions(self, rows: Sequence[Mapping[str, Any]], run_id: str) -> Staged:
        """New rows of raw.file_versions, with those that their years have already."""
        table, years = file_versions.TABLE, [row[YEAR] for row in rows]
        if not rows:
            return self.lake.nothing(table)
        return self.lake.add_rows(table, lambda _: rows, run_id, years=years)


class NothingToAcceptError(Exception):
    """A version is to be accepted that was not refused, or can't be read. Says what was decided last."""


def accept(lake: Lake, archive: Archive, source: PublishedCsv, *, year: int, reason: str, by: str) -> Mapping[str, Any]:
    """Have the version of the year that was refused last be published by the next materialization.

    Gives its row of raw.file_versions. Raises `NothingToAcceptError`.
    """
    rows = decisions(lake, [year]).get(year)
    if not rows:
        raise NothingToAcceptError(f"no version of {year} waits for acceptance (none). Nothing was changed.")
    last = rows[-1]
    if last["decision"] == file_versions.REFUSED:
        raise NothingToAcceptError(f"what can't be read can't be accepted. {last['faults']} Nothing was changed.")
    if last["decision"] != file_versions.BLOCKED:
        at = clock(last["decided_at"].replace(tzinfo=UTC))
        standing = f"the last one was {last['decision']} at {at} in Brasília"
        raise NothingToAcceptError(f"no version of {year} waits for acceptance ({standing}). Nothing was changed.")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    archive.accept(source, Acceptance(year=year, sha256=last["sha256"], reason=reason, by=by, at=now))
    return last


def decisions(lake: Lake, years: Collection[int] | None = None) -> Mapping[int, Sequence[Mapping[str, Any]]]:
    """Year by year the rows of raw.file_versions, the oldest first; no year without any."""
    by_year: dict[int, list[Mapping[str, Any]]] = {}
    for row in sorted(lake.rows(file_versions.TABLE, years), key=lambda row: row["decided_at"]):
        by_year.setdefault(row[YEAR], []).append(row)
    return by_year


def rejected_lines(told_by_file: Mapping[str, str]) -> Finding:
    """The check's finding, from a sentence about each file (or year) of which lines are rejected."""
    listed = "; ".join(f"{name}: {sentence}" for name, sentence in told_by_file.items())
    return Finding(
        check=LINES_ARE_READABLE,
        passed=not told_by_file,
        blocking=False,
        summary=f"{listed}. They are kept in staging.rejected_rows" if listed else "every line can be read",
        figures=told_by_file,
    )


def _findings(decided: Sequence[_Decision]) -> list[Finding]:
    unreadable = {str(one.year): one.faults for one in decided if one.faults and not one.is_readable}
    doubted = {str(one.year): one.faults for one in decided if one.faults and one.is_readable}
    remarks = {str(one.year): one.remarks for one in decided if one.remarks and not one.faults}
    readable = Finding(
        check=FILES_ARE_READABLE,
        passed=not unreadable,
        blocking=True,
        summary=not_published(unreadable) if unreadable else "every file that is there can be read",
        figures=unreadable,
    )
    summary = listed(remarks) if remarks else "no year lost what it had"
    if doubted:
        year, *more = doubted
        advice = f'deputies-lake accept --year {year} --reason "..."{", likewise the others" if more else ""}'
        summary = f"{not_published(doubted)}. If that is how it is: {advice}"
    vanished = Finding(
        check=NOTHING_VANISHED,
        passed=not (doubted or remarks),
        blocking=bool(doubted),
        summary=summary,
        figures=remarks | doubted,
    )
    return [readable, vanished]
