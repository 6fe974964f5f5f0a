"""star.ref_party_events: what became of parties and how: renamed, merged, incorporated, or only spelled otherwise.

A dated list, not a table for find-and-replace: a merger is no rename, so a deputy of DEM in 2015 was not in UNIÃO.
Party numbers are given out again and federations are no parties: neither is here.
"""

from typing import Final

from deputies_lake.contracts import Column, Table
from deputies_lake.star.shipped import CONFIDENCE, NOTE

TABLE: Final = Table(
    layer="star",
    name="ref_party_events",
    pt="O que aconteceu com cada sigla de partido, e quando.",
    en="What happened to each party label, and when.",
    grain="one row per party label that is no longer in use",
    columns=(
        Column(
            name="party_label",
            pt="sigla",
            en="label",
            published="sgPartido",
            example="PMDB",
        ),
        Column(
            name="became",
            pt="o que se tornou com o evento",
            en="what it became by the event",
            example="MDB",
        ),
        Column(
            name="happened",
            pt="ano ou mês do evento; nulo para outras grafias",
            en="year or month of the event; null for other spellings",
            nullable=True,
            example="2017-05",
        ),
        Column(
            name="event",
            pt="rename, merger, incorporation ou alias (outra grafia)",
            en="rename, merger, incorporation or alias (another spelling)",
            example="rename",
        ),
        Column(
            name="party_label_today",
            pt="sigla da sucessora em 2026",
            en="the successor's label in 2026",
            example="MDB",
        ),
        CONFIDENCE,
        NOTE,
    ),
    key=("party_label",),
)
