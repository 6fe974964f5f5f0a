"""The command as a whole: its verbs, and how soon it is there."""

import subprocess
import sys

from deputies_lake.cli.main import main

# Each takes between a third of a second and three seconds to load: more than a verb that needs none of them.
SLOW = {"boto3", "dagster", "jinja2", "pyiceberg", "pyspark", "sqlalchemy"}


def test_no_verb_waits_for_libraries_that_others_need() -> None:
    code = f"import sys, deputies_lake.cli.main; print(sorted({SLOW} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_each_verb_says_in_a_sentence_what_it_does() -> None:
    assert {name for name, verb in main.commands.items() if not (verb.help or "").strip()} == set()
