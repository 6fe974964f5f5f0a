"""The dashboard's figures, read from the marts with DuckDB: nothing is computed here that a mart does not know.

Here belongs what the page shows, and how much of it; how it looks does not. All is columns of whole numbers and text,
which are half the size of rows: amounts in cents, shares in millionths, so that nothing is rounded on the way.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from deputies_lake.checks.audit import auditor
from deputies_lake.contracts import YEAR
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.serving import (
    mart_categories,
    mart_deputies,
    mart_deputy_categories,
    mart_largest_receipts,
    mart_months,
    mart_parties,
    mart_parties_today,
    mart_points_of_attention,
    mart_quota_shares,
    mart_states,
    mart_suppliers,
    publications,
    rejected_lines,
)
from deputies_lake.star.ref_known_gaps import NO_WHOLE_YEAR

TABLES: Final = (
    mart_months.TABLE,
    mart_deputies.TABLE,
    mart_deputy_categories.TABLE,
    mart_parties.TABLE,
    mart_parties_today.TABLE,
    mart_states.TABLE,
    mart_categories.TABLE,
    mart_suppliers.TABLE,
    mart_quota_shares.TABLE,
    mart_largest_receipts.TABLE,
    mart_points_of_attention.TABLE,
    publications.TABLE,
    rejected_lines.TABLE,
)
"""What the figures are read from."""

TOP_SUPPLIERS: Final = 30
ONLY_DEPUTY_SUPPLIERS: Final = 20
ONLY_DEPUTY_CENTS: Final = 5_000_000
"""From BRL 50,000 on it is told that a supplier served a single deputy."""
REJECTED_LINES: Final = 200
"""Of a year. Where there are more, the page says where they are listed."""

_HOUSE: Final = "camara.leg.br"

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """`overall` is what every view may need, by name; `by_year` what only a view of that year does."""

    overall: Mapping[str, Columns]
    by_year: Mapping[int, Mapping[str, Columns]]

    @property
    def years(self) -> Sequence[Mapping[str, Any]]:
        """One row for each year, in order."""
        columns = self.overall["years"]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def gather(lake: Lake) -> Figures:
    """All figures of the page. Raises `MissingTableError` where a mart was never published."""
    with _opened(lake) as connection:
        overall = {name: _columns(connection, query) for name, query in _OVERALL.items()}
        by_year = {name: _by_year(connection, query) for name, query in _BY_YEAR.items()}
    return Figures(
        overall=overall,
        by_year={
            year: {name: years.get(year, {}) for name, years in by_year.items()} for year in overall["years"][YEAR]
        },
    )


def link(url: str | None) -> str | None:
    """An address of the House, as https; None for any other, which the page must not lead to."""
    try:
        parts = urlsplit(url or "")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    is_house = host == _HOUSE or host.endswith(f".{_HOUSE}")
    if parts.scheme not in {"https", "http"} or not is_house or parts.netloc != host or port:
        return None
    return parts._replace(scheme="https").geturl()


@contextmanager
def _opened(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """The tables under their names, and `payers` and `categories`, whose places the other figures name."""
    with auditor() as connection:
        for table in TABLES:
            lake.view(connection, table, name=table.name)
        # In batches: called row by row, DuckDB looks for pandas anew at each row.
        connection.create_function(
            "house_link",
            lambda urls: pa.array(map(link, urls.to_pylist()), pa.string()),
            ["VARCHAR"],
            "VARCHAR",
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )
        for name, query in _NAMES.items():
            connection.execute(f"CREATE TEMP TABLE {name} AS {query}")
        yield connection


def _columns(connection: duckdb.DuckDBPyConnection, query: str) -> Columns:
    relation = connection.sql(query)
    return _transposed(relation.columns, relation.fetchall())


def _by_year(connection: duckdb.DuckDBPyConnection, query: str) -> Mapping[int, Columns]:
    """The rows of a query that begin with the year and are in its order."""
    relation = connection.sql(query)
    names = relation.columns[1:]
    of_years = groupby(relation.fetchall(), key=lambda row: row[0])
    return {year: _transposed(names, [row[1:] for row in rows]) for year, rows in of_years}


def _transposed(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Columns:
    values = list(zip(*rows, strict=True)) or [()] * len(names)
    return {name: list(column) for name, column in zip(names, values, strict=True)}


def _whole(factor: int, *amounts: str) -> str:
    return ", ".join(f"CAST({amount} * {factor} AS BIGINT) AS {amount}" for amount in amounts)


def _cents(*amounts: str) -> str:
    return _whole(100, *amounts)


def _millionths(*shares: str) -> str:
    return _whole(1_000_000, *shares)


_AMOUNTS: Final = (
    *("spent_amount", "gross_amount", "deduction_amount", "refund_amount", "difference_amount", "net_amount"),
    "returned_amount",
)
_NAMES: Final = {
    "payers": """
        SELECT row_number() OVER (ORDER BY name, deputy_key) - 1 AS payer, * FROM (
            SELECT deputy_key, arg_max(deputy_name, year) AS name, arg_max(deputy_register_id, year) AS register,
                arg_max(payer_kind, year) AS kind
            FROM mart_deputies GROUP BY deputy_key)""",
    "categories": """
        SELECT row_number() OVER (ORDER BY pt, expense_category_key) - 1 AS category, * FROM (
            SELECT expense_category_key, arg_max(category_pt, year) AS pt, arg_max(category_en, year) AS en
            FROM mart_categories GROUP BY expense_category_key)""",
}
_PER_DEPUTY: Final = f"deputies, receipts, {_cents('spent_amount', 'spent_per_deputy')}"

_OVERALL: Final[Mapping[str, str]] = {
    "payers": "SELECT CAST(deputy_key AS VARCHAR) AS key, name, register, kind FROM payers ORDER BY payer",
    "categories": "SELECT pt, en FROM categories ORDER BY category",
    "years": f"""
        SELECT year, source_code, receipts, deputies, gaps, last_month, CAST(as_of AS VARCHAR) AS as_of,
            coalesce(is_partial, false) AS is_partial, coalesce(is_partial, false)
                OR coalesce(list_has_any(string_split(gaps, ', '), {[*NO_WHOLE_YEAR]}), false) AS is_incomplete,
            rejected_lines, {_cents(*_AMOUNTS, "rejected_amount")}
        FROM (
            SELECT year, max(source_code) AS source_code, sum(receipts)::BIGINT AS receipts,
                {", ".join(f"sum({amount}) AS {amount}" for amount in _AMOUNTS)}
            FROM mart_months GROUP BY year)
        LEFT JOIN (
            SELECT year, last_month, as_of, is_incomplete AS is_partial, rejected_lines, rejected_amount
            FROM publications) USING (year)
        LEFT JOIN (
            SELECT year, string_agg(DISTINCT gap, ', ' ORDER BY gap) AS gaps
            FROM (SELECT year, unnest(string_split(known_gaps, ', ')) AS gap FROM mart_months)
            GROUP BY year) USING (year)
        LEFT JOIN (SELECT year, count(*) AS deputies FROM mart_deputies WHERE payer_kind = 'deputy' GROUP BY year)
            USING (year)
        ORDER BY year""",
    "months": f"""
        SELECT year, month, receipts, gaps, {_cents(*_AMOUNTS)} FROM (
            SELECT year, month, sum(receipts)::BIGINT AS receipts, max(known_gaps) AS gaps,
                {", ".join(f"sum({amount}) AS {amount}" for amount in _AMOUNTS)}
            FROM mart_months GROUP BY year, month)
        ORDER BY year, month""",
    "deputies": f"""
        SELECT year, payer, party_label AS party, state_code AS state, receipts, {_cents(*_AMOUNTS, "quota_to_date")},
            {_millionths("share_to_date")}
        FROM mart_deputies
        JOIN payers USING (deputy_key)
        LEFT JOIN (
            SELECT year, deputy_key, state_code, quota_to_date, share_to_date
            FROM mart_quota_shares
            WHERE share_to_date IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY year, deputy_key, state_code ORDER BY month DESC) = 1
        ) USING (year, deputy_key, state_code)
        ORDER BY year, payer""",
    "parties": f"""
        SELECT year, party_label AS party, {_PER_DEPUTY}
        FROM mart_parties WHERE party_kind <> 'leadership' ORDER BY year, spent_amount DESC, party""",
    "parties_today": f"""
        SELECT year, party_label_today AS party, party_labels AS labels, {_PER_DEPUTY}
        FROM mart_parties_today WHERE deputies > 0 ORDER BY year, spent_amount DESC, party""",
    "states": f"""
        SELECT year, state_code AS state, state_name AS name, region_pt, region_en, {_PER_DEPUTY}
        FROM mart_states WHERE deputies > 0 ORDER BY year, spent_amount DESC, state""",
    "category_years": f"""
        SELECT year, category, receipts, known_gaps AS gaps, {_cents("spent_amount")}, {_millionths("share_of_year")}
        FROM mart_categories JOIN categories USING (expense_category_key)
        ORDER BY year, spent_amount DESC, category""",
    "suppliers": f"""
        SELECT year, supplier_id AS id, supplier_name AS name, deputies, only_deputy.payer AS only_payer, receipts,
            {_cents("spent_amount")}, place <= {TOP_SUPPLIERS} AS is_top,
            only_place <= {ONLY_DEPUTY_SUPPLIERS} AND spent_amount * 100 >= {ONLY_DEPUTY_CENTS} AS is_only
        FROM (
            SELECT *, row_number() OVER (PARTITION BY year ORDER BY spent_amount DESC, supplier_key) AS place,
                CASE WHEN only_deputy_key IS NOT NULL THEN row_number() OVER (
                    PARTITION BY year, only_deputy_key IS NULL ORDER BY spent_amount DESC, supplier_key
                ) END AS only_place
            FROM mart_suppliers WHERE supplier_id_kind = 'cnpj') AS ranked
        LEFT JOIN payers AS only_deputy ON only_deputy.deputy_key = only_deputy_key
        WHERE is_top OR is_only
        ORDER BY year, place""",
    "points": f"""
        SELECT year, point_kind AS kind, text_pt AS pt, text_en AS en, receipts, {_cents("spent_amount")}
        FROM mart_points_of_attention ORDER BY year, kind, receipts DESC, point_id""",
}

_BY_YEAR: Final[Mapping[str, str]] = {
    "rejected": f"""
        SELECT year, file_name AS file, line, reason, {_cents("amount")}
        FROM rejected_lines SEMI JOIN publications USING (year, source_code)
        QUALIFY row_number() OVER (PARTITION BY year ORDER BY line) <= {REJECTED_LINES}
        ORDER BY year, line""",
    "months": f"""
        SELECT year, payer, month, known_gaps AS gaps, {_cents("spent_amount", "quota_amount", "spent_to_date")},
            {_millionths("share_of_quota", "share_to_date")}
        FROM mart_quota_shares JOIN payers USING (deputy_key) ORDER BY year, payer, month, state_code""",
    "categories": f"""
        SELECT year, payer, category, receipts, {_cents("spent_amount")}
        FROM mart_deputy_categories JOIN payers USING (deputy_key) JOIN categories USING (expense_category_key)
        ORDER BY year, payer, spent_amount DESC, category""",
    "receipts": f"""
        SELECT year, payer, category, CAST(date AS VARCHAR) AS date, supplier_name AS supplier,
            document_number AS number, house_link(receipt_url) AS link, rank_of_year AS rank, {_cents("spent_amount")}
        FROM mart_largest_receipts JOIN payers USING (deputy_key) JOIN categories USING (expense_category_key)
        WHERE rank_of_payer <= {mart_largest_receipts.LARGEST_OF_PAYER} OR rank_of_year <= {TOP_SUPPLIERS}
        ORDER BY year, payer, rank_of_payer""",
}
