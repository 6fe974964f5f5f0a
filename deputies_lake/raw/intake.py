"""From the landing zone to the published tables of a source with one file a year: what changed, and may it stand.

A year whose bytes are published already costs the reading of its file. A year whose new file lost too much keeps the
version that it has, and the others go on. Every decision is kept in raw.file_versions.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from deputies_lake.checks.audit import AuditFailedError, Finding, Sums
from deputies_lake.contracts import YEAR, Table
from deputies_lake.raw import file_versions, ingestion
from deputies_lake.raw.archive import Acceptance, Archive, LandingZone, Manifest
from deputies_lake.raw.drop_guard import compare
from deputies_lake.raw.ingestion import Report
from deputies_lake.raw.published_csv import PublishedCsv, RawFileError
from deputies_lake.resources.lake import Lake, Published, Staged

NOTHING_VANISHED: Final = "nothing_vanished"
"""The check that says which years keep their old version, and why."""


@dataclass(frozen=True, kw_only=True)
class TakenIn:
    """The tables as they are now, and of the years asked for: which are new, were refused, or have no file."""

    published: Sequence[Published]
    new: Sequence[int]
    refused: Sequence[int]
    absent: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class _Decision:
    """What is done about a year's file. `row` is its new row of raw.file_versions, `staged` what is to be published.

    `unreadable` says what was wrong with a file that is not what it should be: it has no row, for it has no rows.
    """

    year: int
    unreadable: RawFileError | None = None
    faults: str = ""
    remarks: str = ""
    row: Mapping[str, Any] | None = None
    staged: Staged | None = None


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

        A file that is not what it should be is refused, too, and the other years go on. Where there are files and all
        were refused, raises `AuditFailedError`; where there are only such files, their first `RawFileError`.
        """
        standing, last = self.lake.versions(self.contract), last_decisions(self.lake, years)
        found = {year: self._read(year, standing.get(year), last.get(year), run_id, report) for year in sorted(years)}
        decisions = [decision for decision in found.values() if decision]
        unreadable = [decision.unreadable for decision in decisions if decision.unreadable]
        if unreadable and len(unreadable) == len(decisions):
            raise unreadable[0]
        new = [decision for decision in decisions if decision.staged]
        shown = [*findings, _finding(decisions)]
        published = self._publish(years, new, [d.row for d in decisions if d.row], shown, run_id)
        if decisions and all(decision.faults for decision in decisions):
            raise AuditFailedError({self.contract.name: shown})
        return TakenIn(
            published=published,
            new=[decision.year for decision in new],
            refused=[decision.year for decision in decisions if decision.faults],
            absent=[year for year, decision in found.items() if decision is None],
        )

    def _read(
        self, year: int, standing: str | None, last: Mapping[str, Any] | None, run_id: str, report: Report
    ) -> _Decision | None:
        """As `_decide`; one year's bad file must not hold up the others."""
        try:
            return self._decide(year, standing, last, run_id, report)
        except RawFileError as error:
            report(f"{error.file}: {error.problem}; NOT published")
            return _Decision(year=year, unreadable=error, faults=f"{error.file}: {error.problem}. {error.remedy}")

    def _decide(
        self, year: int, standing: str | None, last: Mapping[str, Any] | None, run_id: str, report: Report
    ) -> _Decision | None:
        """`standing` is the published version, `last` the last decision about the year. None where there is no file."""
        source = self.source.of_year(year)
        landed = self.zone.find(source)
        if landed is None:
            return None
        sha256 = self.zone.sha256(landed)
        decided = last["decision"] if last and last["sha256"] == sha256 else None
        stage = partial(
            ingestion.stage_file,
            self.lake,
            self.zone,
            self.archive,
            source,
            self.contract,
            landed,
            sha256=sha256,
            run_id=run_id,
            report=report,
        )
        if sha256 == standing:
            # A run that was killed between its two publications left a version without its row.
            known = decided in {file_versions.PUBLISHED, file_versions.ACCEPTED}
            row = None if known else file_versions.row(self._manifest(sha256), year)
            if not self.lake.lacks_columns(self.contract, [year]):
                report(f"{landed.name}: its bytes are published already")
                return _Decision(year=year, row=row)
            report(f"{landed.name}: is read again, for the columns that its table has got since")
            return _Decision(year=year, row=row, staged=stage()[1])
        if last and decided == file_versions.BLOCKED and not self.archive.acceptance(source, sha256):
            report(f"{landed.name}: was refused before and has not changed")
            return _Decision(year=year, faults=last["faults"])
        manifest, staged = stage()
        return self._judge(year, standing, manifest, staged, report)

    def _judge(self, year: int, standing: str | None, manifest: Manifest, staged: Staged, report: Report) -> _Decision:
        before = self._manifest(standing).sums() if standing else Sums.none()
        comparison = compare(year, before, manifest.sums())
        if added := self.source.new_columns(manifest.header):
            comparison = replace(comparison, remarks=(*comparison.remarks, f"new columns: {', '.join(added)}"))
        acceptance = self.archive.acceptance(self.source, manifest.sha256)
        refused = comparison.faults and not acceptance
        report(f"{comparison.summary}{'; NOT published' if refused else ''}")
        return _Decision(
            year=year,
            faults="; ".join(comparison.faults) if refused else "",
            remarks="; ".join(comparison.remarks),
            row=file_versions.row(manifest, year, before=standing, comparison=comparison, acceptance=acceptance),
            staged=None if refused else staged,
        )

    def _manifest(self, sha256: str) -> Manifest:
        return ingestion.archived(self.archive, self.source, self.contract, sha256)

    def _publish(
        self,
        years: Collection[int],
        new: Sequence[_Decision],
        rows: Sequence[Mapping[str, Any]],
        findings: Sequence[Finding],
        run_id: str,
    ) -> list[Published]:
        """Both tables, each as far as there is something new; what there is already is looked at again."""
        staged = []
        if new or not self.lake.exists(self.contract):
            staged.append(self._staged_years(new, findings))
        if rows or not self.lake.exists(file_versions.TABLE):
            staged.append(self._staged_decisions(rows, run_id))
        published = {table.contract: table for table in self.lake.publish(staged, run_id)} if staged else {}
        return [
            published.get(self.contract) or self.lake.verify(self.contract, years, findings=findings),
            published.get(file_versions.TABLE) or self.lake.verify(file_versions.TABLE, years),
        ]

    def _staged_years(self, new: Sequence[_Decision], findings: Sequence[Finding]) -> Staged:
        """All years in one publication."""
        staged = {decision.year: decision.staged for decision in new if decision.staged}
        if not staged:
            return replace(self.lake.nothing(self.contract), findings=findings)
        return Staged(
            contract=self.contract,
            # As it was when the first was staged: what others publish of these years from then on is a conflict.
            table=next(iter(staged.values())).table,
            files=[file for one in staged.values() for file in one.files],
            row_count=sum(one.row_count for one in staged.values()),
            years=[*staged],
            versions={year: one.data_version or "" for year, one in staged.items()},
            findings=findings,
        )

    def _staged_decisions(self, rows: Sequence[Mapping[str, Any]], run_id: str) -> Staged:
        """New rows of raw.file_versions, with those that their years have already."""
        table, years = file_versions.TABLE, [row[YEAR] for row in rows]
        if not rows:
            return self.lake.nothing(table)
        return self.lake.add_rows(table, lambda _: rows, run_id, years=years)


