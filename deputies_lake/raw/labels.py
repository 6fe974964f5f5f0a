"""What is remembered of a fetched file beside it: which version of the server's it is, by the sha256 that landed.

Kept in `.fetching` inside the landing zone, as JSON. Written by `fetching.py`.
"""

import json
from dataclasses import asdict, dataclass
from typing import Final

import pyarrow.fs as pafs

from deputies_lake.raw.archive import LandingZone
from deputies_lake.raw.download import Version

FOLDER: Final = ".fetching"


@dataclass(frozen=True, kw_only=True)
class Label:
    """A fetched file. The sha256 is there because a person may put another file in its place."""

    sha256: str
    version: Version


def read(zone: LandingZone, name: str) -> Label | None:
    """None of a file that was never fetched, and of a label that is not ours."""
    path = _path(zone, name)
    if zone.filesystem.get_file_info(path).type != pafs.FileType.File:
        return None
    with zone.filesystem.open_input_stream(path, compression=None) as stream:
        content = stream.read()
    try:
        found = json.loads(content)
        return Label(sha256=found["sha256"], version=Version(**found["version"]))
    except (ValueError, TypeError, KeyError):
        return None


def write(zone: LandingZone, name: str, label: Label) -> None:
    with zone.filesystem.open_output_stream(_path(zone, name), compression=None) as stream:
        stream.write(json.dumps(asdict(label)).encode())


def _path(zone: LandingZone, name: str) -> str:
    return zone.path(f"{FOLDER}/{name}.json")
