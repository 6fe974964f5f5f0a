"""raw.file_versions: every version of the House's yearly files that the lake was offered, and what became of it.

A version that came back after another has a row for each time; one that was not published and has not changed since
has one. What may be published is decided in `drop_guard.py` and `rejections.py`, the order of things is in `intake.py`;
here are the table and its rows.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Any, Final

from deputies_lake.contracts import TOTAL, YEAR, Column, Table
from deputies_lake.raw.archive import Acceptance, LandedFile, Manifest
from deputies_lake.raw.published_csv import RawFileError

PUBLISHED: Final = "published"
ACCEPTED: Final = "accepted"
BLOCKED: Final = "blocked"
REFUSED: Final = "refused"

TABLE: Final = Table(
    layer="raw",
    name="file_versions",
    pt="Cada versão dos arquivos anuais da Câmara oferecida ao lake, e a decisão sobre ela.",
    en="Every version of the House's yearly files that the lake was offered, and what was decided.",
    grain="one row per decision about a version of a year's file",
    partitioned=True,
    columns=(
        Column(name=YEAR, type="int", pt="ano do arquivo", en="the file's year", example="2022"),
        Column(name="source_code", pt="fonte", en="the source", example="chamber_expenses"),
        Column(
            name="decided_at",
            type="timestamp_ntz",
            pt="quando se decidiu (UTC); se publicada, desde quando vale",
            en="when it was decided (UTC); of a published version, since when it stands",
        ),
        Column(
            name="decision",
            pt="published; accepted: publicada por decisão de uma pessoa; blocked: não publicada, salvo se uma pessoa "
            "a aceitar; refused: não pôde ser lida",
            en="published; accepted: published on a person's word; blocked: not published unless a person accepts it; "
            "refused: it could not be read",
            example="published",
        ),
        Column(name="sha256", pt="SHA-256 dos bytes publicados", en="SHA-256 of the published bytes"),
        Column(name="file_name", pt="nome do arquivo", en="the file's name", example="Ano-2022.csv.zip"),
        Column(name="file_bytes", type="bigint", pt="tamanho do arquivo", en="the file's size", example="3728854"),
        Column(
            name="modified_at",
            type="timestamp_ntz",
            pt="data do arquivo (UTC)",
            en="the file's date (UTC)",
            nullable=True,
        ),
        Column(
            name="archived_at",
            type="timestamp_ntz",
            pt="quando os bytes foram arquivados (UTC)",
            en="when the bytes were archived (UTC)",
            nullable=True,
        ),
        Column(name="header", pt="cabeçalho como publicado", en="the header as published"),
        Column(name="rows", type="bigint", pt="linhas", en="rows", example="107810"),
        Column(name="unreadable_rows", type="bigint", pt="linhas ilegíveis", en="rows that could not be split"),
        Column(
            name="rejected_rows",
            type="bigint",
            pt="linhas que não puderam ser lidas: campos, valores, de quem é o recibo, ou somas; nulo se não contadas",
            en="rows that could not be read: fields, amounts, whose receipt it is, or sums; null where not counted",
            nullable=True,
            example="0",
        ),
        Column(
            name="rejected_amount",
            type=TOTAL,
            pt="valor líquido dessas linhas em BRL, até onde se pôde ler; nulo se não se contou",
            en="net value of these rows in BRL, as far as it could be read; null where they were not counted",
            nullable=True,
            example="0.00",
        ),
        Column(name="net_amount", type=TOTAL, pt="valor líquido em BRL", en="net value in BRL", published="vlrLiquido"),
        Column(
            name="document_amount",
            type=TOTAL,
            pt="valor dos documentos em BRL",
            en="the documents' value in BRL",
            published="vlrDocumento",
        ),
        Column(
            name="deduction_amount",
            type=TOTAL,
            pt="glosas em BRL",
            en="disallowed parts in BRL",
            published="vlrGlosa",
        ),
        Column(
            name="returned_amount",
            type=TOTAL,
            pt="restituições em BRL",
            en="what was paid back, in BRL",
            published="vlrRestituicao",
        ),
        Column(
            name="compared_with",
            pt="SHA-256 da versão que valia então; nulo se nenhuma",
            en="SHA-256 of the version that stood then; null where none did",
            nullable=True,
        ),
        Column(
            name="faults",
            pt="por que não foi publicada, ou o que uma pessoa aceitou",
            en="why it was not published, or what a person accepted",
            nullable=True,
            example="rows fell by 25.1%, more than the 2.0% that 2022 may lose",
        ),
        Column(name="remarks", pt="observações", en="what is worth knowing", nullable=True),
        Column(name="accepted_by", pt="quem aceitou a versão", en="who accepted the version", nullable=True),
        Column(name="accepted_because", pt="por que foi aceita", en="why it was accepted", nullable=True),
    ),
    key=(YEAR, "source_code", "decided_at"),
)


def is_believed(row: Mapping[str, Any]) -> bool:
    """Whether this decision had the version published."""
    return row["decision"] in {PUBLISHED, ACCEPTED}


def standing_since(rows: Sequence[Mapping[str, Any]], moment: datetime) -> list[Mapping[str, Any]]:
    """Of a year's rows, in their order, those whose versions stood at some time since `moment` (UTC, without a zone).

    What a person accepted is what is right from then on: what stood before it is left out.
    """
    believed = [row for row in rows if is_believed(row)]
    accepted = [number for number, row in enumerate(believed) if row["decision"] == ACCEPTED]
    believed = believed[accepted[-1] if accepted else 0 :]
    ends = [row["decided_at"] for row in believed[1:]]
    return [row for row, end in zip_longest(believed, ends) if end is None or end > moment]


def row(
    manifest: Manifest,
    year: int,
    *,
    before: str | None = None,
    faults: Sequence[str] = (),
    remarks: Sequence[str] = (),
    acceptance: Acceptance | None = None,
) -> Mapping[str, Any]:
    """What was just decided about a version, as this table has it. `before` is the sha256 of the one that stood."""
    sums = manifest.sums()
    net, document, deduction, returned = (
        sum((sums.amounts_of(group)[place] for group in sums.rows), Decimal(0)) for place in range(4)
    )
    return _row(
        year,
        before=before,
        faults=faults,
        acceptance=acceptance,
        source_code=manifest.source_code,
        decision=ACCEPTED if acceptance else BLOCKED if faults else PUBLISHED,
        sha256=manifest.sha256,
        file_name=manifest.file_name,
        file_bytes=manifest.size,
        modified_at=_moment(manifest.modified),
        archived_at=_moment(manifest.archived),
        header=";".join(manifest.header),
        rows=manifest.rows,
        unreadable_rows=manifest.unreadable,
        rejected_rows=manifest.rejected_rows,
        rejected_amount=None if manifest.rejected_amount is None else Decimal(manifest.rejected_amount),
        net_amount=net,
        document_amount=document,
        deduction_amount=deduction,
        returned_amount=returned,
        remarks="; ".join(remarks) or None,
    )


def row_without_figures(
    source_code: str, landed: LandedFile, sha256: str, year: int, *, before: str | None, error: RawFileError
) -> Mapping[str, Any]:
    """What was just decided about a version that could not be read to its end."""
    nothing = Decimal(0)
    return _row(
        year,
        before=before,
        faults=[f"{landed.name}: {error.problem}. {error.remedy}"],
        source_code=source_code,
        decision=BLOCKED if error.can_be_accepted else REFUSED,
        sha256=sha256,
        file_name=landed.name,
        file_bytes=landed.size,
        modified_at=_moment(landed.modified),
        archived_at=None,
        header="",
        rows=0,
        unreadable_rows=0,
        rejected_rows=None,
        rejected_amount=None,
        net_amount=nothing,
        document_amount=nothing,
        deduction_amount=nothing,
        returned_amount=nothing,
        remarks=None,
    )


def _row(
    year: int, *, before: str | None, faults: Sequence[str], acceptance: Acceptance | None = None, **known: Any
) -> Mapping[str, Any]:
    return {
        YEAR: year,
        "decided_at": datetime.now(UTC).replace(tzinfo=None),
        "compared_with": before,
        "faults": "; ".join(faults) or None,
        "accepted_by": acceptance.by if acceptance else None,
        "accepted_because": acceptance.reason if acceptance else None,
        **known,
    }


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None) if text else None
