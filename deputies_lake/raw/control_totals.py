"""What a published file adds up to, counted while it is read: what every later table must add up to as well."""

from dataclasses import dataclass, field
from decimal import Decimal

import pyarrow as pa

from deputies_lake.checks.audit import Sums

Group = tuple[int, str]


@dataclass
class ControlTotals:
    """Rows and summed amounts (BRL) per (year, category as published). What can't be read as an amount counts as 0."""

    rows: dict[Group, int] = field(default_factory=dict)
    amounts: dict[Group, list[Decimal]] = field(default_factory=dict)

    def add(self, years: pa.Array, categories: pa.Array, *amounts: pa.Array) -> None:
        """Count some rows; as many amounts each time."""
        names = [f"amount_{number}" for number in range(len(amounts))]
        table = pa.table([years, categories, *amounts], ["year", "category", *names])
        sums = table.group_by(["year", "category"]).aggregate([([], "count_all"), *((name, "sum") for name in names)])
        for row in sums.to_pylist():
            group = (row["year"], row["category"])
            self.rows[group] = self.rows.get(group, 0) + row["count_all"]
            so_far = self.amounts.setdefault(group, [Decimal(0)] * len(names))
            for place, name in enumerate(names):
                so_far[place] += row[f"{name}_sum"] or 0

    def sizes(self) -> list[Decimal]:
        """How much each amount of the whole file comes to, sums below 0 counted as if they were above."""
        return [sum(map(abs, amounts), Decimal(0)) for amounts in zip(*self.amounts.values(), strict=True)]

    def sums(self) -> Sums:
        return Sums.of(
            ((*group, count, *self.amounts[group]) for group, count in self.rows.items()),
            others=max(map(len, self.amounts.values()), default=1) - 1,
        )
