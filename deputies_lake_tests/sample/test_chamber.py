"""The sample in the format of the House's yearly files: repeatable, true to its figures, all traps and nobody real."""

import csv
import hashlib
import io
import re
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from deputies_lake.raw.chamber_expenses import CSV
from deputies_lake.raw.published_csv import read_blocks
from deputies_lake.sample import chamber, kaggle, receipts
from deputies_lake.sample.chamber import ChamberSample, ChamberYear, write_chamber_files
from deputies_lake.sample.chamber_figures import Figures
from deputies_lake.sample.chamber_lines import CURRENT, OF_2019, OF_2022, UNQUOTED, Layout
from deputies_lake.sample.chamber_members import LABELS
from deputies_lake.sample.kaggle import write_kaggle_files
from deputies_lake.sample.restatements import UNCHANGED, Restatement
from deputies_lake_tests.staging.check_digits import is_cnpj, is_cpf

ROWS = 20_000
YEARS = (2008, 2016, 2017, 2019, 2025, 2026)
COLUMNS = list(CSV.columns)

Row = dict[str, str]


def text(year: ChamberYear) -> bytes:
    with zipfile.ZipFile(year.path) as archive:
        return archive.read(f"Ano-{year.year}.csv")


def read(year: ChamberYear) -> list[Row]:
    lines = io.StringIO(text(year).decode("utf-8-sig"), newline="")
    return list(csv.DictReader(lines, delimiter=";", strict=True))


def amount(row: Row, column: str) -> Decimal:
    return Decimal(row[column] or "0")


def figures(rows: Iterable[Row]) -> Figures:
    rows = list(rows)
    columns = {"net": "vlrLiquido", "document": "vlrDocumento", "deduction": "vlrGlosa", "returned": "vlrRestituicao"}
    sums = {name: sum((amount(row, column) for row in rows), start=Decimal(0)) for name, column in columns.items()}
    return Figures(rows=len(rows), **sums)


def by_category(rows: Iterable[Row]) -> dict[tuple[str, str], Figures]:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["numSubCota"], row["txtDescricao"]), []).append(row)
    return {category: figures(group) for category, group in groups.items()}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> ChamberSample:
    return write_chamber_files(tmp_path_factory.mktemp("chamber"), years=YEARS, rows_per_year=ROWS)


@pytest.fixture(scope="module")
def rows_by_year(sample: ChamberSample) -> dict[int, list[Row]]:
    return {year: read(written) for year, written in sample.by_year.items()}


@pytest.fixture(scope="module")
def rows(rows_by_year: dict[int, list[Row]]) -> list[Row]:
    """Those of 2025, which has most of the traps."""
    return rows_by_year[2025]


def small(
    directory: Path, layout: Layout = CURRENT, *, restatement: Restatement = UNCHANGED, damaged: int = 0
) -> ChamberYear:
    written = write_chamber_files(
        directory,
        years=[2024],
        rows_per_year=1_000,
        seed=7,
        layout=layout,
        restatement=restatement,
        damaged=damaged,
    )
    return written.by_year[2024]


# repeatable


def test_a_seed_gives_the_same_text_on_every_machine(tmp_path: Path) -> None:
    # Written down once: an upgrade of numpy or another processor must not change it. A change of the generator may.
    assert (
        hashlib.sha256(text(small(tmp_path))).hexdigest()
        == "ddf99b0f9b453baeef5f77cb475802e42194a845cda7b2906b9ec5d6c37af47f"
    )


def test_equal_seeds_give_equal_archives(tmp_path: Path) -> None:
    one, two = small(tmp_path / "one"), small(tmp_path / "two")
    assert one.path.read_bytes() == two.path.read_bytes()


def test_another_seed_gives_other_rows(tmp_path: Path) -> None:
    one = write_chamber_files(tmp_path / "one", years=[2024], rows_per_year=1_000, seed=1).by_year[2024]
    two = write_chamber_files(tmp_path / "two", years=[2024], rows_per_year=1_000, seed=2).by_year[2024]
    assert not {tuple(row.values()) for row in read(one)} & {tuple(row.values()) for row in read(two)}


