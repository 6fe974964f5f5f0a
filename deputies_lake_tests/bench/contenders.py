"""Who takes part, how each is run, and where it leaves its tables."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deputies_lake.environments import CHAMBER_URL, CPF_KEY, ENGINE, HOME, LANDING, Engine
from deputies_lake_tests.bench import shared


@dataclass(frozen=True, kw_only=True)
class Contender:
    """`tables_as_lake`: its tables have the lake's values. `keys_as_lake`: so have its surrogate and row keys."""

    name: str
    title: str
    fact: str
    tables_as_lake: bool
    keys_as_lake: bool

    def command(self, csv: Path, output: Path) -> Sequence[str]:
        arguments = ["--input", str(csv), "--output", str(output)]
        return [sys.executable, "-m", f"{__package__}.{self.name}", *arguments]


@dataclass(frozen=True, kw_only=True)
class TheLake(Contender):
    """This project, with one of its engines."""

    engine: Engine

    def command(self, csv: Path, output: Path) -> Sequence[str]:
        # What its opponents make, too: they have no marts.
        selection = " or ".join(f"group:{layer}" for layer in ("raw", "staging", "star"))
        return lake_command(output, csv.parent, "2009...2017", selection=selection, engine=self.engine)


def lake_command(home: Path, landing: Path, years: str, *, selection: str, engine: Engine) -> Sequence[str]:
    """Materializes a selection of the lake's assets in `home` from the files in `landing`, none of them fetched."""
    settings = {
        HOME: home,
        LANDING: landing,
        CHAMBER_URL: "none",
        ENGINE: engine,
        CPF_KEY: shared.CPF_KEY,
        "DAGSTER_HOME": home,
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    dagster = str(Path(sys.executable).with_name("dagster"))
    return [
        "env",
        *(f"{name}={value}" for name, value in settings.items()),
        *(dagster, "asset", "materialize", "-m", "deputies_lake.definitions"),
        *("--select", selection, "--partition-range", years),
    ]


def _lake(name: str, engine: Engine) -> TheLake:
    title = f"deputies_lake, {engine.title()}"
    return TheLake(name=name, title=title, fact="", tables_as_lake=True, keys_as_lake=True, engine=engine)


LAKE: Final = _lake("lake", Engine.SPARK)
LAKE_ON_SAIL: Final = _lake("lake_on_sail", Engine.SAIL)
LAKES: Final = (LAKE, LAKE_ON_SAIL)
PLAIN_PYSPARK: Final = Contender(
    name="plain_pyspark", title="plain PySpark", fact="fct_expenses", tables_as_lake=True, keys_as_lake=True
)
PREDECESSOR: Final = Contender(
    name="predecessor", title="predecessor", fact="expenses", tables_as_lake=False, keys_as_lake=False
)
DUCKDB: Final = Contender(
    name="duckdb_peer", title="DuckDB", fact="fct_expenses", tables_as_lake=True, keys_as_lake=False
)

ALL: Final[Sequence[Contender]] = (*LAKES, PLAIN_PYSPARK, PREDECESSOR, DUCKDB)
