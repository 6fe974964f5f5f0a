"""See README.md. Here only what must come before any import of PySpark: another Spark's is left out."""

from deputies_lake.java import leave_out_other_sparks

leave_out_other_sparks()
