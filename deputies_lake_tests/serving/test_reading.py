"""Questions in SQL: what they may read, what they may not, and what they are told."""

from datetime import date
from pathlib import Path

import pytest

from deputies_lake.raw import file_versions
from deputies_lake.resources.lake import Lake, MissingTableError
from deputies_lake.serving import mart_deputies, mart_months, mart_parties, reading
from deputies_lake.serving.reading import QueryError, asked, notes, tables_in
from deputies_lake.star import dim_suppliers
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


def test_a_misspelt_column_is_told_its_neighbours(lake: Lake) -> None:
    with pytest.raises(QueryError, match=r'"spend_amount" not found(.|\n)*spent_amount'):
        answer(lake, "SELECT spend_amount FROM mart_deputies")


def test_what_is_no_sql_is_told_where(lake: Lake) -> None:
    with pytest.raises(QueryError, match='syntax error at or near "SELEKT"'):
        answer(lake, "SELEKT 1")


def test_a_table_that_was_never_published_says_what_to_materialize(tmp_path: Path) -> None:
    with pytest.raises(MissingTableError, match="--select serving/mart_months"):
        answer(small_lake.open_lake(tmp_path), "FROM mart_months")


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
    assert tables_in("FROM star.dim_suppliers, mart_months") == [mart_months.TABLE, dim_suppliers.TABLE]
