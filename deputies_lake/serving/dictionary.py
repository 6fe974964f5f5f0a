"""The dictionary as files: a page to look things up, a CSV, and the descriptor of a Frictionless Data Package.

What they say is in `data_dictionary.py`.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from itertools import groupby
from typing import Any, Final

from deputies_lake.contracts import MONEY, SHARE, TOTAL, Column, Table
from deputies_lake.serving import data_dictionary
from deputies_lake.serving.citation import LICENCE_EN, LICENCE_URL, Citation
from deputies_lake.serving.exports import readable_first
from deputies_lake.tables import served_tables

_TYPES: Final[Mapping[str, str]] = {
    "string": "string",
    "int": "integer",
    "bigint": "integer",
    "boolean": "boolean",
    "date": "date",
    "timestamp_ntz": "datetime",
    MONEY: "number",
    TOTAL: "number",
    SHARE: "number",
}


def files(cited: Citation) -> Mapping[str, bytes]:
    """The content of each file, by its name."""
    rows = data_dictionary.rows()
    return {
        "dictionary.html": _page(rows, cited).encode(),
        "dictionary.csv": _csv(rows).encode(),
        "datapackage.json": json.dumps(package(cited), ensure_ascii=False, indent=1).encode(),
    }


def package(cited: Citation) -> Mapping[str, Any]:
    """The descriptor of the served tables. A table's file is what `deputies-lake export` makes, with decimal points."""
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "deputies-lake",
        "title": "Despesas dos deputados federais / Expenses of Brazil's federal deputies",
        "description": (
            f"{cited.text_pt} {cited.text_en} A table's file: deputies-lake export --table TABLE --format csv"
        ),
        "version": cited.version,
        **({"created": cited.published_at.isoformat()} if cited.published_at else {}),
        "licenses": [{"title": LICENCE_EN, "path": LICENCE_URL}],
        "sources": [
            {
                "title": f"{one.year}: {one.file_name or one.source_code}",
                **({"sha256": one.sha256} if one.sha256 else {}),
            }
            for one in cited.sources
        ],
        "resources": [_resource(table) for table in served_tables().values()],
    }


def _resource(table: Table) -> Mapping[str, Any]:
    return {
        "name": table.name,
        "path": f"{table.name}.csv",
        "title": table.pt,
        "description": table.en,
        "profile": "tabular-data-resource",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": {
            "fields": [_field(column) for column in readable_first(table)],
            "primaryKey": list(table.key),
            "foreignKeys": [
                {"fields": [one.column], "reference": {"resource": one.table, "fields": [one.column]}}
                for one in table.references
            ],
            "missingValues": [""],
        },
    }


def _field(column: Column) -> Mapping[str, Any]:
    return {
        "name": column.name,
        "type": _TYPES[column.type],
        "title": column.pt,
        "description": column.description,
        **({"example": column.example} if column.example else {}),
        **({"unit": unit} if (unit := data_dictionary.UNITS.get(column.type)) else {}),
        **({} if column.nullable else {"constraints": {"required": True}}),
    }


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, data_dictionary.TABLE.column_names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _page(rows: Sequence[Mapping[str, Any]], cited: Citation) -> str:
    # Dagster needs it, too, but loading definitions does not.
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # On a cluster the code lies in a zip, where a loader of jinja2 finds nothing.
    template = resources.files("deputies_lake.serving").joinpath("dictionary.html").read_text(encoding="utf-8")
    tables = [(name, list(of_table)) for name, of_table in groupby(rows, lambda row: row["table_name"])]
    return environment.from_string(template).render(tables=tables, citation=cited)
