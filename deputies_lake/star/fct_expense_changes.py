"""star.fct_expense_changes: what became of a year's figures each time a new version of it was published.

The House publishes every year anew each night: receipts arrive late, are corrected, withdrawn. This table says by how
much, category by category, and outlives the snapshots it was computed from. The comparison is SQL for DuckDB over the
fact's files before and after; `deputies-lake diff` asks the same of any two snapshots. Which versions are compared, and
when, is in `changes.py`.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import duckdb

from deputies_lake.contracts import TOTAL, YEAR, Column, Table

_FACT: Final = "fct_expenses"

TABLE: Final = Table(
    layer="star",
    name="fct_expense_changes",
    pt="O que mudou em cada ano quando uma nova versão dele foi publicada, por categoria.",
    en="What changed in a year each time a new version of it was published, by category.",
    grain="one row per year, publication that changed it, and category that changed",
    partitioned=True,
    columns=(
        Column(name=YEAR, type="int", pt="ano da cota", en="quota year", source=(f"{_FACT}.year",), example="2022"),
        Column(
            name="changed_at",
            type="timestamp_ntz",
            pt="desde quando a nova versão vale (UTC)",
            en="since when the new version stands (UTC)",
        ),
        Column(
            name="expense_category_key",
            type="bigint",
            pt="categoria da despesa",
            en="expense category",
            source=(f"{_FACT}.expense_category_key",),
        ),
        Column(
            name="source_before",
            pt="fonte do ano até então",
            en="the year's source until then",
            source=(f"{_FACT}.source_code",),
            nullable=True,
            example="chamber_expenses",
        ),
        Column(
            name="source_after",
            pt="fonte do ano desde então",
            en="the year's source since then",
            source=(f"{_FACT}.source_code",),
            nullable=True,
            example="chamber_expenses",
        ),
        Column(
            name="rows_added",
            type="bigint",
            pt="linhas novas",
            en="rows that are new",
            source=(f"{_FACT}.expense_key",),
        ),
        Column(
            name="rows_removed",
            type="bigint",
            pt="linhas que sumiram",
            en="rows that are gone",
            source=(f"{_FACT}.expense_key",),
        ),
        Column(
            name="rows_altered",
            type="bigint",
            pt="linhas do mesmo documento com outro conteúdo",
            en="rows of the same document with other content",
            source=(f"{_FACT}.expense_key", f"{_FACT}.document_id"),
        ),
        *(
            Column(
                name=f"{measure}_{moment}",
                type=TOTAL,
                pt=f"{pt} da categoria no ano, {quando}, em BRL",
                en=f"{en} of the category in the year, {when}, in BRL",
                source=(f"{_FACT}.{measure}_amount",),
            )
            for measure, pt, en in (
                ("document", "valor dos documentos", "the documents' value"),
                ("net", "valor líquido", "the net value"),
            )
            for moment, quando, when in (("before", "antes", "before"), ("after", "depois", "after"))
        ),
    ),
    # No reference to the dimension is checked: a category may have gone since, and history stays.
    key=(YEAR, "changed_at", "expense_category_key"),
)

# A row's key is a hash of all that was published in it, so an altered row has another key. It is known again by its
# document; of a document's several altered rows the smallest is compared with the smallest.
_CHANGED_ROWS: Final = """
    WITH gone AS (FROM before ANTI JOIN after USING (year, expense_key)),
    new AS (FROM after ANTI JOIN before USING (year, expense_key)),
    removed AS (
        SELECT *, row_number() OVER (PARTITION BY year, deputy_key, document_id ORDER BY net_amount, expense_key) AS nth
        FROM gone SEMI JOIN new USING (year, deputy_key, document_id)
        UNION ALL
        SELECT *, NULL AS nth FROM gone ANTI JOIN new USING (year, deputy_key, document_id)
    ),
    added AS (
        SELECT *, row_number() OVER (PARTITION BY year, deputy_key, document_id ORDER BY net_amount, expense_key) AS nth
        FROM new SEMI JOIN gone USING (year, deputy_key, document_id)
        UNION ALL
        SELECT *, NULL AS nth FROM new ANTI JOIN gone USING (year, deputy_key, document_id)
    )
    SELECT
        CASE WHEN removed.expense_key IS NULL THEN 'added'
             WHEN added.expense_key IS NULL THEN 'removed'
             ELSE 'altered' END AS change,
        coalesce(added.year, removed.year) AS year,
        coalesce(added.expense_category_key, removed.expense_category_key) AS expense_category_key,
        coalesce(added.deputy_key, removed.deputy_key) AS deputy_key,
        coalesce(added.document_id, removed.document_id) AS document_id,
        removed.document_amount AS document_before,
        added.document_amount AS document_after,
        removed.net_amount AS net_before,
        added.net_amount AS net_after
    FROM removed
    FULL OUTER JOIN added
        ON removed.year = added.year AND removed.deputy_key = added.deputy_key
        AND removed.document_id = added.document_id AND removed.nth = added.nth
"""

_BY_CATEGORY: Final = f"""
    WITH changed AS ({_CHANGED_ROWS}),
    counts AS (
        SELECT
            year,
            expense_category_key,
            count(*) FILTER (change = 'added') AS rows_added,
            count(*) FILTER (change = 'removed') AS rows_removed,
            count(*) FILTER (change = 'altered') AS rows_altered
        FROM changed
        GROUP BY ALL
    ),
    sums AS (
        SELECT
            year,
            expense_category_key,
            max(source_code) FILTER (moment = 'before') AS source_before,
            max(source_code) FILTER (moment = 'after') AS source_after,
            coalesce(sum(document_amount) FILTER (moment = 'before'), 0) AS document_before,
            coalesce(sum(document_amount) FILTER (moment = 'after'), 0) AS document_after,
            coalesce(sum(net_amount) FILTER (moment = 'before'), 0) AS net_before,
            coalesce(sum(net_amount) FILTER (moment = 'after'), 0) AS net_after
        FROM (
            SELECT 'before' AS moment, year, expense_category_key, source_code, document_amount, net_amount FROM before
            UNION ALL
            SELECT 'after' AS moment, year, expense_category_key, source_code, document_amount, net_amount FROM after
        )
        GROUP BY ALL
    )
    SELECT
        year, expense_category_key, source_before, source_after,
        coalesce(rows_added, 0) AS rows_added,
        coalesce(rows_removed, 0) AS rows_removed,
        coalesce(rows_altered, 0) AS rows_altered,
        document_before, document_after, net_before, net_after
    FROM sums
    LEFT JOIN counts USING (year, expense_category_key)
    WHERE rows_added + rows_removed + rows_altered > 0
        OR (document_before, net_before) <> (document_after, net_after)
    ORDER BY year, expense_category_key
"""


def changes(connection: duckdb.DuckDBPyConnection) -> list[Mapping[str, Any]]:
    """By year and category, what differs between the views `before` and `after`, which have the fact's columns.

    Rows are added, removed, or altered; a document that moved to another category is altered in the new one.
    """
    found = connection.sql(_BY_CATEGORY)
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def changed_rows(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """Each row that differs between the views `before` and `after`: `change` is added, removed or altered."""
    return connection.sql(_CHANGED_ROWS)


def rows(found: Iterable[Mapping[str, Any]], changed_at: datetime) -> list[Mapping[str, Any]]:
    """`changes` as rows of this table; `changed_at` has a zone."""
    moment = changed_at.astimezone(UTC).replace(tzinfo=None)
    return [{**change, "changed_at": moment} for change in found]