def test_a_year_is_the_same_whatever_others_are_written_with_it(tmp_path: Path) -> None:
    both = write_chamber_files(tmp_path, years=range(2023, 2025), rows_per_year=1_000, seed=7)
    assert text(both.by_year[2024]) == text(small(tmp_path / "alone"))


# the figures


@pytest.mark.parametrize("year", YEARS)
def test_the_figures_are_those_of_the_file(
    sample: ChamberSample, rows_by_year: dict[int, list[Row]], year: int
) -> None:
    found, expected = sample.by_year[year], rows_by_year[year]
    times = Counter(tuple(row.values()) for row in expected)
    assert found.total == figures(expected)
    assert found.total.rows == ROWS
    assert found.by_category == by_category(expected)
    assert found.leaderships == figures(row for row in expected if not row["ideCadastro"])
    assert found.negatives == figures(row for row in expected if amount(row, "vlrLiquido") < 0)
    assert found.missing_dates == sum(not row["datEmissao"] for row in expected)
    assert found.identical_rows == sum(count for count in times.values() if count > 1)
    assert (found.unescaped_quotes, found.rejected_lines) == (0, 0)
    assert (found.added, found.removed, found.altered) == ({}, {}, {})


def test_the_sample_adds_up_its_years(sample: ChamberSample) -> None:
    assert sample.rows == ROWS * len(YEARS)
    parts = sample.by_year_and_category
    assert sum(figures.net for figures in parts.values()) == sum(year.total.net for year in sample.by_year.values())
    assert {year for year, _, _ in parts} == set(YEARS)


