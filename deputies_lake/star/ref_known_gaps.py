"""star.ref_known_gaps: what is missing or misleads in the sources' figures, to be shown beside what it touches.

A gap is of some months, of one source or all, of one category or all. The last months' receipts are still on their way:
which months these are depends on the newest of the House's files, all else is known beforehand.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final

from deputies_lake.contracts import Column, Table
from deputies_lake.raw import file_versions
from deputies_lake.reference import tables
from deputies_lake.star.shipped import CONFIDENCE, Row

RECEIPTS_ARRIVE_WITHIN: Final = timedelta(days=90)
"""Of the expense: after that the House does not reimburse it."""

STILL_ARRIVING: Final = "receipts_still_arriving"
NO_WHOLE_YEAR: Final = (STILL_ARRIVING, "early_years_sparse")
"""A year that has one of these is not to be compared with another."""

OF_PARTIES: Final = "party_may_be_todays"
"""Touches no total: it is told where parties are shown."""

CHANGES_FIGURES: Final = ("high", "medium")
"""The severities of gaps that are told beside the figures they touch. Others are worth knowing, and in the table."""

TABLE: Final = Table(
    layer="star",
    name="ref_known_gaps",
    pt="Lacunas conhecidas das fontes, para mostrar junto dos números que afetam.",
    en="Known gaps of the sources, to be shown beside the figures they touch.",
    grain="one row per gap",
    columns=(
        Column(
            name="gap_id",
            pt="nome da lacuna",
            en="the gap's name",
            example="sigepa_missing",
        ),
        Column(
            name="source_code",
            pt="fonte afetada; nula se todas",
            en="the source that has it; null for all",
            nullable=True,
            example="chamber_expenses",
        ),
        Column(
            name="expense_category_id",
            pt="categoria afetada; nula se todas",
            en="the category that has it; null for all",
            published="numSubCota",
            nullable=True,
            example="998",
        ),
        Column(
            name="first_month",
            type="date",
            pt="primeiro dia do primeiro mês afetado; nulo se desde o início",
            en="first day of the first month that has it; null where since the beginning",
            nullable=True,
            example="2025-08-01",
        ),
        Column(
            name="last_month",
            type="date",
            pt="primeiro dia do último mês afetado; nulo se continua",
            en="first day of the last month that has it; null where it goes on",
            nullable=True,
        ),
        Column(
            name="severity",
            pt="high: muda totais; medium: muda comparações; low: convém saber",
            en="high: changes totals; medium: changes comparisons; low: worth knowing",
            example="high",
        ),
        Column(
            name="text_pt",
            pt="o que falta ou engana, em português",
            en="what is missing or misleads, in Portuguese",
        ),
        Column(
            name="text_en",
            pt="o que falta ou engana, em inglês",
            en="what is missing or misleads, in English",
        ),
        CONFIDENCE,
    ),
    key=("gap_id",),
)


def newest_file(versions: Iterable[Mapping[str, Any]]) -> date | None:
    """The day of the newest of the House's files, by the rows of raw.file_versions; refused ones do not count."""
    believed = [version for version in versions if file_versions.is_believed(version)]
    days = ((version["modified_at"] or version["archived_at"]).date() for version in believed)
    return max(days, default=None)


def gaps(newest: date | None) -> list[Row]:
    """All gaps. Which months' receipts are still arriving depends on `newest_file`; without one, none are."""
    known = tables.rows("known_gaps")
    if newest is None:
        return [gap for gap in known if gap["gap_id"] != STILL_ARRIVING]
    months = {
        "first_month": f"{(newest - RECEIPTS_ARRIVE_WITHIN).replace(day=1)}",
        "last_month": f"{newest.replace(day=1)}",
    }
    return [{**gap, **months} if gap["gap_id"] == STILL_ARRIVING else gap for gap in known]
