-- pt: Em que se gastou, e que parte do ano foi cada categoria?
-- en: On what was it spent, and which share of the year was each category?
SELECT year, expense_category_id, category_pt, category_en, receipts, spent_amount, share_of_year, known_gaps
FROM mart_categories
ORDER BY year DESC, spent_amount DESC
