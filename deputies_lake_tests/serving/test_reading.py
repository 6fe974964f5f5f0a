"""Questions in SQL: what they may read, what they may not, and what they are told."""

from datetime import date
from pathlib import Path

import pytest

from deputies_lake.lakehouse.lake import Lake, MissingTableError
from deputies_lake.raw import file_versions
from deputies_lake.serving import mart_deputies, mart_months, mart_parties, reading
from deputies_lake.serving.reading import QueryError, asked, notes, tables_in, why_empty
from deputies_lake.star import dim_suppliers
from deputies_lake.tables import served_tables
from deputies_lake_tests.serving import small_lake


def answer(lake: Lake, sql: str) -> list[tuple[object, ...]]:
    with asked(lake, sql) as connection:
        return connection.fetchall()


@pytest.mark.parametrize("name", ["mart_deputies", "serving.mart_deputies", "MART_DEPUTIES"])
def test_a_table_is_found_with_its_layer_or_without(lake: Lake, name: str) -> None:
    assert answer(lake, f"SELECT count(*) FROM {name}") == [(3,)]


def test_tables_of_both_layers_join(lake: Lake) -> None:
    sql = "SELECT DISTINCT supplier_name FROM dim_suppliers JOIN mart_deputies ON supplier_key = deputy_key"
    assert answer(lake, sql) == [("AUTO POSTO LTDA",)]


def test_a_name_that_the_query_itself_gives_is_no_table(lake: Lake) -> None:
    assert answer(lake, "WITH a AS (FROM mart_deputies) SELECT count(*) FROM a") == [(3,)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT f.year FROM fct_expenses f WHERE f.expense_key = 2", [(2025,)]),
        ("SELECT month FROM mart_deputies d JOIN mart_months AS m USING (year) WHERE d.deputy_key = 2", [(3,)]),
        ("SELECT count(*) FROM mart_deputies NATURAL JOIN mart_months", [(0,)]),
        (
            "SELECT deputy_key FROM mart_deputies SEMI JOIN mart_months USING (year) ORDER BY 1",
            [(2,), (small_lake.KEY,)],
        ),
        ("WITH mart_deputies AS (SELECT 1 AS one) FROM mart_deputies", [(1,)]),
        ("SELECT max(COLUMNS('^ye.*')) FROM serving.mart_deputies", [(2025,)]),
        ("FROM mart_months SELECT month", [(3,)]),
        ("SELECT month FROM mart_months TABLESAMPLE 10 ROWS", [(3,)]),
        ("PIVOT (SELECT year, month, receipts FROM mart_months) ON year USING sum(receipts)", [(3, 0)]),
        ("SELECT serving.mart_months.month FROM serving.mart_months", [(3,)]),
        ("SELECT 1 -- no table", [(1,)]),
    ],
)
def test_whatever_duckdb_can_read_is_answered(lake: Lake, sql: str, expected: list[tuple[object, ...]]) -> None:
    assert answer(lake, sql) == expected


def test_the_names_of_all_tables_can_be_asked_for(lake: Lake) -> None:
    assert answer(lake, "SHOW TABLES") == [(name,) for name in sorted(served_tables())]


def test_an_answer_is_of_what_is_published_now(tmp_path: Path) -> None:
    lake = small_lake.build(tmp_path)
    assert answer(lake, "SELECT count(*) FROM mart_months") == [(1,)]
    rows = [small_lake.row(mart_months.TABLE, year=2025, month=month) for month in (1, 2)]
    small_lake.commit(lake, mart_months.TABLE, rows)
    assert answer(lake, "SELECT count(*) FROM mart_months") == [(2,)]


def test_a_table_without_rows_is_one_without_rows(tmp_path: Path) -> None:
    lake = small_lake.build(tmp_path)
    small_lake.commit(lake, dim_suppliers.TABLE, [])
    assert answer(lake, "SELECT supplier_name FROM dim_suppliers") == []


# what is refused


@pytest.mark.parametrize("name", ["raw.file_versions", "staging.stg_chamber_expenses"])
def test_layers_with_personal_ids_are_not_read(lake: Lake, name: str) -> None:
    with pytest.raises(QueryError, match="holds personal ids; readers have serving and star"):
        answer(lake, f"FROM {name}")


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_parquet('{file}')",
        "FROM '{file}'",
        "FROM glob('{folder}/**')",
        "FROM read_blob('{file}')",
        "SELECT * FROM mart_deputies, read_parquet('{file}')",
        "SELECT (SELECT count(*) FROM read_text('{file}')) FROM mart_deputies",
    ],
)
def test_no_file_is_read_but_those_of_the_tables_asked_for(lake: Lake, home: Path, sql: str) -> None:
    [file] = lake.files(file_versions.TABLE)
    with pytest.raises(QueryError, match=r"Permission Error|there is no table"):
        answer(lake, sql.format(file=file.removeprefix("file://"), folder=home))


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
        "ATTACH '{file}.db'",
        "CREATE TABLE a AS SELECT 1",
        "DROP VIEW serving.mart_deputies",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT 1; DROP VIEW serving.mart_deputies",
        "",
    ],
)
def test_a_question_is_one_select(lake: Lake, sql: str) -> None:
    [file] = lake.files(mart_months.TABLE)
    with pytest.raises(QueryError, match="a query is one SELECT"):
        answer(lake, sql.format(file=file.removeprefix("file://")))


