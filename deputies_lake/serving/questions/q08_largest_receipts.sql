-- pt: Quais foram os maiores recibos de cada ano?
-- en: Which were the largest receipts of each year?
SELECT year, rank_of_year, date, deputy_name, party_label, category_pt, supplier_name, spent_amount, receipt_url
FROM mart_largest_receipts
WHERE rank_of_year <= 10
ORDER BY year DESC, rank_of_year
