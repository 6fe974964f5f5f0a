"""Invented input files in the publishers' own formats, at any size, equal for equal seeds on any machine.

Here belongs what makes sample data look real. Nothing here reads the lake or is read by its tables: only the
command line and the tests use it.
"""
