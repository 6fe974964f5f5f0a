"""Kaggle's file: published where it is believed, refused with the reason and the command where it is not."""

from pathlib import Path

import pytest

from deputies_lake.checks.audit import Finding
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake, Published
from deputies_lake.raw import kaggle_reimbursements, single_file
from deputies_lake.raw.archive import Archive, LandingZone
from deputies_lake.raw.intake import LINES_ARE_READABLE, NothingToAcceptError
from deputies_lake.raw.published_csv import RawFileError
from deputies_lake.raw.single_file import SingleFile

CSV, TABLE = kaggle_reimbursements.CSV, kaggle_reimbursements.TABLE
SOUND = "0,2013-03-27 00:00:00,1772,PSB,SP,Fulana De Tal,35307490001399.0,Telephony,INVENTADA LTDA,70\n"
WRONG = SOUND.replace(",70\n", ",R$ 70\n")


class Kaggle:
    """A lake, an archive and a landing zone in one directory."""

    def __init__(self, root: Path) -> None:
        self.landing = root / "landing"
        self.landing.mkdir()
        self.archive = Archive(str(root / "archive"))
        self.lake = Lake(iceberg.local_catalog(root / "warehouse"))
        self.zone = LandingZone(str(self.landing))
        self.file = SingleFile(lake=self.lake, zone=self.zone, archive=self.archive, source=CSV, contract=TABLE)

    def land(self, *lines: str, end: str = "") -> None:
        (self.landing / CSV.csv_name).write_text(",".join(CSV.columns) + "\n" + "".join(lines) + end)

    def take_in(self) -> Published:
        return self.file.take_in(self.zone.find(CSV), run_id="run", report=lambda _: None)

    def accept(self) -> None:
        single_file.accept(self.archive, CSV, reason="so it is", by="ana")


@pytest.fixture
def kaggle(tmp_path: Path) -> Kaggle:
    return Kaggle(tmp_path)


def rejected(published: Published) -> Finding:
    return next(found for found in published.findings if found.check == LINES_ARE_READABLE)


def test_a_sound_file_is_published_and_the_same_again_is_no_news(kaggle: Kaggle) -> None:
    kaggle.land(SOUND, SOUND)
    for _ in range(2):
        published = kaggle.take_in()
        assert (published.row_count, rejected(published).passed) == (2, True)
    assert len(kaggle.lake.snapshots(TABLE)) == 1


def test_without_a_file_there_is_an_empty_table_or_what_there_was(kaggle: Kaggle) -> None:
    assert kaggle.take_in().row_count == 0
    kaggle.land(SOUND)
    kaggle.take_in()
    (kaggle.landing / CSV.csv_name).unlink()
    assert kaggle.take_in().row_count == 1


def test_a_few_lines_that_can_not_be_read_are_told_by_each_run(kaggle: Kaggle) -> None:
    kaggle.land(*[SOUND] * 9, WRONG)
    for _ in range(2):
        found = rejected(kaggle.take_in())
        assert (found.passed, found.blocking) == (False, False)
        assert found.figures == {CSV.csv_name: "1 of 10 lines can't be read; the first: line 11"}


def test_many_lines_that_can_not_be_read_refuse_the_file_until_a_person_accepts_it(kaggle: Kaggle) -> None:
    kaggle.land(*[SOUND] * 3, *[WRONG] * 7)
    with pytest.raises(RawFileError) as refused:
        kaggle.take_in()
    assert refused.value.problem.startswith("7 of 10 lines can't be read; the first: lines 5, 6, 7, 8, 9; at most 0.5%")
    assert 'deputies-lake accept --source kaggle_reimbursements --reason "..."' in refused.value.remedy
    assert not kaggle.lake.exists(TABLE)
    kaggle.accept()
    assert kaggle.take_in().row_count == 10
    assert kaggle.archive.refusal(CSV) is None


def test_a_file_that_was_cut_off_can_be_accepted(kaggle: Kaggle) -> None:
    kaggle.land(SOUND, SOUND, end="0,2013-03")
    with pytest.raises(RawFileError, match=r"ends in the middle of line 4.* deputies-lake accept --source"):
        kaggle.take_in()
    kaggle.accept()
    assert kaggle.take_in().row_count == 3


def test_a_file_that_can_not_be_read_can_not_be_accepted(kaggle: Kaggle) -> None:
    (kaggle.landing / CSV.csv_name).write_text("a;b\n1;2\n")
    with pytest.raises(RawFileError) as refused:
        kaggle.take_in()
    assert "accept" not in refused.value.remedy
    with pytest.raises(NothingToAcceptError, match="can't be read can't be accepted"):
        kaggle.accept()


def test_a_refused_file_is_forgotten_when_the_one_before_comes_back(kaggle: Kaggle) -> None:
    kaggle.land(SOUND)
    kaggle.take_in()
    kaggle.land(*[WRONG] * 7)
    with pytest.raises(RawFileError):
        kaggle.take_in()
    kaggle.land(SOUND)
    kaggle.take_in()
    with pytest.raises(NothingToAcceptError, match=r"no deputies_dataset\.csv waits for acceptance"):
        kaggle.accept()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_table_that_lost_a_file_is_read_again_from_the_archive(kaggle: Kaggle, is_there: bool) -> None:
    kaggle.land(SOUND, SOUND)
    kaggle.take_in()
    before = kaggle.lake.rows(TABLE)
    [file] = kaggle.lake.files(TABLE)
    Path(file.removeprefix("file://")).unlink()
    if not is_there:
        (kaggle.landing / CSV.csv_name).unlink()
    assert kaggle.take_in().row_count == 2
    assert kaggle.lake.rows(TABLE) == before
