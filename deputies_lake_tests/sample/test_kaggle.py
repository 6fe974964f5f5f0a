"""The sample in Kaggle's format: repeatable, true to its figures, with all the published traps and nobody real."""

import csv
import gzip
import hashlib
import io
import re
import tracemalloc
import unicodedata
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median

import pyarrow as pa
import pytest

from deputies_lake.sample import kaggle, receipts
from deputies_lake.sample.kaggle import KaggleSample, write_kaggle_files
from deputies_lake.sample.kaggle_shape import CATEGORIES, LAST_YEAR_ENDS, ROWS_BY_YEAR
from deputies_lake_tests.staging.check_digits import is_cnpj, is_cpf

ROWS = 20_000
HEADER = (
    "bugged_date,receipt_date,deputy_id,political_party,state_code,deputy_name,"
    "receipt_social_security_number,receipt_description,establishment_name,receipt_value"
)
REFUNDS_HEADER = (
    "deputy_name,deputy_state,political_party,refund_description,company_name,company_id,refund_date,refund_value,"
    "party_pg,party_en,party_tse,party_regdate,party_nmembers,party_ideology1,party_ideology2,party_ideology3,"
    "party_ideology4,party_position"
)
POSITIONS = {
    "Farleft",
    "Leftwing",
    "Centreleft",
    "Centre to centreleft",
    "Centre",
    "Centre/Centreright",
    "Centreright",
    "Rightwing",
}
LEADERSHIPS = {
    "Liderança Do Psdb",
    "Liderança Do Pt",
    "Pdt",
    "Pros",
    "Sdd",
    "Lid.Gov-Cd",
    "Lid.Gov-Cn",
    "Phs",
    "Psol",
    "Ptn",
    "Pode",
}

Row = dict[str, str]


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))


def supplier_id(row: Row) -> str:
    return row["receipt_social_security_number"]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> KaggleSample:
    return write_kaggle_files(tmp_path_factory.mktemp("kaggle"), rows=ROWS)


@pytest.fixture(scope="module")
def rows(sample: KaggleSample) -> list[Row]:
    return read(sample.reimbursements)


@pytest.fixture(scope="module")
def refunds(sample: KaggleSample) -> list[Row]:
    assert sample.refunds
    return read(sample.refunds)


