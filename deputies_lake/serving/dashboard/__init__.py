"""`dashboard.html`: the figures that people look at, as one page without a server and without a network.

`figures.py` reads the marts, `page.py` puts them into the page; the rest is the page: `page.html`, `style.css`,
`words.js` (every text, in both languages), `parts.js` (numbers, tables, charts), `views.js` (what is shown where) and
`vega.js`, the charts' library, which `python -m deputies_lake_tests.serving.vega` makes.
"""
