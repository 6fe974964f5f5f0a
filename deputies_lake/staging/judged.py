"""A raw table's rows under judgement: which can be read, which are rejected, and what the latter sum up to.

Shared by the sources; which rows are rejected, and why, is decided by each source's `judge`.
"""

from collections.abc import Collection, Mapping
from functools import cached_property

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from deputies_lake.checks.audit import Sums
from deputies_lake.contracts import YEAR
from deputies_lake.raw.archive import Manifest
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.staging import rejected_rows
from deputies_lake.staging.texts import looked_up


class Judged:
    """Rows of raw with their `rejection_reason`, which get their `source_file`, and what was `published` of them.

    `personal` columns are left out of the rejected rows' text. Rejections are rare: when as many rows were staged as
    were published, the rows are not read a second time to find none.
    """

    def __init__(
        self,
        rows: DataFrame,
        source: PublishedCsv,
        published: Sums,
        source_file: Column,
        personal: Collection[str] = (),
    ) -> None:
        self._rows = rows.withColumn("source_file", source_file)
        self._source = source
        self._personal = personal
        self._published = published
        self._staged_rows = 0

    @classmethod
    def of_one_file(
        cls, rows: DataFrame, source: PublishedCsv, manifest: Manifest, years: Collection[int] | None = None
    ) -> "Judged":
        """The rows of `years`, or all rows, of a source's only file."""
        return cls(rows, source, manifest.sums(years), F.lit(manifest.file_name))

    @classmethod
    def of_yearly_files(
        cls,
        rows: DataFrame,
        source: PublishedCsv,
        manifests: Mapping[int, Manifest],
        personal: Collection[str] = (),
    ) -> "Judged":
        """The rows of all these years of a source that has a file for each."""
        published = sum((manifest.sums() for manifest in manifests.values()), Sums.none())
        names = {str(year): manifest.file_name for year, manifest in manifests.items()}
        return cls(rows, source, published, looked_up(F.col(YEAR).cast("string"), names), personal)

    def readable(self) -> DataFrame:
        """The rows that can be read, with their `source_file`."""
        return self._rows.where(F.col("rejection_reason").isNull())

    def staged(self, rows: int) -> None:
        """Take note of how many rows staging made of the readable ones."""
        self._staged_rows = rows

    def rejected(self) -> DataFrame:
        """The rejected rows, as `rejected_rows.TABLE` has them."""
        rows = self._rows.where(F.lit(False)) if self._has_none else self._rows
        return rejected_rows.transform(rows, self._source, self._personal)

    def sums(self) -> Sums:
        """What the readable rows must add up to."""
        return self._published - self.rejected_sums

    @cached_property
    def rejected_sums(self) -> Sums:
        """What the rejected rows add up to, where their amounts can be read."""
        if self._has_none:
            return Sums.none()
        totals = rejected_rows.TOTALS
        others = len(self._source.other_amount_columns)
        amounts = totals.amounts[: 1 + others]
        groups = self.rejected().groupBy(*totals.by).agg(F.count("*"), *map(F.sum, amounts))
        return Sums.of(groups.collect(), others)

    @property
    def _has_none(self) -> bool:
        return self._staged_rows == self._published.row_count
