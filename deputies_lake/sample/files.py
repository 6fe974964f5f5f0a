"""Files that appear under their names only when all is written: an interrupted run leaves what was there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_as_a_whole(path: Path) -> Iterator[Path]:
    """Where to write what is to be `path`; it takes that name when all went well, and is removed otherwise."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
