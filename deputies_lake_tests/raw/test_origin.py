"""Which files are invented, told by themselves; and that no lake is made of both kinds."""

import csv
import gzip
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.raw import chamber_expenses, kaggle_reimbursements
from deputies_lake.raw.archive import Archive, LandingZone
from deputies_lake.raw.ingestion import stage_file
from deputies_lake.raw.intake import Intake, NoneTakenInError, TakenIn
from deputies_lake.raw.origin import FIRST_INVENTED_BRANCH, is_invented_lake, origins
from deputies_lake.raw.published_csv import RawFileError
from deputies_lake.sample import tax_ids
from deputies_lake.sample.chamber import write_chamber_files
from deputies_lake.sample.kaggle import write_kaggle_files

YEARS = (2018, 2019)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both of Kaggle's files and two of the House's, all invented."""
    folder = tmp_path_factory.mktemp("sample")
    write_kaggle_files(folder, rows=1_000)
    write_chamber_files(folder, years=YEARS, rows_per_year=500, kaggle_rows=1_000)
    return folder


@pytest.fixture(scope="module")
def real(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The House's two files as if they were real: their companies have branch numbers that companies have."""
    folder = tmp_path_factory.mktemp("real")
    for year in YEARS:
        with zipfile.ZipFile(sample / f"Ano-{year}.csv.zip") as archive:
            lines = archive.read(f"Ano-{year}.csv").decode("utf-8-sig").splitlines()
        rows = list(csv.DictReader(lines, delimiter=";"))
        text = [";".join(f'"{name}"' for name in rows[0])]
        for row in rows:
            row["txtCNPJCPF"] = _of_a_first_branch(row["txtCNPJCPF"])
            text.append(";".join('"' + value.replace('"', '""') + '"' for value in row.values()))
        with zipfile.ZipFile(folder / f"Ano-{year}.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"Ano-{year}.csv", "\n".join([*text, ""]))
    return folder


def _of_a_first_branch(tax_id: str) -> str:
    digits = "".join(filter(str.isdigit, tax_id))
    return f"{digits[:8]}0001{digits[12:]}" if len(digits) == 14 else tax_id


class Landed:
    """A lake, and a folder into which files are put."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "landing"
        self.folder.mkdir()
        self.lake = Lake(iceberg.local_catalog(root / "warehouse"))
        self.zone, self.archive = LandingZone(str(self.folder)), Archive(str(root / "archive"))

    def put(self, *files: Path) -> None:
        for file in files:
            shutil.copy(file, self.folder)

    def take_in(self, *years: int) -> TakenIn:
        source, table = chamber_expenses.CSV, chamber_expenses.TABLE
        house = Intake(lake=self.lake, zone=self.zone, archive=self.archive, source=source, contract=table)
        return house.take_in(years, run_id="run", report=lambda _: None)

    def take_in_kaggle(self) -> None:
        source, table = kaggle_reimbursements.CSV, kaggle_reimbursements.TABLE
        landed = self.zone.require(source)
        sha256 = self.zone.sha256(landed)
        _, staged = stage_file(
            self.lake,
            self.zone,
            self.archive,
            source,
            table,
            landed,
            sha256=sha256,
            run_id="run",
            report=lambda _: None,
        )
        self.lake.publish([staged], "run")


@pytest.fixture
def landed(tmp_path: Path) -> Landed:
    return Landed(tmp_path)


# files


def test_every_file_of_a_sample_says_that_it_is_invented(sample: Path) -> None:
    names = {"deputies_dataset.csv", "dirty_deputies_v2.csv", "Ano-2018.csv.zip", "Ano-2019.csv.zip"}
    assert origins(LandingZone(str(sample))) == dict.fromkeys(names, True)


def test_it_says_so_however_it_was_packed(sample: Path, tmp_path: Path) -> None:
    for name in ("deputies_dataset.csv", "dirty_deputies_v2.csv"):
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress((sample / name).read_bytes()))
    with zipfile.ZipFile(sample / "Ano-2018.csv.zip") as archive:
        archive.extract("Ano-2018.csv", tmp_path)
    assert list(origins(LandingZone(str(tmp_path))).values()) == [True, True, True]


def test_a_file_with_companies_as_there_are_is_not_invented(real: Path) -> None:
    assert origins(LandingZone(str(real))) == {"Ano-2018.csv.zip": False, "Ano-2019.csv.zip": False}


@pytest.mark.parametrize("content", [b"", b"a;b\n1;2\n", b"PK\x03\x04 and no more", b"\x1f\x8b\x00", b"<html>"])
@pytest.mark.parametrize(
    "name", ["Ano-2018.csv.zip", "Ano-2018.csv", "deputies_dataset.csv", "deputies_dataset.csv.gz"]
)
def test_a_file_that_can_not_be_read_is_neither(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert origins(LandingZone(str(tmp_path))) == {name: None}


def test_only_publishers_files_are_looked_at(sample: Path, tmp_path: Path) -> None:
    shutil.copy(sample / "deputies_dataset.csv", tmp_path / "notes.csv")
    assert origins(LandingZone(str(tmp_path))) == {}


def test_the_branches_of_a_sample_are_those_that_are_looked_for() -> None:
    assert tax_ids.FIRST_UNUSED_BRANCH == FIRST_INVENTED_BRANCH


def test_no_real_file_is_taken_for_invented(real_data: Path) -> None:
    found: dict[str, bool | None] = {}
    for folder in {path.parent for path in real_data.rglob("*") if path.is_file()}:
        of_folder: Mapping[str, bool | None] = origins(LandingZone(str(folder)))
        found |= {f"{folder}/{name}": is_invented for name, is_invented in of_folder.items()}
    assert found
    assert not any(found.values())


# lakes


def test_a_lake_knows_what_it_was_made_of(landed: Landed, sample: Path, real: Path, tmp_path: Path) -> None:
    assert is_invented_lake(landed.lake) is None
    landed.put(sample / "Ano-2018.csv.zip")
    landed.take_in(2018)
    assert is_invented_lake(landed.lake) is True
    (tmp_path / "another").mkdir()
    another = Landed(tmp_path / "another")
    another.put(real / "Ano-2018.csv.zip")
    another.take_in(2018)
    assert is_invented_lake(another.lake) is False


def test_an_invented_file_is_refused_by_a_lake_of_real_data_and_the_others_go_on(
    landed: Landed, sample: Path, real: Path
) -> None:
    landed.put(real / "Ano-2018.csv.zip")
    landed.take_in(2018)
    landed.put(sample / "Ano-2019.csv.zip")
    taken = landed.take_in(*YEARS)
    assert (taken.new, list(taken.refused)) == ([], [2019])
    assert landed.lake.years(chamber_expenses.TABLE) == [2018]
    assert is_invented_lake(landed.lake) is False


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (
            "real",
            "sample",
            "this file is invented, deputies-lake sample wrote it, and here are real data. Take it away",
        ),
        ("sample", "real", "this lake is of invented data. Real data need a home of their own: set DEPUTIES_LAKE_HOME"),
    ],
)
def test_what_was_published_stays_and_the_remedy_is_said(
    landed: Landed, sample: Path, real: Path, first: str, second: str, told: str
) -> None:
    folders = {"sample": sample, "real": real}
    landed.put(folders[first] / "Ano-2018.csv.zip")
    landed.take_in(2018)
    before = landed.lake.versions(chamber_expenses.TABLE)
    # The same year anew, of the other kind.
    landed.put(folders[second] / "Ano-2018.csv.zip")
    with pytest.raises(NoneTakenInError) as refusal:
        landed.take_in(2018)
    assert "Ano-2018.csv.zip" in str(refusal.value)
    assert told in str(refusal.value)
    assert landed.lake.versions(chamber_expenses.TABLE) == before


def test_in_an_empty_lake_real_files_count_more(landed: Landed, sample: Path, real: Path) -> None:
    landed.put(sample / "deputies_dataset.csv", sample / "Ano-2018.csv.zip", real / "Ano-2019.csv.zip")
    with pytest.raises(RawFileError, match="this file is invented"):
        landed.take_in_kaggle()
    taken = landed.take_in(*YEARS)
    assert (taken.new, list(taken.refused)) == ([2019], [2018])


def test_a_file_that_can_not_be_read_is_neither_and_is_refused_for_its_true_cause(landed: Landed, sample: Path) -> None:
    landed.put(sample / "Ano-2018.csv.zip")
    (landed.folder / "Ano-2019.csv.zip").write_bytes(b"<!DOCTYPE html><html>manutencao</html>")
    (landed.folder / "Ano-2020.csv").write_bytes(b"<!DOCTYPE html>\n<html>manutencao</html>\n")
    assert origins(landed.zone) == {"Ano-2018.csv.zip": True, "Ano-2019.csv.zip": None, "Ano-2020.csv": None}
    taken = landed.take_in(*YEARS, 2020)
    assert (taken.new, [*taken.refused]) == ([2018], [2019, 2020])
    assert all("web page" in why for why in taken.refused.values())


def test_kaggles_files_are_held_against_the_houses(landed: Landed, sample: Path, real: Path) -> None:
    landed.put(real / "Ano-2019.csv.zip")
    landed.take_in(2019)
    landed.put(sample / "deputies_dataset.csv")
    with pytest.raises(RawFileError, match="this file is invented"):
        landed.take_in_kaggle()
    assert not landed.lake.exists(kaggle_reimbursements.TABLE)
