"""What the lock file says: of each package that may be installed here one version, and the hashes of its files.

`make lock` writes it; the Makefile, the Dockerfile and the artifact for clusters install from it, so that all of them
have the same packages. Which of them a cluster needs is in `artifact.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKED: Final = "requirements.lock"

_HASH: Final = " --hash="


@dataclass(frozen=True, kw_only=True)
class Locked:
    """A package's version and the hashes of its files: one for each platform, all of the same release."""

    version: str
    hashes: tuple[str, ...]


@cache
def locked() -> Mapping[str, Locked]:
    """By name."""
    return parse(files("deputies_lake").joinpath(LOCKED).read_text(encoding="utf-8"))


def parse(text: str) -> Mapping[str, Locked]:
    """A lock file in pip's format, with one line or several for each package."""
    found: dict[str, Locked] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        what, *hashes = " ".join(line.split()).split(_HASH)
        requirement = Requirement(what)
        (pin,) = requirement.specifier
        found[canonicalize_name(requirement.name)] = Locked(version=pin.version, hashes=tuple(hashes))
    return found