def test_progress_ends_with_all_rows(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_chamber_files(
        tmp_path, years=[2023, 2024], rows_per_year=1_001, progress=lambda done, of: told.append((done, of))
    )
    assert told == sorted(told)
    assert told[-1] == (2_002, 2_002)


# the published form


def test_the_archive_is_made_as_the_houses(sample: ChamberSample) -> None:
    path = sample.by_year[2025].path
    assert path.name == "Ano-2025.csv.zip"
    with zipfile.ZipFile(path) as archive:
        (member,) = archive.infolist()
        assert archive.testzip() is None
    assert member.filename == "Ano-2025.csv"
    has_data_descriptor = 0x08
    assert member.flag_bits & has_data_descriptor
    assert (member.create_system, member.compress_type) == (0, zipfile.ZIP_DEFLATED)
    assert member.date_time == (2026, 1, 1, 3, 27, 0)


def test_bytes_are_those_of_pythons_csv_writer(sample: ChamberSample) -> None:
    published = text(sample.by_year[2025]).decode("utf-8")
    parsed = list(csv.reader(io.StringIO(published.removeprefix("\ufeff"), newline=""), delimiter=";", strict=True))
    rewritten = io.StringIO("\ufeff", newline="")
    rewritten.seek(0, io.SEEK_END)
    csv.writer(rewritten, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(parsed)
    assert rewritten.getvalue() == published
    assert parsed[0] == COLUMNS


def test_the_unquoted_form_has_quotes_only_where_a_field_needs_them(tmp_path: Path) -> None:
    unquoted = small(tmp_path / "unquoted", UNQUOTED)
    parsed = list(csv.reader(io.StringIO(text(unquoted).decode("utf-8-sig"), newline=""), delimiter=";", strict=True))
    rewritten = io.StringIO(newline="")
    csv.writer(rewritten, delimiter=";", quoting=csv.QUOTE_MINIMAL, lineterminator="\n").writerows(parsed)
    assert rewritten.getvalue() == text(unquoted).decode("utf-8-sig")
    assert read(unquoted) == read(small(tmp_path / "quoted"))


@pytest.mark.parametrize(
    ("layout", "missing"),
    [(OF_2022, {"datPagamentoRestituicao"}), (OF_2019, {"cpf", "datPagamentoRestituicao", "urlDocumento"})],
)
def test_older_layouts_have_the_same_rows_in_fewer_columns(tmp_path: Path, layout: Layout, missing: set[str]) -> None:
    older, current = small(tmp_path / "older", layout), small(tmp_path / "current")
    kept = [name for name in COLUMNS if name not in missing and name != "txNomeParlamentar"]
    header = text(older).decode("utf-8-sig").split("\n", 1)[0]
    assert header.replace('"', "").split(";") == ["txNomeParlamentar", *kept]
    assert [[row[name] for name in kept] for row in read(older)] == [
        [row[name] for name in kept] for row in read(current)
    ]
    assert older.by_category == current.by_category


def test_names_are_capitals_in_the_layout_of_2019_and_mixed_since(tmp_path: Path) -> None:
    assert all(row["txNomeParlamentar"].isupper() for row in read(small(tmp_path / "older", OF_2019)))
    for row in read(small(tmp_path / "current")):
        assert row["txNomeParlamentar"].isupper() == (not row["ideCadastro"])


def test_amounts_have_no_more_digits_than_they_need(rows: list[Row]) -> None:
    written = {row[column] for row in rows for column in ("vlrDocumento", "vlrGlosa", "vlrLiquido")}
    assert all(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d?[1-9])?", value) for value in written)
    assert "0" in written
    shapes = {len(value.partition(".")[2]) for value in written}
    assert shapes == {0, 1, 2}
    assert all(re.fullmatch(r"\d+\.\d\d?", row["vlrRestituicao"]) for row in rows if row["vlrRestituicao"])


def test_dates_are_days_around_the_year_with_a_time(rows: list[Row]) -> None:
    dated = [row["datEmissao"] for row in rows if row["datEmissao"]]
    assert all(re.fullmatch(r"202[456]-[01]\d-[0-3]\dT\d\d:\d\d:\d\d", when) for when in dated)
    assert "2024-12-01" <= min(dated)[:10] < "2025-01-01" <= max(dated)[:10]


def test_rows_stand_by_member_then_category(rows: list[Row]) -> None:
    groups = [(row["nuDeputadoId"], row["numSubCota"]) for row in rows]
    changes = sum(one != other for one, other in pairwise(groups))
    assert changes + 1 == len(set(groups))
    offices = [not row["ideCadastro"] for row in rows]
    assert offices == sorted(offices, reverse=True)


# the traps


def shape(text: str) -> str:
    return re.sub(r"\d", "9", text)


TICKETS = {"998", "999"}
TRAPS: dict[str, tuple[Callable[[Row], bool], float, float]] = {
    "an office": (lambda row: row["sgUF"] == "NA", 0.002, 0.008),
    "a CNPJ under its odd mask": (lambda row: shape(row["txtCNPJCPF"]) == "999.999.999/9999-9", 0.8, 0.9),
    "a CPF under the same mask": (lambda row: shape(row["txtCNPJCPF"]) == "999.999.999/99  -", 0.005, 0.04),
    "no supplier id": (lambda row: not row["txtCNPJCPF"], 0.1, 0.15),
    "an own number of the House": (lambda row: row["txtCNPJCPF"].startswith("000.000.000/0000-"), 0.04, 0.08),
    "a company abroad": (lambda row: row["txtCNPJCPF"] == "000.000.000/0001-0", 0.0003, 0.003),
    "a semicolon in a supplier": (lambda row: ";" in row["txtFornecedor"], 0.001, 0.01),
    "a semicolon in a passenger": (lambda row: ";" in row["txtPassageiro"], 0.0005, 0.01),
    "a quote": (lambda row: '"' in row["txtFornecedor"], 0.0002, 0.004),
    "a name that ends with a CPF": (lambda row: bool(re.search(r" \d{11}$", row["txtFornecedor"])), 0.003, 0.03),
    "no date": (lambda row: not row["datEmissao"], 0.01, 0.05),
    "a date of the year before": (lambda row: row["datEmissao"].startswith("2024"), 0.0003, 0.003),
    "a date of the year after": (lambda row: row["datEmissao"].startswith("2026"), 0.0005, 0.01),
    "another month": (lambda row: row["datEmissao"][5:7] not in ("", row["numMes"].zfill(2)), 0.07, 0.13),
    "a refund": (lambda row: row["vlrLiquido"].startswith("-"), 0.015, 0.045),
    "a disallowed part": (lambda row: row["vlrGlosa"] != "0", 0.03, 0.07),
    "a net value of nothing": (lambda row: row["vlrLiquido"] == "0", 0.0003, 0.005),
    "paid back by the deputy": (lambda row: bool(row["datPagamentoRestituicao"]), 0.0004, 0.002),
    "an instalment": (lambda row: row["numParcela"] == "1", 0.0004, 0.004),
    "a net value that does not add up": (
        lambda row: amount(row, "vlrLiquido") != amount(row, "vlrDocumento") - amount(row, "vlrGlosa"),
        0.001,
        0.006,
    ),
    "no document": (lambda row: row["ideDocumento"] == "0", 0.03, 0.09),
    "no link": (lambda row: not row["urlDocumento"], 0.15, 0.25),
    "a receipt": (lambda row: row["indTipoDocumento"] == "1", 0.12, 0.25),
    "an electronic invoice": (lambda row: row["indTipoDocumento"] == "4", 0.2, 0.35),
    "a document from abroad": (lambda row: row["indTipoDocumento"] in {"2", "3"}, 0.0003, 0.003),
    "fuel of a boat or an aircraft": (lambda row: row["numEspecificacaoSubCota"] in {"2", "3"}, 0.0005, 0.004),
    "a category without a known number": (lambda row: row["numSubCota"] == "145", 0.00005, 0.0003),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_has_its_share_of_rows(rows: list[Row], trap: str) -> None:
    is_caught, least, most = TRAPS[trap]
    assert least <= sum(map(is_caught, rows)) / ROWS <= most


def test_offices_have_neither_register_number_nor_party_nor_cpf(rows: list[Row]) -> None:
    empty = ("ideCadastro", "nuCarteiraParlamentar", "sgPartido", "cpf")
    for row in rows:
        assert [bool(row[name]) for name in empty] == [row["sgUF"] != "NA"] * len(empty)
        assert row["nuDeputadoId"]
    assert len({row["txNomeParlamentar"] for row in rows if row["sgUF"] == "NA"}) == 12


def test_only_tickets_are_refunded_and_have_a_passenger_and_a_trip(rows: list[Row]) -> None:
    for row in rows:
        is_ticket = row["numSubCota"] in TICKETS
        assert bool(row["txtPassageiro"]) == bool(row["txtTrecho"]) == is_ticket
        assert is_ticket or not row["vlrLiquido"].startswith("-")
        assert not row["txtCNPJCPF"] or row["numSubCota"] != "998"


def test_documents_repeat_with_another_amount_or_all_the_same(sample: ChamberSample, rows: list[Row]) -> None:
    documents: dict[str, list[Row]] = {}
    for row in rows:
        documents.setdefault(row["ideDocumento"], []).append(row)
    del documents["0"]
    repeated = [group for group in documents.values() if len(group) > 1]
    tickets = [group for group in repeated if group[0]["numSubCota"] == "998"]
    instalments = [group for group in repeated if group[0]["numSubCota"] != "998"]
    assert 0.01 < sum(map(len, tickets)) / ROWS < 0.08
    assert all(len({row["numMes"] for row in group}) == 1 for group in repeated)
    assert any(len({row["vlrDocumento"].lstrip("-") for row in group}) > 1 for group in tickets)
    assert all({row["numParcela"] for row in group} == {"0", "1"} for group in instalments)
    assert all(len({row["vlrDocumento"] for row in group}) == 1 for group in instalments)
    assert instalments
    assert sample.by_year[2025].identical_rows > 0


def test_extension_lines_alone_have_no_date(rows: list[Row]) -> None:
    assert {row["txtFornecedor"] for row in rows if not row["datEmissao"]} == {"RAMAL"}
    assert all(row["datEmissao"] == "" for row in rows if row["txtFornecedor"] == "RAMAL")


@pytest.mark.parametrize(("year", "expected"), [(2008, ""), (2016, ""), (2017, "0"), (2025, "0")])
def test_rows_without_document_have_the_id_of_their_time(
    rows_by_year: dict[int, list[Row]], year: int, expected: str
) -> None:
    assert {row["ideDocumento"] for row in rows_by_year[year] if row["txtFornecedor"] == "RAMAL"} == {expected}


def test_only_the_file_of_2017_has_rows_of_the_year_before(rows_by_year: dict[int, list[Row]]) -> None:
    others = {year: {row["numAno"] for row in rows} for year, rows in rows_by_year.items()}
    assert others == {year: {str(year)} if year != 2017 else {"2016", "2017"} for year in YEARS}


# the eras


def test_each_year_has_the_categories_of_its_time(sample: ChamberSample) -> None:
    found = {year: {number for number, _ in written.by_category} for year, written in sample.by_year.items()}
    assert found[2008] == {"1", "2", "3", "4", "5", "6", "7", "10"}
    assert not found[2016] & {"2", "6", "7", "15", "998"}
    assert {"119", "120", "121", "122", "123", "999"} <= found[2016]
    assert all(("998" in numbers) == (year >= 2019) for year, numbers in found.items())


def test_labels_change_while_numbers_stay(sample: ChamberSample) -> None:
    labels = {year: dict(written.by_category.keys()) for year, written in sample.by_year.items()}
    assert labels[2016]["9"] == labels[2019]["9"] == "PASSAGENS AÉREAS"
    assert labels[2025]["9"] == "PASSAGEM AÉREA - REEMBOLSO"
    assert labels[2016]["999"] == "Emissão Bilhete Aéreo"
    assert labels[2025]["999"] == "PASSAGEM AÉREA - RPA"


def test_sigepas_tickets_begin_in_june_2019(rows_by_year: dict[int, list[Row]]) -> None:
    months = {int(row["numMes"]) for row in rows_by_year[2019] if row["numSubCota"] == "998"}
    assert months == {6, 7, 8, 9, 10, 11, 12}


def test_after_july_2025_sigepa_has_nothing_but_refunds(rows_by_year: dict[int, list[Row]]) -> None:
    sigepa = [row for row in (*rows_by_year[2025], *rows_by_year[2026]) if row["numSubCota"] == "998"]
    later = [row for row in sigepa if (row["numAno"], int(row["numMes"])) > ("2025", 7)]
    assert {row["numAno"] for row in later} == {"2025", "2026"}
    assert all(amount(row, "vlrLiquido") <= 0 for row in later)
    assert sum(amount(row, "vlrLiquido") > 0 for row in sigepa) > 0.6 * len(sigepa)


def test_a_full_year_has_the_published_size_and_sums(sample: ChamberSample) -> None:
    scale = Decimal(209_066) / ROWS / 1_000_000
    net = {number: part.net * scale for (number, _), part in sample.by_year[2025].by_category.items()}
    published = {"5": 101.87, "120": 41.79, "1": 33.38, "998": 27.11, "3": 22.39}
    for number, millions in published.items():
        assert float(net[number]) == pytest.approx(millions, rel=0.15)
    assert 210 < sum(net.values()) < 260


def test_parties_have_the_labels_of_the_year(rows_by_year: dict[int, list[Row]]) -> None:
    labels = {year: {row["sgPartido"] for row in rows} for year, rows in rows_by_year.items()}
    assert {"PP**", "PMDB", "PTN", "S.PART."} <= labels[2008]
    assert {"PP", "PR", "PSC"} <= labels[2016]
    assert {"PODE", "PMDB"} <= labels[2017]
    assert {"MDB", "PL", "DEM", "PSL", "REPUBLICANOS"} <= labels[2019]
    assert {"UNIÃO", "PRD", "PL"} <= labels[2025]
    assert not labels[2025] & {"DEM", "PSL", "PMDB", "PR", "PTB", "PP**"}
    assert not {label.strip() for label in LABELS if min(LABELS[label]) > 2019} & labels[2026]


def test_deputies_of_the_old_term_file_for_january_only(rows_by_year: dict[int, list[Row]]) -> None:
    terms = {(row["nuLegislatura"], row["codLegislatura"]) for row in rows_by_year[2019]}
    assert terms == {("2015", "55"), ("2019", "56")}
    assert {row["numMes"] for row in rows_by_year[2019] if row["codLegislatura"] == "55"} == {"1"}
    assert {row["codLegislatura"] for row in rows_by_year[2008]} == {"53"}


# the same people as Kaggle's


def test_both_sources_tell_of_the_same_deputies(tmp_path: Path) -> None:
    kaggle = write_kaggle_files(tmp_path, rows=5_000, seed=11, refunds=False)
    house = write_chamber_files(tmp_path, years=[2015, 2017, 2023], rows_per_year=5_000, seed=11, kaggle_rows=5_000)
    with kaggle.reimbursements.open(encoding="utf-8", newline="") as lines:
        known = {
            row["deputy_id"]: (row["deputy_name"].title(), row["state_code"], row["political_party"])
            for row in csv.DictReader(lines)
            if row["state_code"] != "Vazio"
        }
    parties = {"DEM": "DEM", "PMDB": "PMDB", "PT": "PT"}
    for year in (2015, 2017):
        members = [row for row in read(house.by_year[year]) if row["ideCadastro"]]
        assert len({row["nuDeputadoId"] for row in members}) > 20
        for row in members:
            name, state, party = known[row["nuDeputadoId"]]
            assert (row["txNomeParlamentar"], row["sgUF"]) == (name, state)
            assert row["sgPartido"] == parties.get(party, row["sgPartido"])
    later = {row["nuDeputadoId"] for row in read(house.by_year[2023]) if row["ideCadastro"]}
    assert later & known.keys()
    assert later - known.keys()


def test_a_deputy_keeps_both_numbers_through_the_years(rows_by_year: dict[int, list[Row]]) -> None:
    numbers: dict[str, set[tuple[str, ...]]] = {}
    for rows in rows_by_year.values():
        for row in rows:
            facts = (row["txNomeParlamentar"], row["ideCadastro"], row["sgUF"], row["cpf"])
            numbers.setdefault(row["nuDeputadoId"], set()).add(facts)
    assert all(len(facts) == 1 for facts in numbers.values())
    registered = [number for facts in numbers.values() for _, number, _, _ in facts if number]
    assert len(registered) == len(set(registered))
    assert not numbers.keys() & set(registered)


# nobody real


def test_cpfs_fail_their_check_digits_wherever_they_stand(rows: list[Row]) -> None:
    of_suppliers = {re.sub(r"\D", "", row["txtCNPJCPF"]) for row in rows if row["txtCNPJCPF"].endswith("-")}
    in_names = {found[0] for row in rows if (found := re.search(r"\d{6,}$", row["txtFornecedor"]))}
    of_deputies = {row["cpf"] for row in rows if row["cpf"]}
    for numbers in (of_suppliers, in_names, of_deputies):
        assert numbers
        assert all(len(number) == 11 and not is_cpf(int(number)) for number in numbers)


def test_companies_ids_are_valid_and_no_companys(rows: list[Row]) -> None:
    masked = {row["txtCNPJCPF"] for row in rows if shape(row["txtCNPJCPF"]) == "999.999.999/9999-9"}
    companies = {re.sub(r"\D", "", number) for number in masked if not number.startswith("000.000.000/000")}
    assert all(is_cnpj(int(number)) and int(number[8:12]) >= 9_000 for number in companies)


def test_documents_and_members_have_numbers_that_the_house_has_not_given_out(rows: list[Row]) -> None:
    assert min(int(row["ideDocumento"]) for row in rows if row["ideDocumento"] != "0") >= 10_000_000
    assert min(int(row["nuDeputadoId"]) for row in rows) > 6_000
    assert min(int(row["ideCadastro"]) for row in rows if row["ideCadastro"]) > 500_000


# later versions


def content(year: ChamberYear) -> Counter[tuple[str, ...]]:
    return Counter(tuple(row.values()) for row in read(year))


def as_rows(lines: Counter[tuple[str, ...]]) -> list[Row]:
    return [dict(zip(COLUMNS, line, strict=True)) for line in lines.elements()]


def test_a_later_version_differs_by_the_rows_asked_for_and_no_others(tmp_path: Path) -> None:
    first = small(tmp_path / "first")
    later = small(tmp_path / "later", restatement=Restatement(added=9, removed=5, altered=7))
    gone, new = as_rows(content(first) - content(later)), as_rows(content(later) - content(first))
    documents = {row["ideDocumento"] for row in gone} & {row["ideDocumento"] for row in new} - {"0"}
    before = [row for row in gone if row["ideDocumento"] in documents]
    after = [row for row in new if row["ideDocumento"] in documents]
    assert (len(before), len(after), len(gone), len(new)) == (7, 7, 12, 16)
    assert later.added == by_category(row for row in new if row not in after)
    assert later.removed == by_category(row for row in gone if row not in before)
    changes = {category: part.net - by_category(before)[category].net for category, part in by_category(after).items()}
    assert {category: part.net for category, part in later.altered.items()} == changes
    assert {category: part.rows for category, part in later.altered.items()} == {
        category: part.rows for category, part in by_category(after).items()
    }
    assert all(change < 0 for change in changes.values())
    assert later.by_category == by_category(read(later))


def test_removed_and_altered_rows_are_all_over_the_file(tmp_path: Path) -> None:
    first = small(tmp_path / "first")
    later = small(tmp_path / "later", restatement=Restatement(removed=20, altered=20))
    gone = content(first) - content(later)
    places = [number for number, row in enumerate(read(first)) if tuple(row.values()) in gone]
    assert len(places) == 40
    assert max(places) - min(places) > 700


def test_a_truncated_version_ends_early_and_is_well_formed(tmp_path: Path) -> None:
    first = small(tmp_path / "first")
    truncated = small(tmp_path / "truncated", restatement=Restatement(truncated=0.25))
    assert text(first).startswith(text(truncated))
    assert text(truncated).endswith(b"\n")
    assert read(truncated) == read(first)[:750]
    assert truncated.total.rows == 750
    assert truncated.removed == by_category(read(first)[750:])


def test_versions_repeat(tmp_path: Path) -> None:
    restatement = Restatement(added=3, removed=3, altered=3, truncated=0.1)
    one = small(tmp_path / "one", restatement=restatement)
    two = small(tmp_path / "two", restatement=restatement)
    assert one.path.read_bytes() == two.path.read_bytes()


def test_a_truncated_version_can_be_restated_too(tmp_path: Path) -> None:
    first = small(tmp_path / "first")
    later = small(tmp_path / "later", restatement=Restatement(added=20, removed=30, altered=40, truncated=0.5))
    kept = content(first) & content(later)
    assert (sum(kept.values()), later.total.rows) == (430, 490)
    assert later.by_category == by_category(read(later))
    assert sum(part.rows for part in later.removed.values()) == 530


def test_more_changes_than_rows_are_refused_and_leave_what_was_there(tmp_path: Path) -> None:
    first = small(tmp_path)
    before = first.path.read_bytes()
    with pytest.raises(
        ValueError, match=r"2024: of the 5000 rows to remove .* Ask for fewer, or for more rows a year\."
    ):
        small(tmp_path, restatement=Restatement(removed=5_000))
    assert first.path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["Ano-2024.csv.zip"]


@pytest.mark.parametrize("impossible", [{"added": -1}, {"removed": -1}, {"altered": -1}, {"truncated": 1.0}])
def test_impossible_restatements_are_refused(impossible: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="rows can't be fewer than none, and some of the file must be left"):
        Restatement(**impossible)


# damage


def test_damaged_lines_stand_beside_the_sound_ones(tmp_path: Path) -> None:
    sound, damaged = small(tmp_path / "sound"), small(tmp_path / "damaged", damaged=4)
    assert text(damaged).startswith(text(sound))
    extra = text(damaged).removeprefix(text(sound)).decode().splitlines()
    fields = [line[1:-1].split('";"') for line in extra]
    whole = [dict(zip(COLUMNS, values, strict=True)) for values in fields if len(values) == len(COLUMNS)]
    unescaped = [row for row in whole if '"' in row["txtFornecedor"]]
    commas = [row for row in whole if "," in row["vlrLiquido"]]
    assert (len(extra), len(whole), len(unescaped), len(commas)) == (12, 8, 4, 4)
    assert (damaged.unescaped_quotes, damaged.rejected_lines) == (4, 8)
    assert damaged.total == figures([*read(sound), *unescaped])


def test_the_lakes_reader_can_not_split_the_lines_that_are_cut_off_and_no_others(tmp_path: Path) -> None:
    damaged = small(tmp_path, damaged=4)
    stream = io.BufferedReader(io.BytesIO(text(damaged)))  # type: ignore[arg-type,unused-ignore]
    table = pa.concat_tables(read_blocks(stream, damaged.path.name, CSV.of_year(2024)).tables)
    assert table.num_rows == damaged.total.rows + damaged.rejected_lines
    assert table["unreadable_reason"].null_count == table.num_rows - 4


def test_a_layout_without_quotes_can_not_be_damaged(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="damaged lines need a layout that quotes every field"):
        small(tmp_path, UNQUOTED, damaged=1)


# a file of any size


@pytest.mark.parametrize(("rows", "problem"), [(499, "too few .* at least 500"), (1_000_001, "at most 1000000")])
def test_sizes_that_can_not_be_are_refused(tmp_path: Path, rows: int, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        write_chamber_files(tmp_path, years=[2024], rows_per_year=rows)


def test_batches_without_rows_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # So small that after a large group there may come nothing but empty ones.
    monkeypatch.setattr(receipts, "BATCH_ROWS", 10)
    written = write_chamber_files(tmp_path, years=[2024], rows_per_year=1_500).by_year[2024]
    assert len(read(written)) == written.total.rows == 1_500


def test_years_without_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2007 has no file: the House's first is of 2008"):
        write_chamber_files(tmp_path, years=[2007, 2010])


def test_ten_times_the_rows_need_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As many deputies and suppliers for both, as beyond the published size, and batches that both fill.
    monkeypatch.setattr(receipts, "BATCH_ROWS", 1_000)

    def peak(count: int) -> int:
        """What is taken while rows are written: Python's and numpy's memory, and Arrow's, which counts its own."""
        arrow: list[int] = []

        def watch(_done: int, _rows: int) -> None:
            arrow.append(pa.total_allocated_bytes())
            if not tracemalloc.is_tracing():
                tracemalloc.start()

        write_chamber_files(tmp_path, years=[2024], rows_per_year=count, kaggle_rows=30_000, progress=watch)
        _, traced = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return traced + max(arrow) - arrow[0]

    peak(1_000)  # fills what is computed once and kept
    small, large = peak(5_000), peak(50_000)
    assert large <= 1.2 * small


def test_an_interrupted_run_leaves_what_was_there(tmp_path: Path) -> None:
    before = tmp_path / "Ano-2024.csv.zip"
    before.write_text("the last good file")

    def stop(done: int, rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_chamber_files(tmp_path, years=[2024], rows_per_year=1_000, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["Ano-2024.csv.zip"]
    assert before.read_text() == "the last good file"


def test_the_streams_of_both_generators_are_apart() -> None:
    ours = {chamber.MEMBERS, chamber.NAMES, chamber.ROWS, chamber.LATE_ROWS, chamber.DAMAGED_ROWS}
    assert not ours & {kaggle.PEOPLE, kaggle.SUPPLIERS, kaggle.RECEIPTS, kaggle.REFUNDS}
