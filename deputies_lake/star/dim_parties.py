"""star.dim_parties: party labels as reported, what each has become, and the parties' attributes.

The fact keeps the label that the file has on a receipt: the deputy's party when the file was published. What it became
is a dated list of events: a merger is not a rename, so a deputy of DEM in 2015 was never in UNIÃO, and
`party_label_today` is for grouping only.
"""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from deputies_lake.contracts import Column, Table
from deputies_lake.reference import tables
from deputies_lake.staging.stg_kaggle_refunds import PARTY_ATTRIBUTES
from deputies_lake.star.expenses import LEADERSHIP_LABEL, NO_PARTY_LABEL, staged
from deputies_lake.star.keys import UNKNOWN, party_key
from deputies_lake.star.literals import frame_of
from deputies_lake.star.mentions import mentions, without_cpfs

_REFUNDS: Final = "stg_kaggle_refunds"

_NO_PARTY_LABELS: Final = (NO_PARTY_LABEL, "S.PART", "S/PARTIDO", "NA")

TABLE: Final = Table(
    layer="star",
    name="dim_parties",
    pt="Partidos como informados, o que se tornaram, e seus atributos em 2017.",
    en="Parties as reported, what they became, and their attributes in 2017.",
    grain="one row per party label, whatever its case, and one for unknown",
    columns=(
        Column(
            name="party_key",
            type="bigint",
            pt="chave substituta",
            en="surrogate key",
            source=staged("party_label"),
        ),
        Column(
            name="party_label",
            pt="sigla como no arquivo, que traz o partido da data da publicação; UNKNOWN se desconhecida",
            en="label as in the file, which has the party of the day of publication; UNKNOWN where it is not known",
            source=(*staged("party_label"), f"{_REFUNDS}.party_label"),
            published="sgPartido",
            example="PMDB",
        ),
        Column(
            name="party_kind",
            pt="party, no_party (sem partido), leadership (lideranças) ou unknown",
            en="party, no_party (independent), leadership (offices) or unknown",
            source=staged("party_label"),
            example="party",
        ),
        Column(
            name="party_label_today",
            pt="sigla da sucessora em 2026; a própria se nada mudou",
            en="the successor's label in 2026; the label itself where nothing changed",
            source=staged("party_label"),
            example="MDB",
        ),
        Column(
            name="party_event",
            pt="o que levou à sucessora, e quando",
            en="what led to the successor, and when",
            source=staged("party_label"),
            nullable=True,
            example="rename, 2017-12 (convention) / 2018-05 (TSE)",
        ),
        *(
            Column(
                name=c.name,
                type=c.type,
                pt=c.pt,
                en=c.en,
                source=(f"{_REFUNDS}.{c.name}",),
                published=c.published,
                nullable=True,
                example=c.example,
            )
            for c in PARTY_ATTRIBUTES
        ),
    ),
    key=("party_key",),
    referred_by=("fct_expenses",),
)


def transform(payers: DataFrame, refunds: DataFrame) -> DataFrame:
    """From `mentions.payers` and staged refunds (`party_label`, the party attributes): every label either mentions.

    Without refunds the attributes are null, nothing else changes.
    """
    spark = payers.sparkSession
    upper = F.upper("party_label")
    labels = mentions(payers, "party_label").unionByName(
        without_cpfs(mentions(refunds.where(F.col("party_label").isNotNull()), "party_label"), "party_label")
    )
    # The spelling of mixed case, where there is one: PCdoB, not PCDOB.
    mentioned = labels.groupBy(upper.alias("_upper")).agg(F.max("party_label").alias("party_label"))
    unknown = spark.range(1).select(F.lit(UNKNOWN).alias("_upper"), F.lit(UNKNOWN).alias("party_label"))
    events = frame_of(spark, ("_upper", "_today", "party_event"), _successors())
    names = [column.name for column in PARTY_ATTRIBUTES]
    texts = [column.name for column in PARTY_ATTRIBUTES if column.type == "string"]
    told = without_cpfs(mentions(refunds, "party_label", *names), "party_label", *texts)
    attributes = told.groupBy(upper.alias("_upper")).agg(*(F.max(name).alias(name) for name in names))
    return (
        # Not by `_upper`: Sail can't move a filter below an aggregation by what `redacted` made.
        mentioned.where(upper != UNKNOWN)
        .unionByName(unknown)
        .join(events, on="_upper", how="left")
        .join(attributes, on="_upper", how="left")
        .select(
            party_key(F.col("party_label")).alias("party_key"),
            "party_label",
            F.when(F.col("_upper") == UNKNOWN, "unknown")
            .when(F.col("_upper") == LEADERSHIP_LABEL, "leadership")
            .when(F.col("_upper").isin(*_NO_PARTY_LABELS), "no_party")
            .otherwise("party")
            .alias("party_kind"),
            F.coalesce("_today", "party_label").alias("party_label_today"),
            "party_event",
            *names,
        )
    )


def _successors() -> list[tuple[str, str, str]]:
    return [
        (row["party_label"].upper(), row["party_label_today"], ", ".join(filter(None, (row["event"], row["happened"]))))
        for row in tables.rows("party_events")
    ]
