"""Definitions of one job, whose runs hold a slot of the pool until they are let go. `test_lost_runs.py` kills them.

Each run leaves a file named by its id, with its process in it, in the directory that the sensor was started for.
"""

import os
import time
from pathlib import Path

import dagster as dg

FOLDER = Path(os.environ["HELD_IN"])


@dg.op(pool="emr")
def hold(context: dg.OpExecutionContext) -> None:
    (FOLDER / context.run_id).write_text(str(os.getpid()), encoding="utf-8")
    while not (FOLDER / "let go").exists():
        time.sleep(0.1)


@dg.job(executor_def=dg.in_process_executor)
def holding() -> None:
    hold()


@dg.sensor(job=holding, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def once() -> dg.RunRequest:
    return dg.RunRequest(run_key=str(FOLDER))


defs = dg.Definitions(jobs=[holding], sensors=[once])