class NothingToAcceptError(Exception):
    """A version is to be accepted that was not refused. Says what was decided last about the year."""


def accept(lake: Lake, archive: Archive, source: PublishedCsv, *, year: int, reason: str, by: str) -> Mapping[str, Any]:
    """Have the version of the year that was refused last be published by the next materialization.

    Gives its row of raw.file_versions. Raises `NothingToAcceptError`.
    """
    last = last_decisions(lake, [year]).get(year)
    if last is None or last["decision"] != file_versions.BLOCKED:
        standing = f"the last one was {last['decision']} at {last['decided_at']:%Y-%m-%d %H:%M} UTC" if last else "none"
        raise NothingToAcceptError(f"no version of {year} waits for acceptance ({standing}). Nothing was changed.")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    archive.accept(source, Acceptance(year=year, sha256=last["sha256"], reason=reason, by=by, at=now))
    return last


def last_decisions(lake: Lake, years: Collection[int]) -> Mapping[int, Mapping[str, Any]]:
    """Year by year the last row of raw.file_versions, where there is one."""
    return {row[YEAR]: row for row in sorted(lake.rows(file_versions.TABLE, years), key=lambda row: row["decided_at"])}


def _finding(decisions: Sequence[_Decision]) -> Finding:
    refused = {str(decision.year): decision.faults for decision in decisions if decision.faults}
    remarks = {str(decision.year): decision.remarks for decision in decisions if decision.remarks}
    if not refused:
        summary = f"something to know of {', '.join(remarks)}" if remarks else "no year lost what it had"
        return Finding(check=NOTHING_VANISHED, passed=not remarks, blocking=False, summary=summary, figures=remarks)
    summary = f"{', '.join(refused)} not published, readers keep the version before"
    if doubted := [decision.year for decision in decisions if decision.faults and not decision.unreadable]:
        summary += f'. If that is how it is: deputies-lake accept --year {doubted[0]} --reason "..."'
    return Finding(check=NOTHING_VANISHED, passed=False, blocking=True, summary=summary, figures=remarks | refused)
