"""Columns that the sources' staging tables share, declared once: payer, category, supplier, place in the file.

Each names the raw columns it comes from, which differ. A column that one source alone has belongs in its own file.
"""

from deputies_lake.contracts import Column


def payer_columns(raw: str, published_name: str, *told_by: str) -> tuple[Column, ...]:
    """`deputy_name` and `is_leadership`, which the columns `told_by` tell."""
    return (
        Column(
            name="deputy_name",
            pt="nome parlamentar, ou da liderança",
            en="parliamentary name, or the leadership office's",
            source=(f"{raw}.{published_name}",),
            published=published_name,
            example="Fulana De Tal",
        ),
        Column(
            name="is_leadership",
            type="boolean",
            pt="a cota é de uma liderança, não de um deputado",
            en="the quota is a leadership office's, not a deputy's",
            source=tuple(f"{raw}.{column}" for column in told_by),
        ),
    )


def category_columns(
    raw: str, published: str, example: str, *, published_id: str | None = None, example_id: str = "9+999"
) -> tuple[Column, ...]:
    """`expense_category_label` and `expense_category_id`, from published columns of the raw table `raw`.

    A source that publishes no code (`published_id`) is given the House's by the label.
    """
    source = (f"{raw}.{published}",)
    return (
        Column(
            name="expense_category_label",
            pt="categoria como publicada",
            en="category as published",
            source=source,
            published=published,
            example=example,
        ),
        Column(
            name="expense_category_id",
            pt="código da Câmara (numSubCota); nulo se não publicado e o rótulo não é conhecido",
            en="the House's code (numSubCota); null where none was published and the label is not known",
            source=(f"{raw}.{published_id}",) if published_id else source,
            published=published_id,
            nullable=True,
            example=example_id,
        ),
    )


def supplier_columns(
    raw: str, published_id: str, published_name: str, *, repair_pt: str, repair_en: str
) -> tuple[Column, ...]:
    """What `tax_ids` makes of a supplier; `repair_*` says what was done to this source's ids."""
    id_source, name_source = f"{raw}.{published_id}", f"{raw}.{published_name}"
    return (
        Column(
            name="supplier_id",
            pt=f"CNPJ {repair_pt}; CPF mascarado; nulo se não publicado",
            en=f"CNPJ {repair_en}; a CPF is masked; null where none was published",
            source=(id_source,),
            published=published_id,
            nullable=True,
            example="03530749000139",
        ),
        Column(
            name="supplier_id_kind",
            pt="tipo do identificador: cnpj, cpf, cpf_or_cnpj, functional, invalid ou none",
            en="what the id is: cnpj, cpf, cpf_or_cnpj, functional, invalid or none",
            source=(id_source,),
            example="cnpj",
        ),
        Column(
            name="supplier_token",
            pt="o que identifica o fornecedor: CNPJ, hash com chave do CPF, ou o nome se não há número",
            en="what identifies the supplier: CNPJ, keyed hash of a CPF, or the name where there is no id",
            source=(id_source, name_source),
            example="03530749000139",
        ),
        Column(
            name="supplier_name",
            pt="nome do fornecedor; o que é ou pode ser um CPF é oculto",
            en="the supplier's name; what is or may be a CPF is hidden",
            source=(name_source,),
            published=published_name,
            example="AUTO POSTO LTDA",
        ),
    )


def place_columns(raw: str, file_name: str) -> tuple[Column, ...]:
    """`source_file` and `source_line`: where a row stood when it was published."""
    return (
        Column(name="source_file", pt="arquivo de origem", en="the file it came from", example=file_name),
        Column(
            name="source_line",
            type="bigint",
            pt="linha no arquivo de origem",
            en="line in that file",
            source=(f"{raw}.source_line",),
            example="2",
        ),
    )
