"""Every table's contract, found where it is declared: in the file named after the table, in its layer's folder.

For those who speak of tables in general: readers' commands, the dictionary, the DuckDB file. A layer's own assets name
their tables one by one.
"""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Final

from deputies_lake.contracts import LAYERS, Table

SERVED: Final = ("serving", "star")
"""The layers that readers see, those first that they ask first. The others hold personal ids."""


@cache
def tables_of(*layers: str) -> tuple[Table, ...]:
    """The tables of these layers, of all where none is named, layer by layer."""
    return tuple(table for layer in layers or LAYERS for table in _declared(layer))


@cache
def served_tables() -> Mapping[str, Table]:
    """What readers see, by name."""
    return {table.name: table for table in tables_of(*SERVED)}


def _declared(layer: str) -> list[Table]:
    package = import_module(f"deputies_lake.{layer}")
    found = pkgutil.iter_modules(package.__path__)
    names = sorted(module.name for module in found if not module.ispkg and module.name != "assets")
    modules = (import_module(f"{package.__name__}.{name}") for name in names)
    return [table for module in modules if isinstance(table := getattr(module, "TABLE", None), Table)]
