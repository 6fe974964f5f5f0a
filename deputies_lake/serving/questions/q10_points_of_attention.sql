-- pt: O que merece um segundo olhar, nos dados e nos recibos? (pontos de atenção, não acusações)
-- en: What is worth a second look, in the data and in the receipts? (points of attention, no accusations)
SELECT year, point_kind, point_id, receipts, spent_amount, text_pt, text_en
FROM mart_points_of_attention
ORDER BY year DESC, point_kind, receipts DESC
