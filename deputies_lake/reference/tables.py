"""The reference tables that ship with the package, as CSV files beside this module, and how they are read.

What the House's codes, labels, parties and states mean, its quotas and limits, and what is known to be missing in its
files; each row with its confidence where it is not certain. Data that arrives with a source does not belong here, nor
does a transformation of either.
"""

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources


@cache
def rows(name: str) -> tuple[Mapping[str, str], ...]:
    """The rows of `name`.csv, each a mapping from column to text."""
    text = resources.files("deputies_lake.reference").joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def category_ids(source_code: str) -> Mapping[str, str]:
    """For each label with which a source names a category, the House's code (`numSubCota`)."""
    labels = rows("expense_category_labels")
    return {row["label"]: row["expense_category_id"] for row in labels if row["source_code"] == source_code}


def party_labels() -> dict[str, str]:
    """Every label that a party has or had, as the House spells it, by the same label in capitals."""
    return {row["party_label"].upper(): row["party_label"] for row in (*rows("parties"), *rows("party_events"))}
