"""What is said of where figures come from: the file that stood when they were published, and no later one."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from deputies_lake.lakehouse.lake import Lake, MissingTableError
from deputies_lake.raw import file_versions
from deputies_lake.serving import mart_deputies, publications
from deputies_lake.serving.citation import citation
from deputies_lake_tests.serving import small_lake
from deputies_lake_tests.serving.small_lake import HOUSE, KAGGLE, SHA


def test_each_year_names_the_file_it_comes_from(lake: Lake) -> None:
    found = {(one.year, one.source_code, one.file_name, one.sha256) for one in citation(lake).sources}
    assert found == {
        (2016, KAGGLE, "deputies_dataset.csv", None),
        (2025, HOUSE, "Ano-2025.csv.zip", SHA),
    }


def test_figures_are_of_the_day_of_their_newest_file_in_brasilia(lake: Lake) -> None:
    # 01:00 on 3 March in UTC.
    assert citation(lake).as_of == date(2025, 3, 2)


def test_only_the_years_asked_for_are_named(lake: Lake) -> None:
    cited = citation(lake, [2016])
    assert [one.year for one in cited.sources] == [2016]
    assert cited.as_of is None
    assert "2016. Prepared" in cited.text_en


def test_the_version_is_the_lakes_whichever_years_are_asked_for(lake: Lake) -> None:
    assert citation(lake, [2016]).version == citation(lake).version
    assert citation(lake).version.startswith("2025-03-02.")


def test_both_languages_say_source_date_and_version(lake: Lake) -> None:
    cited = citation(lake)
    assert cited.text_pt == (
        "Fonte: Câmara dos Deputados; Kaggle (extrato dos arquivos da Câmara); Cota para o Exercício da Atividade "
        f"Parlamentar, 2016 a 2025, dados de 02/03/2025. Elaboração: deputies_lake, versão {cited.version}."
    )
    assert cited.text_en == (
        "Source: House of Deputies; Kaggle (an extract of the House's files); expense quota of the deputies (CEAP), "
        f"2016 to 2025, data as of 2025-03-02. Prepared by deputies_lake, version {cited.version}."
    )


def test_what_the_figures_lack_is_cited_with_them(lake: Lake) -> None:
    lines = citation(lake).lines()
    assert "Anos incompletos, que não se comparam com anos inteiros: 2025." in lines
    assert "Incomplete years, not to be compared with whole ones: 2025." in lines
    assert citation(lake, [2016]).shortcomings == []


def test_the_snapshots_are_those_of_the_tables_that_were_read(lake: Lake) -> None:
    table = mart_deputies.TABLE
    assert citation(lake, tables=[table]).snapshots == {"serving.mart_deputies": lake.snapshot_id(table)}


def test_the_record_goes_through_json_with_its_snapshots_to_the_digit(lake: Lake) -> None:
    cited = citation(lake)
    record = json.loads(json.dumps(cited.record()))
    assert record["snapshots"] == {name: str(snapshot) for name, snapshot in cited.snapshots.items()}
    assert record["sources"][1]["sha256"] == SHA


def test_a_lake_in_which_nothing_was_published_has_nothing_to_cite(tmp_path: Path) -> None:
    with pytest.raises(MissingTableError, match="--select serving/publications"):
        citation(small_lake.open_lake(tmp_path))


def test_a_file_that_was_taken_in_after_the_figures_is_not_theirs(tmp_path: Path) -> None:
    lake = small_lake.build(tmp_path)
    later = datetime.now() + timedelta(days=1)  # noqa: DTZ005
    newer = {"year": 2025, "decision": "published", "sha256": "cd" * 32, "decided_at": later}
    rows = [*lake.rows(file_versions.TABLE), small_lake.row(file_versions.TABLE, **newer)]
    small_lake.commit(lake, file_versions.TABLE, rows)
    assert [one["sha256"] for one in publications.rows(lake)] == [None, SHA]


def test_a_file_that_was_refused_is_nobodys_source(tmp_path: Path) -> None:
    lake = small_lake.build(tmp_path)
    refused = {"year": 2025, "decision": "blocked", "sha256": "cd" * 32, "decided_at": datetime(2025, 3, 4)}  # noqa: DTZ001
    rows = [*lake.rows(file_versions.TABLE), small_lake.row(file_versions.TABLE, **refused)]
    small_lake.commit(lake, file_versions.TABLE, rows)
    assert [one["sha256"] for one in publications.rows(lake)] == [None, SHA]
