"""The one source of what is said about where a figure comes from: version, files, licence, in both languages.

Whatever leaves the lake carries it: exports, the dashboard, the dictionary, the DuckDB file.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from deputies_lake.contracts import YEAR, Table
from deputies_lake.lakehouse.lake import Lake, MissingTableError
from deputies_lake.raw import origin
from deputies_lake.serving import publications
from deputies_lake.star import fct_expenses

LICENCE_PT: Final = (
    "Registros públicos da Câmara dos Deputados, divulgados conforme a Lei 12.527/2011 (acesso à informação). "
    "Cite a Câmara dos Deputados como fonte. O programa deputies_lake: licença MIT."
)
LICENCE_EN: Final = (
    "Public records of Brazil's House of Deputies, disclosed under Law 12.527/2011 (access to information). "
    "Name the House of Deputies as the source. The program deputies_lake: MIT licence."
)
INVENTED_PT: Final = "Dados inventados por deputies-lake sample: pessoas, empresas e valores não existem. Não cite."
INVENTED_EN: Final = "Data invented by deputies-lake sample: no person, company or amount is real. Do not cite."
_OF_INVENTED_PT: Final = "Para experimentar o programa deputies_lake, que tem licença MIT."
_OF_INVENTED_EN: Final = "For trying the program deputies_lake, which has the MIT licence."
LICENCE_URL: Final = "https://www.planalto.gov.br/ccivil_03/_ato2011-2014/2011/lei/l12527.htm"

_SOURCE_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "chamber_expenses": ("Câmara dos Deputados", "House of Deputies"),
    "kaggle_reimbursements": ("Kaggle (extrato dos arquivos da Câmara)", "Kaggle (an extract of the House's files)"),
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """The file that a year's figures come from. `sha256` is None where it is not known."""

    year: int
    source_code: str
    file_name: str | None
    sha256: str | None


@dataclass(frozen=True, kw_only=True)
class Citation:
    """What qualifies figures wherever they go.

    `as_of` is the date of the newest of the files, None where they have none; `published_at` (UTC) since when the
    figures stand; `snapshots` are the Iceberg snapshots of the tables they were read from. `shortcomings` are sentences
    in Portuguese and English. Of figures that are `is_invented` nothing else is said than that they are.
    """

    as_of: date | None
    published_at: datetime | None
    version: str
    snapshots: Mapping[str, int]
    sources: Sequence[Source]
    shortcomings: Sequence[tuple[str, str]] = ()
    is_invented: bool = False

    @property
    def licence_pt(self) -> str:
        return _OF_INVENTED_PT if self.is_invented else LICENCE_PT

    @property
    def licence_en(self) -> str:
        return _OF_INVENTED_EN if self.is_invented else LICENCE_EN

    @property
    def text_pt(self) -> str:
        if self.is_invented:
            return f"{INVENTED_PT} Elaboração: deputies_lake, versão {self.version}."
        day = f", dados de {self.as_of:%d/%m/%Y}" if self.as_of else ""
        return (
            f"Fonte: {self._names(0)}; Cota para o Exercício da Atividade Parlamentar, {self._years('a')}{day}. "
            f"Elaboração: deputies_lake, versão {self.version}."
        )

    @property
    def text_en(self) -> str:
        if self.is_invented:
            return f"{INVENTED_EN} Prepared by deputies_lake, version {self.version}."
        day = f", data as of {self.as_of:%Y-%m-%d}" if self.as_of else ""
        return (
            f"Source: {self._names(1)}; expense quota of the deputies (CEAP), {self._years('to')}{day}. "
            f"Prepared by deputies_lake, version {self.version}."
        )

    def lines(self) -> list[str]:
        """All of it as text, for a file beside the figures."""
        return [
            self.text_pt,
            *(pt for pt, _ in self.shortcomings),
            self.licence_pt,
            "",
            self.text_en,
            *(en for _, en in self.shortcomings),
            self.licence_en,
            "",
            *(f"{table}: snapshot {snapshot}" for table, snapshot in self.snapshots.items()),
            *(
                f"{one.year}: {one.file_name or one.source_code}, sha256 {one.sha256 or 'not known'}"
                for one in self.sources
            ),
        ]

    def record(self) -> Mapping[str, Any]:
        """All of it for JSON."""
        return {
            **asdict(self),
            "as_of": str(self.as_of) if self.as_of else None,
            "published_at": self.published_at.isoformat() if self.published_at else None,
            # Wider than what JavaScript's numbers can hold.
            "snapshots": {table: str(snapshot) for table, snapshot in self.snapshots.items()},
            "text_pt": self.text_pt,
            "text_en": self.text_en,
            "licence_pt": self.licence_pt,
            "licence_en": self.licence_en,
        }

    def _names(self, language: int) -> str:
        codes = sorted({source.source_code for source in self.sources})
        return "; ".join(_SOURCE_NAMES[code][language] if code in _SOURCE_NAMES else code for code in codes)

    def _years(self, to: str) -> str:
        years = [source.year for source in self.sources]
        return f"{min(years)} {to} {max(years)}" if len(years) > 1 else "".join(map(str, years))


def is_invented(lake: Lake) -> bool:
    """Whether the lake is of invented data, which is then said wherever its figures are."""
    # Readers may not see the raw layer; before anything is served, only it can tell.
    if lake.exists(publications.TABLE):
        return lake.is_invented(publications.TABLE)
    return bool(origin.is_invented_lake(lake))


def citation(
    lake: Lake, years: Collection[int] | None = None, tables: Iterable[Table] = (fct_expenses.TABLE,)
) -> Citation:
    """What is to be said of figures of these years, of all unless given, that were read from these tables.

    Raises `MissingTableError` where nothing was published yet.
    """
    if not lake.exists(publications.TABLE):
        raise MissingTableError(publications.TABLE)
    known = lake.rows(publications.TABLE)
    rows = [row for row in known if years is None or row[YEAR] in years]
    return Citation(
        as_of=max((row["as_of"] for row in rows if row["as_of"]), default=None),
        published_at=max((row["published_at"].replace(tzinfo=UTC) for row in rows), default=None),
        version=known[0]["version"] if known else "none",
        snapshots={table.identifier: lake.snapshot_id(table) for table in tables},
        sources=[
            Source(year=row[YEAR], source_code=row["source_code"], file_name=row["file_name"], sha256=row["sha256"])
            for row in sorted(rows, key=lambda row: row[YEAR])
        ],
        shortcomings=publications.shortcomings(sorted(rows, key=lambda row: row[YEAR])),
        is_invented=lake.is_invented(publications.TABLE),
    )
