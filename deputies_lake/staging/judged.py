"""A raw table's rows under judgement: which can be read, which are rejected, and what the latter sum up to.

Shared by the sources; which rows are rejected, and why, is decided by each source's `judge`.
"""

from collections.abc import Collection
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.checks.audit import Sums
from deputies_lake.raw.archive import Manifest
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.staging import rejected_rows


class Judged:
    """Rows of raw with their `rejection_reason`, and the manifest of the file they came from.

    `rows` are those of `years`, or of the whole file. Rejections are rare: when as many rows were staged as the file
    has, it is not read a second time to find none.
    """

    def __init__(
        self, rows: DataFrame, source: PublishedCsv, manifest: Manifest, years: Collection[int] | None = None
    ) -> None:
        self._rows, self._source, self._manifest = rows, source, manifest
        self._published = manifest.sums(years)
        self._staged_rows = 0

    @property
    def file_name(self) -> str:
        return self._manifest.file_name

    def readable(self) -> DataFrame:
        return self._rows.where(F.col("rejection_reason").isNull())

    def staged(self, rows: int) -> None:
        """Take note of how many rows staging made of the readable ones."""
        self._staged_rows = rows

    def rejected(self) -> DataFrame:
        """The rejected rows, as `rejected_rows.TABLE` has them."""
        rows = self._rows.where(F.lit(False)) if self._has_none else self._rows
        return rejected_rows.transform(rows, self._source, self.file_name)

    def sums(self) -> Sums:
        """What the readable rows must add up to."""
        return self._published - self.rejected_sums

    @cached_property
    def rejected_sums(self) -> Sums:
        """What the rejected rows add up to, where their amount can be read."""
        if self._has_none:
            return Sums.none()
        totals = rejected_rows.TOTALS
        groups = self.rejected().groupBy(*totals.by).agg(F.count("*"), F.sum(totals.amount))
        return Sums.of(groups.collect())

    @property
    def _has_none(self) -> bool:
        return self._staged_rows == self._published.row_count
