"""The lake's tables: made, written, audited, committed, read and cleaned up, whatever they mean and whoever asks.

Knows contracts, frames and Iceberg. Neither Dagster nor a table's meaning belongs here.
"""
