-- pt: Que empresas receberam mais em cada ano, e quais serviram a um só deputado?
-- en: Which companies were paid most in each year, and which served a single deputy?
SELECT year, place, supplier_id, supplier_name, branches, deputies, only_deputy_name, receipts, spent_amount
FROM (
    SELECT *, row_number() OVER (PARTITION BY year ORDER BY spent_amount DESC, supplier_key) AS place
    FROM mart_suppliers
    WHERE supplier_id_kind = 'cnpj'
) AS ranked
WHERE place <= 20 OR (only_deputy_key IS NOT NULL AND spent_amount >= 50000)
ORDER BY year DESC, place
