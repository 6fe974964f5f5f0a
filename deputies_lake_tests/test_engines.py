"""Spark and Sail build the same lake of the same files, value by value: the sample, and lines that set traps."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from deputies_lake.environments import ENGINE, Engine
from deputies_lake.lakehouse import iceberg
from deputies_lake.lakehouse.lake import Lake
from deputies_lake.raw import chamber_expenses, kaggle_refunds, kaggle_reimbursements
from deputies_lake.raw.published_csv import PublishedCsv
from deputies_lake.serving import readiness
from deputies_lake.staging import rejected_rows
from deputies_lake.tables import tables_of
from deputies_lake_tests.as_typed import Shell
from deputies_lake_tests.compare_lakes import compare
from deputies_lake_tests.staging.raw_rows import RawRow, chamber_expense, file_of, refund, reimbursement

# Says how fast a run was.
OF_THE_RUN: Final = {readiness.TABLE}

COMPANIES: Final = ("11222333900174", "53113791900115", "03713903900010")
"""Of branches that nobody has, by which `raw/origin.py` knows that a file is invented. All companies here have such."""

REIMBURSEMENTS: Final[Sequence[RawRow]] = (
    reimbursement(receipt_value="1.234,56"),
    reimbursement(receipt_value="x", receipt_description="Space travel"),
    reimbursement(deputy_id="12.0"),
    reimbursement(bugged_date="1", receipt_date="2013-02-30 00:00:00"),
    reimbursement(receipt_date="2013-3-7T01:00:00", establishment_name="  José   da Silva 111.444.777-35  "),
    reimbursement(receipt_date="2013"),
    reimbursement(receipt_social_security_number="11222333900174.0"),
    reimbursement(receipt_social_security_number="11144477735.0", state_code="Vazio"),
    reimbursement(receipt_social_security_number="2.01286290171e+12"),
    reimbursement(receipt_social_security_number="NaN", deputy_name="Liderança Do Psol", state_code="Vazio"),
    reimbursement(receipt_social_security_number="9" * 40, political_party="PCdoB"),
    reimbursement(receipt_social_security_number="1.5", political_party="PCDOB"),
)
REFUNDS: Final[Sequence[RawRow]] = (
    refund(company_id="2.01286290171e+12", party_nmembers="12345.0", party_tse="25.0"),
    refund(company_id="x", refund_value="1e5"),
    refund(refund_value="x"),
    refund(company_id="53113791900115", deputy_state="nan", refund_value="-0.01"),
)
HOUSE: Final[Sequence[RawRow]] = (
    *(chamber_expense(txtCNPJCPF=company) for company in COMPANIES),
    chamber_expense(vlrRestituicao="3.456700000000000e+002"),
    chamber_expense(vlrRestituicao="1.234500000000000E+001", datPagamentoRestituicao="2022-05-02 00:00:00"),
    chamber_expense(vlrLiquido="12,50"),
    chamber_expense(vlrDocumento="x"),
    chamber_expense(nuDeputadoId="0", ideCadastro="", txNomeParlamentar=""),
    chamber_expense(datEmissao="2022-12-31T00:00:00", numMes="x", numParcela="12.0", txtNumero="11144477735"),
    chamber_expense(datEmissao="2022-02-30T00:00:00", numMes="13"),
    chamber_expense(datEmissao="0202-02-03T00:00:00", sgUF="NA", sgPartido="NA", ideCadastro=""),
    chamber_expense(txtFornecedor="A 111.444.777-35 529.982.247-25 B", txtCNPJCPF="037.139.039/0001-0"),
    chamber_expense(txtFornecedor='Fulana; "Filha" & Cia', txtCNPJCPF="12.ABC.345/01DE-35"),
    chamber_expense(numSubCota="", txtDescricao="Nunca vista", indTipoDocumento=""),
    chamber_expense(vlrLiquido="-583.19", vlrDocumento="-583.19", vlrGlosa="0"),
    chamber_expense(vlrLiquido="0.005"),
)


ODD_MACHINE: Final = ("Área de Trabalho, 50%25", "ulimit -n 256; ", {"LC_ALL": "pt_BR.UTF-8"})
"""A home with an odd name, as few open files as macOS allows, and a locale that is not installed."""


def _trap(landing: Path, source: PublishedCsv, name: str, rows: Sequence[RawRow]) -> None:
    """Put rows below those that are there."""
    path = landing / name
    header, *lines = file_of(source, rows).splitlines(keepends=True)
    there = path.read_bytes() if path.exists() else header
    path.write_bytes(there + b"".join(lines))


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Engine, Lake]:
    """One lake of each engine, built from the same folder as a person builds it; Sail's on an `ODD_MACHINE`."""
    landing = tmp_path_factory.mktemp("landing")
    built = {}
    for engine in Engine:
        folder, before, variables = ODD_MACHINE if engine == Engine.SAIL else ("lake", "", {})
        shell = Shell(tmp_path_factory.mktemp(engine) / folder)
        shell.home.mkdir()
        shell.prepare()
        if not any(landing.iterdir()):
            made = shell.run(f"deputies-lake sample --rows 3000 '{landing}'")
            assert made.returncode == 0, made.stdout
            _trap(landing, kaggle_reimbursements.CSV, "deputies_dataset.csv", REIMBURSEMENTS)
            _trap(landing, kaggle_refunds.CSV, "dirty_deputies_v2.csv", REFUNDS)
            _trap(landing, chamber_expenses.CSV, "Ano-2022.csv", HOUSE)
        demo = f"{before}deputies-lake demo --input '{landing}'"
        done = shell.run(demo, timeout=900, **variables, **{ENGINE: engine})
        assert done.returncode == 0, done.stdout
        built[engine] = Lake(iceberg.local_catalog(shell.home / "lake" / "warehouse"))
    return built


def test_both_engines_build_the_same_lake(lakes: Mapping[Engine, Lake]) -> None:
    tables = [table for table in tables_of() if table not in OF_THE_RUN]
    assert compare(lakes[Engine.SPARK], lakes[Engine.SAIL], tables) == []


def test_lines_that_cannot_be_read_are_compared_too(lakes: Mapping[Engine, Lake]) -> None:
    sources = {row["source_code"] for row in lakes[Engine.SAIL].rows(rejected_rows.TABLE)}
    assert sources == {"kaggle_reimbursements", "kaggle_refunds", "chamber_expenses"}
