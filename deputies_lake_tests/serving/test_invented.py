"""A lake of invented data says so wherever its figures are; one of real data never does."""

import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from deputies_lake.cli.main import main
from deputies_lake.environments import HOME
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.serving import dictionary, duckdb_file, mart_deputies, publications
from deputies_lake.serving.citation import INVENTED_EN, INVENTED_PT, citation, is_invented
from deputies_lake.serving.dashboard import page
from deputies_lake.serving.dashboard.figures import Figures
from deputies_lake.serving.exports import export
from deputies_lake_tests.serving import small_lake

BOTH = (INVENTED_PT, INVENTED_EN)


@pytest.fixture
def invented_home(tmp_path: Path) -> Path:
    """The small lake, of which the publications say that it is invented."""
    lake = small_lake.build(tmp_path)
    with lake.table(publications.TABLE).transaction() as transaction:
        transaction.set_properties({"lake.invented": "true"})
    return tmp_path


@pytest.fixture
def invented(invented_home: Path) -> Lake:
    return small_lake.open_lake(invented_home)


def test_a_lake_is_real_unless_it_says_otherwise(lake: Lake, invented: Lake) -> None:
    assert (is_invented(lake), is_invented(invented)) == (False, True)


def test_its_citation_names_nobody_as_a_source(invented: Lake) -> None:
    cited = citation(invented)
    for text, told in zip((cited.text_pt, cited.text_en), BOTH, strict=True):
        assert text.startswith(told)
    everything = "\n".join([*cited.lines(), json.dumps(cited.record(), ensure_ascii=False)])
    assert "Fonte: Câmara" not in everything
    assert "Registros públicos" not in everything
    assert "Public records" not in everything


@pytest.mark.parametrize("name", ["dictionary.html", "datapackage.json"])
def test_the_dictionary_says_so(lake: Lake, invented: Lake, name: str) -> None:
    for told in BOTH:
        assert told in dictionary.files(citation(invented))[name].decode()
        assert told not in dictionary.files(citation(lake))[name].decode()


def test_the_duckdb_file_says_so(invented: Lake, tmp_path: Path) -> None:
    duckdb_file.build(invented, tmp_path / "lake.duckdb")
    with duckdb.connect(str(tmp_path / "lake.duckdb"), read_only=True) as connection:
        told = connection.sql("SELECT is_invented, text_en FROM main.citation").fetchall()
    assert (told[0][0], told[0][1].startswith(INVENTED_EN)) == (True, True)


def test_an_export_says_so(invented: Lake, tmp_path: Path) -> None:
    done = export(invented, mart_deputies.TABLE, tmp_path / "deputies.csv", kind="csv")
    assert done.citation_path is not None
    assert done.citation_path.read_text(encoding="utf-8").startswith(INVENTED_PT)


def test_the_page_says_so_on_every_view_and_without_scripts(lake: Lake, invented: Lake) -> None:
    shown = {}
    for one in (lake, invented):
        told = page.About(
            cited=citation(one), gaps=[], checks=page.Checks(passed=0, failed=[]), made_at=datetime.now(UTC)
        )
        shown[one] = page.render(Figures(overall={}, by_year={}), told).decode()
    # Above the part that the scripts exchange.
    before_the_views = shown[invented].partition("<header>")[0]
    assert all(told in before_the_views for told in BOTH)
    assert not any(told in shown[lake] for told in BOTH)


@pytest.mark.parametrize(("language", "told"), [("pt", INVENTED_PT), ("en", INVENTED_EN)])
def test_an_answer_says_so_beside_itself(
    invented_home: Path, monkeypatch: pytest.MonkeyPatch, language: str, told: str
) -> None:
    monkeypatch.setenv(HOME, str(invented_home))
    asked = CliRunner().invoke(main, ["query", "--language", language, "--format", "csv", "SELECT 1 AS one"])
    assert asked.stdout.split() == ["one", "1"]
    assert told in asked.stderr


def test_the_status_says_so(invented_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME, str(invented_home))
    assert CliRunner().invoke(main, ["status"]).output.startswith("deputies_lake local, of invented data, ")
    assert json.loads(CliRunner().invoke(main, ["status", "--json"]).stdout)["is_invented"] is True