@pytest.fixture(scope="module")
def many_refunds(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Enough for what is rare, such as small parties and junk dates."""
    written = write_kaggle_files(tmp_path_factory.mktemp("large"), rows=100_000, seed=3)
    assert written.refunds
    return read(written.refunds)


# repeatable


def digest(path: Path | None) -> str:
    assert path
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_seed_gives_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    written = write_kaggle_files(tmp_path, rows=3_000, seed=7)
    # Written down once: an upgrade of numpy or another processor must not change them. A change of the generator may.
    assert digest(written.reimbursements) == "937073d0ec04373390bc74947bc6c427123bdcefb13511abdeeec7707068d7f2"
    assert digest(written.refunds) == "f739704ac2a5fe60296c4a06b0e980e87d681f608b766847f680271a429b9f77"


def test_another_seed_gives_other_rows(tmp_path: Path) -> None:
    one = write_kaggle_files(tmp_path / "one", rows=1_000, seed=1)
    two = write_kaggle_files(tmp_path / "two", rows=1_000, seed=2)
    ours = {tuple(row.values()) for row in read(one.reimbursements)}
    assert not ours & {tuple(row.values()) for row in read(two.reimbursements)}


def test_neither_compression_nor_leaving_out_the_refunds_changes_the_text(tmp_path: Path) -> None:
    plain = write_kaggle_files(tmp_path / "plain", rows=1_000)
    packed = write_kaggle_files(tmp_path / "packed", rows=1_000, compress=True, refunds=False)
    assert packed.reimbursements.name == "deputies_dataset.csv.gz"
    assert [path.name for path in (tmp_path / "packed").iterdir()] == ["deputies_dataset.csv.gz"]
    assert gzip.decompress(packed.reimbursements.read_bytes()) == plain.reimbursements.read_bytes()
    assert (packed.refunds, packed.refund_rows, packed.refund_total) == (None, 0, Decimal(0))
    packed_again = write_kaggle_files(tmp_path / "again", rows=1_000, compress=True, refunds=False)
    assert digest(packed.reimbursements) == digest(packed_again.reimbursements)


# the figures


def test_the_figures_are_those_of_the_file(sample: KaggleSample, rows: list[Row]) -> None:
    by_year: Counter[int] = Counter()
    total_by_year: Counter[int] = Counter()
    by_category: Counter[tuple[int, str]] = Counter()
    total_by_category: Counter[tuple[int, str]] = Counter()
    for row in rows:
        year, amount = int(row["receipt_date"][:4]), int(row["receipt_value"])
        by_year[year] += 1
        total_by_year[year] += amount
        by_category[year, row["receipt_description"]] += 1
        total_by_category[year, row["receipt_description"]] += amount
    times = Counter(tuple(row.values()) for row in rows)

    assert sample.rows == len(rows) == ROWS
    assert sample.total == sum(total_by_year.values())
    assert sample.rows_by_year == by_year
    assert sample.total_by_year == total_by_year
    assert sample.rows_by_year_and_category == by_category
    assert sample.total_by_year_and_category == total_by_category
    assert sample.bugged_rows == sum(row["bugged_date"] == "1" for row in rows)
    assert sample.null_supplier_ids == sum(not supplier_id(row) for row in rows)
    assert sample.stateless_rows == sum(row["state_code"] == "Vazio" for row in rows)
    assert sample.leadership_rows == sum(row["deputy_name"] in LEADERSHIPS for row in rows)
    assert sample.identical_rows == sum(count for count in times.values() if count > 1)


def test_the_figures_of_the_refunds_are_those_of_the_file(sample: KaggleSample, refunds: list[Row]) -> None:
    assert sample.refund_rows == len(refunds)
    assert sample.refund_total == sum(Decimal(row["refund_value"]) for row in refunds)


def test_every_size_has_exactly_the_rows_asked_for(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    written = write_kaggle_files(tmp_path, rows=1_001, progress=lambda done, of: told.append((done, of)))
    assert len(read(written.reimbursements)) == written.rows == 1_001
    assert told == sorted(told)
    assert told[-1] == (1_001, 1_001)
    with pytest.raises(ValueError, match="at least 1000"):
        write_kaggle_files(tmp_path, rows=999)


# the published shape


@pytest.mark.parametrize(("published", "header"), [("reimbursements", HEADER), ("refunds", REFUNDS_HEADER)])
def test_bytes_are_those_of_pythons_csv_writer(sample: KaggleSample, published: str, header: str) -> None:
    text = getattr(sample, published).read_bytes().decode("utf-8")
    assert text.split("\n", 1)[0] == header
    rewritten = io.StringIO()
    parsed = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    csv.writer(rewritten, quoting=csv.QUOTE_MINIMAL, lineterminator="\n").writerows(parsed)
    assert rewritten.getvalue() == text
    assert len(parsed) == text.count("\n")
    assert {len(row) for row in parsed} == {len(header.split(","))}


def test_rows_stand_by_year_then_deputy_then_category(rows: list[Row]) -> None:
    years = list(ROWS_BY_YEAR)
    categories = [category.label for category in CATEGORIES]

    def place(row: Row) -> tuple[int, str, int]:
        name = unicodedata.normalize("NFD", row["deputy_name"].upper())
        plain = "".join(letter for letter in name if not unicodedata.combining(letter))
        return years.index(int(row["receipt_date"][:4])), plain, categories.index(row["receipt_description"])

    assert years == [2013, 2014, 2011, 2015, 2012, 2017, 2010, 2016, 2009]
    places = [place(row) for row in rows]
    assert places == sorted(places)


def test_years_and_categories_have_their_published_shares(sample: KaggleSample) -> None:
    published = sum(ROWS_BY_YEAR.values())
    for year, count in sample.rows_by_year.items():
        assert abs(count - ROWS * ROWS_BY_YEAR[year] / published) <= 1
    by_category: Counter[str] = Counter()
    for (year, label), count in sample.rows_by_year_and_category.items():
        category = next(category for category in CATEGORIES if category.label == label)
        assert category.first_year <= year <= category.last_year
        by_category[label] += count
    for category in CATEGORIES:
        assert by_category[category.label] == pytest.approx(ROWS * category.rows / published, rel=0.05, abs=10)


def test_amounts_are_whole_capped_and_skewed_as_published(rows: list[Row]) -> None:
    assert all(row["receipt_value"].isdecimal() for row in rows)
    for category in CATEGORIES:
        amounts = [int(row["receipt_value"]) for row in rows if row["receipt_description"] == category.label]
        assert all(category.amounts.lowest <= amount <= category.amounts.highest for amount in amounts)
    published_medians = {"Airline tickets": 453, "Telephony": 226, "Postal Services": 36, "Food and Meals": 47}
    for label, expected in published_medians.items():
        amounts = [int(row["receipt_value"]) for row in rows if row["receipt_description"] == label]
        assert median(amounts) == pytest.approx(expected, rel=0.1)
    assert sum(int(row["receipt_value"]) for row in rows) / ROWS == pytest.approx(579, rel=0.1)


def test_dates_are_real_days_of_their_year(rows: list[Row]) -> None:
    dated = [row["receipt_date"] for row in rows if row["bugged_date"] == "0"]
    assert all(re.fullmatch(r"20\d\d-[01]\d-[0-3]\d [01]\d:[0-5]\d:[0-5]\d", when) for when in dated)
    assert max(dated)[:10] <= "2017-{:02}-{:02}".format(*LAST_YEAR_ENDS)
    assert len({when[5:10] for when in dated}) >= 365


# the traps

AT_NIGHT = ("00:00:00", "01:00:00")
TRAPS: dict[str, tuple[Callable[[Row], bool], float, float]] = {
    "a bare year for a date": (lambda row: bool(re.fullmatch(r"20\d\d", row["receipt_date"])), 0.012, 0.020),
    "a time of day": (
        lambda row: len(row["receipt_date"]) > 4 and row["receipt_date"][11:] not in AT_NIGHT,
        0.09,
        0.12,
    ),
    "an hour that summer time made": (lambda row: row["receipt_date"].endswith(" 01:00:00"), 0.0002, 0.003),
    "no supplier id": (lambda row: not supplier_id(row), 0.15, 0.20),
    "a lost leading zero": (lambda row: len(supplier_id(row)) == len("3530749000139.0"), 0.3, 0.5),
    "an id as short as a person's": (lambda row: 10 <= len(supplier_id(row)) <= 13, 0.01, 0.08),
    "an office": (lambda row: row["political_party"] == "SEM PARTIDO ASSOCIADO", 0.0005, 0.003),
    "a party that begins with a blank": (lambda row: row["political_party"] == " S.PART.", 0.0002, 0.006),
    "a party in mixed case": (lambda row: row["political_party"] in {"PCdoB", "PTdoB"}, 0.005, 0.06),
    "a supplier with a comma": (lambda row: "," in row["establishment_name"], 0.0003, 0.01),
    "a supplier with quotes": (lambda row: '"' in row["establishment_name"], 0.0001, 0.004),
    "a supplier with two blanks": (lambda row: "  " in row["establishment_name"], 0.002, 0.02),
    "a supplier not in capitals": (lambda row: row["establishment_name"].istitle(), 0.01, 0.15),
    "an amount of nothing": (lambda row: row["receipt_value"] == "0", 0.0002, 0.003),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_each_trap_has_its_share_of_rows(rows: list[Row], trap: str) -> None:
    is_caught, least, most = TRAPS[trap]
    assert least <= sum(map(is_caught, rows)) / ROWS <= most


def test_identical_rows_have_their_share(sample: KaggleSample) -> None:
    assert 0.06 <= sample.identical_rows / ROWS <= 0.12


def test_the_marked_rows_and_no_others_have_a_bare_year(rows: list[Row]) -> None:
    assert all((row["bugged_date"] == "1") == (len(row["receipt_date"]) == 4) for row in rows)


def test_summer_time_begins_on_the_days_it_did(rows: list[Row]) -> None:
    sundays = {"2009-10-18", "2010-10-17", "2011-10-16", "2012-10-21", "2013-10-20", "2014-10-19", "2015-10-18"}
    sundays |= {"2016-10-16", "2017-10-15"}
    days = {when: row["receipt_date"][:10] for row in rows if (when := row["receipt_date"]).endswith(" 01:00:00")}
    assert set(days.values()) <= sundays
    assert not [row for row in rows if row["receipt_date"].endswith("00:00:00") and row["receipt_date"][:10] in sundays]


def test_ids_are_missing_where_the_house_itself_is_the_supplier(rows: list[Row]) -> None:
    unnumbered = [row for row in rows if not supplier_id(row)]
    names = {row["establishment_name"] for row in unnumbered}
    assert {"RAMAL", "CELULAR FUNCIONAL", "CORREIOS - SEDEX CONVENCIONAL"} <= names
    by_category = Counter(row["receipt_description"] for row in unnumbered)
    assert by_category["Postal Services"] + by_category["Telephony"] > 0.97 * len(unnumbered)
    # Only over the counter is the time of day known.
    timed = [row for row in rows if len(row["receipt_date"]) > 4 and row["receipt_date"][11:] not in AT_NIGHT]
    assert all(row["establishment_name"].startswith("CORREIOS - ") for row in timed)


def test_offices_and_a_handful_of_former_deputies_have_no_state(rows: list[Row]) -> None:
    stateless = [row for row in rows if row["state_code"] == "Vazio"]
    assert all((row["political_party"] == "SEM PARTIDO ASSOCIADO") == (row["state_code"] == "Vazio") for row in rows)
    former = Counter(row["deputy_name"] for row in stateless if row["deputy_name"] not in LEADERSHIPS)
    assert sorted(former.values()) == [1, 1, 1, 2, 2]


def test_only_one_deputy_has_two_parties(rows: list[Row]) -> None:
    parties: dict[str, set[str]] = {}
    facts: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        parties.setdefault(row["deputy_id"], set()).add(row["political_party"])
        facts.setdefault(row["deputy_id"], set()).add((row["deputy_name"], row["state_code"]))
        assert row["deputy_name"] == row["deputy_name"].title()
    assert [labels for labels in parties.values() if len(labels) > 1] == [{"PP", "PMDB"}]
    assert all(len(known) == 1 for known in facts.values())
    assert len({name for known in facts.values() for name, _ in known}) == len(facts)


def test_petrol_stations_are_many_and_airlines_few(rows: list[Row]) -> None:
    def by_popularity(label: str) -> list[int]:
        sold = Counter(supplier_id(row) for row in rows if row["receipt_description"] == label)
        return [count for _, count in sold.most_common()]

    fuel, flights = by_popularity("Fuels and lubricants."), by_popularity("Airline tickets")
    assert len(fuel) > 500
    assert fuel[0] < 0.1 * sum(fuel)
    assert len(flights) < 15
    assert sum(flights[:4]) > 0.75 * sum(flights)


# nobody real


def test_the_rules_for_check_digits_are_the_tax_offices() -> None:
    assert is_cnpj(11222333000181)
    assert not is_cnpj(11222333000182)
    assert is_cpf(52998224725)
    assert not is_cpf(52998224724)


def test_companies_ids_are_valid_and_no_companys_while_persons_are_invalid(rows: list[Row]) -> None:
    ids = {supplier_id(row).removesuffix(".0") for row in rows if supplier_id(row)}
    assert all(number.isdecimal() and not number.startswith("0") for number in ids)
    companies = {number for number in ids if is_cnpj(int(number))}
    assert all(int(number.zfill(14)[8:12]) >= 9_000 for number in companies)
    persons = ids - companies
    assert all(len(number) <= 11 for number in persons)
    assert not [number for number in ids if is_cpf(int(number))]
    assert 0.01 < len(persons) / len(ids) < 0.10
    assert any(len(number) <= 11 for number in companies)


# the second file


def test_refunds_are_the_receipts_of_2016(rows: list[Row], refunds: list[Row]) -> None:
    receipts_of_2016 = [row for row in rows if row["receipt_date"].startswith("2016")]
    labels = {category.label: category.refund_label for category in CATEGORIES}
    assert len(refunds) / ROWS == pytest.approx(339_089 / 3_014_902, abs=0.001)
    for receipt, refund in zip(receipts_of_2016, refunds, strict=True):
        assert refund["deputy_name"].title() == receipt["deputy_name"]
        assert refund["deputy_name"] == refund["deputy_name"].upper()
        assert refund["refund_description"] == labels[receipt["receipt_description"]]
        assert refund["company_name"] == receipt["establishment_name"]
        assert abs(int(Decimal(refund["refund_value"]))) == int(receipt["receipt_value"])
        if number := supplier_id(receipt):
            # Python 2 printed floats with twelve digits, and that much is left of the id.
            assert float(refund["company_id"]) == float(f"{float(number):.12g}")
            assert ("e+" in refund["company_id"]) == (len(number) > len("99999999999.0"))
        else:
            assert refund["company_id"] == ""


def test_refunds_have_signs_and_cents(refunds: list[Row]) -> None:
    values = [row["refund_value"] for row in refunds]
    assert all(value == str(float(value)) for value in values)
    returned = [row for row in refunds if row["refund_value"].startswith("-")]
    assert {row["refund_description"] for row in returned} == {"FLIGHT TICKET"}
    assert 0.002 < len(returned) / len(refunds) < 0.02
    assert min(Decimal(value) for value in values) >= -6_100
    assert 0.25 < sum(value.endswith(".0") for value in values) / len(values) < 0.4


def test_refund_dates_come_in_four_shapes(many_refunds: list[Row]) -> None:
    shapes = {
        "day": r"2016-\d\d-\d\dT\d\d:00:00",
        "moment": r"2016-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}",
        "none": "",
        "junk": "1378520",
    }
    found = Counter(
        next(name for name, shape in shapes.items() if re.fullmatch(shape, row["refund_date"])) for row in many_refunds
    )
    assert found.keys() == shapes.keys()
    assert found["day"] > found["moment"] > found["none"] > found["junk"]


def test_refunds_tell_about_the_parties_but_not_about_offices(many_refunds: list[Row]) -> None:
    known = [name for name in REFUNDS_HEADER.split(",") if name.startswith("party_")]
    offices = [row for row in many_refunds if row["deputy_name"].title() in LEADERSHIPS]
    others = [row for row in many_refunds if row["deputy_name"].title() not in LEADERSHIPS]
    assert offices
    assert not [row for row in offices if row["political_party"] or row["deputy_state"] or any(map(row.get, known))]
    assert {row["party_position"] for row in others} == POSITIONS
    members = {row["party_nmembers"] for row in others}
    assert "Nan" in members
    assert all(number.isdecimal() for number in members - {"Nan"})
    assert all(row["party_pg"] and row["party_en"] and row["party_tse"] and row["party_regdate"] for row in others)


# a file of any size


def test_ten_times_the_rows_need_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As many deputies and suppliers for both, as beyond the published size, and batches that both fill.
    monkeypatch.setattr(kaggle, "sqrt", lambda _: 0.1)
    monkeypatch.setattr(receipts, "BATCH_ROWS", 1_000)

    def peak(count: int) -> int:
        """What is taken while rows are written: Python's and numpy's memory, and Arrow's, which counts its own."""
        arrow: list[int] = []

        def watch(_done: int, _rows: int) -> None:
            arrow.append(pa.total_allocated_bytes())
            if not tracemalloc.is_tracing():
                tracemalloc.start()

        write_kaggle_files(tmp_path, rows=count, progress=watch)
        _, traced = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return traced + max(arrow) - arrow[0]

    peak(1_000)  # fills what is computed once and kept
    small, large = peak(30_000), peak(300_000)
    assert large <= 1.2 * small


def test_an_interrupted_run_leaves_what_was_there(tmp_path: Path) -> None:
    before = tmp_path / "deputies_dataset.csv"
    before.write_text("the last good file")

    def stop(done: int, rows: int) -> None:
        assert before.read_text() == "the last good file"
        if done > rows // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_kaggle_files(tmp_path, rows=ROWS, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["deputies_dataset.csv"]
    assert before.read_text() == "the last good file"
