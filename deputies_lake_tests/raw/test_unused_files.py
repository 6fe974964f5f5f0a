"""Files that nobody takes: each is named with what to do."""

from collections.abc import Sequence

import pytest

from deputies_lake.quota_years import current_year
from deputies_lake.raw.archive import LandedFile
from deputies_lake.raw.unused_files import UnusedFile, unused_files

NEXT = current_year() + 1


def unused(*names: str) -> Sequence[UnusedFile]:
    return unused_files([LandedFile(name, f"/landing/{name}", 1, "2026-11-28T12:00:00+00:00") for name in names])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ano-2012.csv.zip", "rename it to Ano-2012.csv.zip"),
        ("Ano2011.csv.zip", "rename it to Ano-2011.csv.zip"),
        ("Ano_2011.csv", "rename it to Ano-2011.csv"),
        ("Ano-2013 (1).csv.zip", "rename it to Ano-2013.csv.zip"),
        ("Ano-2013.zip", "rename it to Ano-2013.csv.zip"),
        ("Ano-2013.CSV", "rename it to Ano-2013.csv"),
        (
            "AnoAtual.zip",
            "its name tells no year, and the House's files are taken by their year. Fetch it: deputies-lake fetch, or",
        ),
        ("Ano-2009.xml", "only CSV is read, not XML. Fetch it with `deputies-lake fetch --years 2009`"),
        ("Ano-2010.json", "only CSV is read, not JSON. Fetch it with `deputies-lake fetch --years 2010`"),
        ("Ano-2010.xlsx", "only CSV is read, not Excel. Fetch it with `deputies-lake fetch --years 2010`"),
        (
            "Ano-2010.csv.7z",
            "it is not called Ano-2010.csv.zip or Ano-2010.csv. Fetch it with `deputies-lake fetch --years 2010`",
        ),
        ("Ano-2007.csv", "the House's files begin with 2008"),
        (f"Ano-{NEXT}.csv.zip", f"{NEXT} has not begun. If its rows are of another year, name it by that"),
        ("Deputies_Dataset (1).csv", "rename it to deputies_dataset.csv"),
        ("dirty_deputies_v2.xlsx", "only CSV is read, not Excel"),
    ],
)
def test_a_name_that_is_almost_right_says_what_to_do(name: str, why: str) -> None:
    (found,) = unused(name)
    assert (found.name, found.is_meant) == (name, True)
    assert found.why.startswith(why)


def test_a_name_of_nobody_is_told_the_names_there_are() -> None:
    (found,) = unused("notes.txt")
    assert str(found) == (
        "notes.txt: no source has a file of this name "
        "(known: Ano-YYYY.csv.zip, deputies_dataset.csv, dirty_deputies_v2.csv)"
    )
    assert not found.is_meant


def test_a_name_that_may_not_be_given_again_is_not_advised() -> None:
    (found,) = unused("Ano-2013.csv.zip", "Ano-2013 (1).csv.zip")
    assert str(found) == "Ano-2013 (1).csv.zip: Ano-2013.csv.zip is taken instead. Remove one of them"


def test_of_two_files_of_a_year_the_one_not_taken_is_named_with_both_dates_where_they_are_known() -> None:
    zipped = LandedFile("Ano-2016.csv.zip", "", 1, "2026-11-28T12:00:00+00:00")
    plain = LandedFile("Ano-2016.csv", "", 1, "2026-11-28T12:00:00+00:00")
    dates = {"Ano-2016.csv": "2020-01-01T12:00:00+00:00", "Ano-2016.csv.zip": "2017-01-02T03:04:05+00:00"}
    (found,) = unused_files([plain, zipped], lambda file: dates[file.name])
    assert str(found) == (
        "Ano-2016.csv: Ano-2016.csv.zip is taken instead; this one is of 2020-01-01 09:00, that one of "
        "2017-01-02 01:04. If this one is meant, remove Ano-2016.csv.zip"
    )
    (undated,) = unused_files([plain, zipped])
    assert undated.why == "Ano-2016.csv.zip is taken instead. If this one is meant, remove Ano-2016.csv.zip"


def test_what_is_taken_or_unfinished_is_not_named() -> None:
    assert unused("Ano-2016.csv", "deputies_dataset.csv.gz", "Ano-2017.csv.zip.part", ".hidden", "notes.txt~") == []
