"""Files for readers: put in the place of the one before, at once, and described as what they are."""

from pathlib import Path

import pytest

from deputies_lake.published import PublishedFiles


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    published = PublishedFiles(str(tmp_path / "new folder"))
    published.write("a.html", b"one")
    assert published.write("a.html", b"two") == str(tmp_path / "new folder" / "a.html")
    assert published.read("a.html") == b"two"


def test_who_has_the_old_file_open_keeps_it(tmp_path: Path) -> None:
    published = PublishedFiles(str(tmp_path))
    with Path(published.write("a.html", b"old")).open("rb") as held:
        published.write("a.html", b"new")
        assert held.read() == b"old"


def test_a_file_that_could_not_be_written_leaves_the_one_before_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = PublishedFiles(str(tmp_path))
    published.write("a.html", b"old")

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="the disk is full"):
        published.write("a.html", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.html": b"old"}


def test_a_copy_of_a_file_is_published_whole(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.write_bytes(b"x" * 100_000)
    published = PublishedFiles(str(tmp_path / "published"))
    published.write_file("lake.duckdb", made)
    assert published.read("lake.duckdb") == made.read_bytes()
