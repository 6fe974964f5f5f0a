-- pt: Quanto gastou cada partido, no total e por deputado? (o do arquivo, e o sucessor de hoje)
-- en: How much did each party spend, in all and per deputy? (as in the file, and by today's successor)
SELECT year, 'reported' AS party_view, party_label, deputies, spent_amount, spent_per_deputy, known_gaps
FROM mart_parties
WHERE party_kind <> 'leadership'
UNION ALL
SELECT year, 'today' AS party_view, party_label_today, deputies, spent_amount, spent_per_deputy, known_gaps
FROM mart_parties_today
WHERE deputies > 0
ORDER BY year DESC, party_view, spent_amount DESC
