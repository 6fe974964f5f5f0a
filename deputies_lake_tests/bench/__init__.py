"""The benchmark: the lake against three other ways to make the same tables from the same file.

And how long a restated year of the House takes, in `refresh`. Here belongs what measures and what the lake is measured
against. The opponents are scripts of their own that use none of the lake's modules but the search for a Java runtime;
each says at its top what it stands for. Run it with `python -m deputies_lake_tests.bench`.
"""