def test_a_connection_that_is_opened_for_readers_stays_closed_to_all_else(lake: Lake) -> None:
    with reading.opened(lake, [mart_months.TABLE]) as connection:
        settings = ("enable_external_access", "lock_configuration", "python_enable_replacements")
        values = [connection.execute(f"SELECT current_setting('{name}')").fetchall()[0][0] for name in settings]
    assert values == [False, True, False]


def test_a_misspelt_table_is_told_its_neighbours(lake: Lake) -> None:
    with pytest.raises(QueryError, match="there is no table mart_deputados; did you mean mart_deputies"):
        answer(lake, "FROM mart_deputados")


def test_a_table_is_not_looked_for_in_another_layer(lake: Lake) -> None:
    with pytest.raises(QueryError, match=r"in that layer; it is serving\.mart_deputies"):
        answer(lake, "FROM star.mart_deputies")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "SELECT spend_amount FROM mart_deputies",
            "no column spend_amount in mart_deputies; did you mean spent_",
        ),
        ("SELECT d.deputy FROM mart_deputies d", "no column deputy in mart_deputies; did you mean deputy_id"),
        ("SELECT vlrLiquido FROM fct_expenses", "no column vlrliquido in fct_expenses; did you mean net_amount?"),
        (
            "SELECT supplier_name FROM fct_expenses",
            r"in fct_expenses; dim_suppliers has it: JOIN dim_suppliers USING \(supplier_key\)",
        ),
        ("FROM mart_deputies JOIN dim_suppliers USING (party_kind)", "; mart_parties and dim_parties have it"),
        ("SELECT first_digit FROM mart_months", "in mart_months; mart_first_digits has it"),
        ("SELECT zzz FROM dim_dates, mart_months", "zzz in dim_dates or mart_months; there are date_key,"),
        ("WITH a AS (SELECT 1 AS one FROM mart_months) SELECT month FROM a", '"month" not found in FROM clause'),
    ],
)
def test_a_column_that_is_not_there_is_told_what_is(lake: Lake, sql: str, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        answer(lake, sql)


def test_what_is_no_sql_is_told_where(lake: Lake) -> None:
    with pytest.raises(QueryError, match='syntax error at or near "SELEKT"'):
        answer(lake, "SELEKT 1")


def test_a_table_that_was_never_published_says_what_to_materialize(tmp_path: Path) -> None:
    with pytest.raises(MissingTableError, match="--select serving/mart_months"):
        answer(small_lake.open_lake(tmp_path), "FROM mart_months")


# what is said of no answer


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("FROM mart_deputies WHERE year = 2024", "0 rows; year 2024 is not in this lake, which has 2016, 2025"),
        ("FROM mart_deputies d WHERE d.year IN (2016, 2018, 2019)", "0 rows; years 2018, 2019 are not in this lake"),
        ("FROM mart_deputies WHERE year BETWEEN 2017 AND 2025", "0 rows; year 2017 is not in this lake"),
        ("FROM mart_deputies WHERE year = 2025 AND receipts > 2030", "0 rows meet the conditions"),
        ("FROM mart_deputies WHERE deputy_name = 'fulana'", "0 rows; texts are compared letter by letter: ILIKE"),
        ("FROM ref_party_events WHERE happened > '2030-01-01'", "0 rows; texts"),
        ("FROM dim_dates WHERE date_key = 20240101", "0 rows meet the conditions"),
    ],
)
def test_an_empty_answer_is_told_why(lake: Lake, sql: str, told: str) -> None:
    assert why_empty(lake, sql)[1].startswith(told)


# what qualifies an answer


def test_figures_of_the_house_are_told_what_is_missing_in_its_files(lake: Lake) -> None:
    [first, *_] = notes(lake, [mart_deputies.TABLE], [2025])
    assert (first.first_month, "SIGEPA" in first.text_pt, "SIGEPA" in first.text_en) == (date(2025, 8, 1), True, True)


def test_a_gap_of_other_years_or_of_another_source_is_not_told(lake: Lake) -> None:
    assert [note for note in notes(lake, [mart_deputies.TABLE], [2016]) if "SIGEPA" in note.text_en] == []
    assert [note for note in notes(lake, [mart_deputies.TABLE], [2016]) if "Kaggle" in note.text_en]


def test_an_answer_with_an_incomplete_year_says_so(lake: Lake) -> None:
    # The file of 2025 is of March 2025.
    told = "Incomplete years, not to be compared with whole ones: 2025."
    assert told in [note.text_en for note in notes(lake, [mart_deputies.TABLE], [2025])]
    assert told not in [note.text_en for note in notes(lake, [mart_deputies.TABLE], [2016])]


def test_an_answer_by_party_says_of_which_day_the_party_is(tmp_path: Path) -> None:
    lake = small_lake.build(tmp_path)
    house = {"year": 2025, "source_code": small_lake.HOUSE}
    small_lake.commit(lake, mart_parties.TABLE, [small_lake.row(mart_parties.TABLE, **house)])
    told = [
        ["the party that the deputy has" in note.text_en for note in notes(lake, [table])].count(True)
        for table in (mart_parties.TABLE, mart_deputies.TABLE)
    ]
    assert told == [1, 0]


def test_what_is_no_figure_has_no_notes(lake: Lake) -> None:
    assert notes(lake, [dim_suppliers.TABLE]) == []


def test_the_tables_of_a_question_are_known_before_it_is_asked() -> None:
    assert tables_in("FROM star.dim_suppliers, mart_months") == [dim_suppliers.TABLE, mart_months.TABLE]
