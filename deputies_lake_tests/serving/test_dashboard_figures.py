"""What the dashboard's figures are: the marts', in cents, and only as many as the page shows."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deputies_lake.contracts import Table
from deputies_lake.lakehouse.lake import Lake, MissingTableError
from deputies_lake.serving import (
    mart_categories,
    mart_deputies,
    mart_deputy_categories,
    mart_largest_receipts,
    mart_months,
    mart_parties,
    mart_parties_today,
    mart_points_of_attention,
    mart_quota_shares,
    mart_states,
    mart_suppliers,
    publications,
    rejected_lines,
)
from deputies_lake.serving.dashboard.figures import (
    ONLY_DEPUTY_CENTS,
    REJECTED_LINES,
    TOP_SUPPLIERS,
    Figures,
    gather,
    link,
)
from deputies_lake_tests.serving.small_lake import HOUSE, KAGGLE, KEY, commit, open_lake, row

LEADERSHIP = 2
RECEIPT = "https://www.camara.leg.br/cota-parlamentar/documentos/publ/1.pdf"
OF_2025 = {"year": 2025, "source_code": HOUSE}
DEPUTY = {**OF_2025, "deputy_key": KEY, "deputy_name": "Fulana De Tal"}
FUEL = {"expense_category_key": 7, "category_pt": "Combustíveis", "category_en": "Fuels"}


def suppliers() -> list[dict[str, Any]]:
    """One more than the page shows, all of many deputies; one of a single deputy; a person, who is paid most of all."""
    companies = [
        {"supplier_key": i, "supplier_id_kind": "cnpj", "deputies": 2, "spent_amount": Decimal(900_000 - i)}
        for i in range(TOP_SUPPLIERS + 1)
    ]
    least = Decimal(ONLY_DEPUTY_CENTS) / 100
    single = {"supplier_id_kind": "cnpj", "deputies": 1, "only_deputy_key": KEY}
    return [
        *companies,
        {**single, "supplier_key": 100, "supplier_name": "A Single Deputy's", "spent_amount": least},
        {**single, "supplier_key": 101, "supplier_name": "Too Small", "spent_amount": least - Decimal("0.01")},
        {"supplier_key": 102, "supplier_id_kind": "cpf", "spent_amount": Decimal(5_000_000)},
    ]


def receipt(key: int, **values: Any) -> dict[str, Any]:
    ranks = {"rank_of_year": 999, "rank_of_category": 999, "rank_of_payer": 999}
    return {**DEPUTY, **FUEL, "expense_key": key, **ranks, "date": None, **values}


ROWS: Mapping[Table, Sequence[Mapping[str, Any]]] = {
    mart_months.TABLE: [
        {"year": 2016, "month": 1, "source_code": KAGGLE, "receipts": 1, "spent_amount": Decimal(70)},
        {
            **OF_2025,
            "month": 3,
            "payer_kind": "deputy",
            "receipts": 2,
            "spent_amount": Decimal("10.05"),
            "net_amount": Decimal("10.05"),
            "refund_amount": Decimal("-0.95"),
            "is_incomplete": True,
            "known_gaps": "receipts_still_arriving, sigepa_missing",
        },
        {
            **OF_2025,
            "month": 3,
            "payer_kind": "leadership",
            "receipts": 1,
            "spent_amount": Decimal("0.10"),
            "net_amount": Decimal("0.10"),
            "refund_amount": Decimal(0),
            "known_gaps": "receipts_still_arriving, sigepa_missing",
        },
    ],
    mart_deputies.TABLE: [
        {"year": 2016, "source_code": KAGGLE, "deputy_key": KEY, "deputy_name": "Fulana", "payer_kind": "deputy"},
        {**DEPUTY, "payer_kind": "deputy", "state_code": "SP", "spent_amount": Decimal("10.05")},
        {**OF_2025, "deputy_key": LEADERSHIP, "deputy_name": "Liderança", "payer_kind": "leadership"},
    ],
    mart_deputy_categories.TABLE: [{**DEPUTY, **FUEL, "receipts": 2, "spent_amount": Decimal("10.05")}],
    mart_parties.TABLE: [
        {**OF_2025, "party_key": 1, "party_label": "ABC", "party_kind": "party", "spent_amount": Decimal("10.05")},
        {**OF_2025, "party_key": 2, "party_label": "LID", "party_kind": "leadership"},
    ],
    mart_parties_today.TABLE: [{**OF_2025, "party_label_today": "XYZ", "deputies": 1}],
    mart_states.TABLE: [{**OF_2025, "state_key": 1, "state_code": "SP", "deputies": 1}],
    mart_categories.TABLE: [{"year": 2016, "source_code": KAGGLE, **FUEL}, {**OF_2025, **FUEL}],
    mart_suppliers.TABLE: [{**OF_2025, **supplier} for supplier in suppliers()],
    mart_quota_shares.TABLE: [
        {**DEPUTY, "state_code": "SP", "month": 2, "share_to_date": Decimal("0.5")},
        {**DEPUTY, "state_code": "SP", "month": 3, "share_to_date": Decimal("0.250001")},
    ],
    mart_largest_receipts.TABLE: [
        receipt(1, rank_of_payer=1, date=date(2025, 3, 2), receipt_url=RECEIPT, spent_amount=Decimal("9.99")),
        receipt(2, rank_of_category=1),
        receipt(3, rank_of_year=1, receipt_url="javascript:alert(1)"),
    ],
    mart_points_of_attention.TABLE: [{**OF_2025, "point_id": "weekend", "point_kind": "attention", "receipts": 3}],
    publications.TABLE: [
        {"year": 2016, "source_code": KAGGLE, "last_month": 10, "is_incomplete": True},
        {**OF_2025, "last_month": 12, "as_of": date(2026, 1, 31), "rejected_lines": 201},
    ],
    rejected_lines.TABLE: [
        *({**OF_2025, "line": line, "reason": "why", "amount": Decimal("0.01")} for line in range(201, 0, -1)),
        {"year": 2025, "source_code": KAGGLE, "line": 1, "reason": "of the source that the year does not come from"},
    ],
}


def publish(home: Path) -> Lake:
    lake = open_lake(home)
    for table, rows in ROWS.items():
        commit(lake, table, [row(table, **one) for one in rows])
    return lake


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    return gather(publish(tmp_path_factory.mktemp("marts")))


def rows_of(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def test_a_years_total_has_the_leaderships_in_it_in_cents(figures: Figures) -> None:
    year = figures.years[-1]
    assert (year["year"], year["receipts"], year["spent_amount"], year["refund_amount"]) == (2025, 3, 1015, -95)


def test_leaderships_are_not_counted_as_deputies(figures: Figures) -> None:
    assert figures.years[-1]["deputies"] == 1


def test_what_the_source_does_not_tell_is_no_zero(figures: Figures) -> None:
    assert figures.years[0]["net_amount"] is None


def test_a_year_with_an_incomplete_month_is_incomplete_and_names_each_gap_once(figures: Figures) -> None:
    year = figures.years[-1]
    assert year["is_incomplete"]
    assert year["gaps"] == "receipts_still_arriving, sigepa_missing"


def test_a_year_is_incomplete_where_its_months_stop_or_receipts_still_arrive(figures: Figures) -> None:
    told = [(year["last_month"], year["as_of"], year["is_partial"], year["is_incomplete"]) for year in figures.years]
    assert told == [(10, None, True, True), (12, "2026-01-31", False, True)]


def test_a_year_has_the_first_lines_of_its_source_that_could_not_be_read(figures: Figures) -> None:
    rejected = rows_of(figures.by_year[2025]["rejected"])
    assert [one["line"] for one in rejected] == [*range(1, REJECTED_LINES + 1)]
    assert {(one["reason"], one["amount"]) for one in rejected} == {("why", 1)}


def test_a_payer_has_the_name_of_its_latest_year(figures: Figures) -> None:
    assert figures.overall["payers"]["name"] == ["Fulana De Tal", "Liderança"]


def test_keys_are_text_for_javascript_would_round_them(figures: Figures) -> None:
    assert figures.overall["payers"]["key"][0] == str(KEY)


def test_the_share_of_the_quota_is_that_up_to_the_last_month(figures: Figures) -> None:
    [deputy] = [one for one in rows_of(figures.overall["deputies"]) if (one["year"], one["payer"]) == (2025, 0)]
    assert deputy["share_to_date"] == 250_001


def test_parties_are_without_the_leaderships(figures: Figures) -> None:
    assert figures.overall["parties"]["party"] == ["ABC"]


def test_only_as_many_companies_are_shown_as_the_page_says(figures: Figures) -> None:
    shown = [one for one in rows_of(figures.overall["suppliers"]) if one["is_top"]]
    assert len(shown) == TOP_SUPPLIERS


def test_private_persons_are_not_on_the_page(figures: Figures) -> None:
    assert max(figures.overall["suppliers"]["spent_amount"]) == 90_000_000


def test_a_company_of_a_single_deputy_is_told_from_its_threshold_on(figures: Figures) -> None:
    told = [one for one in rows_of(figures.overall["suppliers"]) if one["is_only"]]
    assert [(one["name"], one["only_payer"]) for one in told] == [("A Single Deputy's", 0)]


def test_receipts_are_the_payers_largest_and_the_years(figures: Figures) -> None:
    receipts = rows_of(figures.by_year[2025]["receipts"])
    assert [(one["link"], one["date"], one["spent_amount"]) for one in receipts] == [
        (RECEIPT, "2025-03-02", 999),
        (None, None, 0),
    ]


def test_a_year_without_rows_of_a_mart_has_none_of_its_columns(figures: Figures) -> None:
    assert figures.by_year[2016]["months"] == {}


def test_a_mart_that_was_never_published_is_named_with_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(MissingTableError, match="--select serving/mart_months"):
        gather(open_lake(tmp_path))


@pytest.mark.parametrize("url", [RECEIPT, RECEIPT.replace("https", "http")])
def test_an_address_of_the_house_is_a_link_and_https(url: str) -> None:
    assert link(url) == RECEIPT


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)//camara.leg.br",
        "data:text/html,camara.leg.br",
        "https://camara.leg.br.example.org/1.pdf",
        "https://notcamara.leg.br/1.pdf",
        "https://camara.leg.br@example.org/1.pdf",
        "https://somebody@camara.leg.br/1.pdf",
        "https://camara.leg.br:8443/1.pdf",
        "https://[camara.leg.br/1.pdf",
        "//camara.leg.br/1.pdf",
    ],
)
def test_any_other_address_is_no_link(url: str | None) -> None:
    assert link(url) is None
