"""A raw table's rows under judgement: which can be read, which are rejected, and what the latter sum up to.

Shared by the sources; which rows are rejected, and why, is decided by each source's `judge`.
"""

from collections.abc import Collection
from functools import cached_property

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from deputies_lake.checks.audit import Sums
from deputies_lake.raw.archive import Manifest
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.staging import rejected_rows


class Judged:
    """Rows of raw with their `rejection_reason`, and the manifest of the file they came from.

    Rejections are rare: they are counted while the readable rows are written, so that a file without any is not read
    a second time to find none.
    """

    def __init__(self, rows: DataFrame, source: PublishedCsv, manifest: Manifest) -> None:
        self._rows, self._source, self._manifest = rows, source, manifest
        self._counted: Observation | None = None

    @property
    def file_name(self) -> str:
        return self._manifest.file_name

    def readable(self) -> DataFrame:
        """To be written before the rejected rows are asked for."""
        self._counted = Observation()
        count = F.count("rejection_reason").alias("rejections")
        return self._rows.observe(self._counted, count).where(F.col("rejection_reason").isNull())

    def rejected(self) -> DataFrame:
        """The rejected rows, as `rejected_rows.TABLE` has them."""
        rows = self._rows.where(F.lit(False)) if self._has_none else self._rows
        return rejected_rows.transform(rows, self._source, self.file_name)

    def sums(self, years: Collection[int] | None = None) -> Sums:
        """What the file's readable rows, of `years` only where given, must add up to."""
        return self._manifest.sums(years) - self.rejected_sums

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
        return self._counted is not None and self._counted.get["rejections"] == 0
