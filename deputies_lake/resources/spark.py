"""The session that computes tables, Spark's or Sail's, started when a step first asks for it. A run shares it."""

import contextlib
import threading
from typing import Any

import dagster as dg
from dagster_pyspark import LazyPySparkResource
from pydantic import Field
from pyspark.sql import SparkSession

from deputies_lake.environments import Engine, Settings
from deputies_lake.java import provide_class_archive, provide_java, started_by_spark
from deputies_lake.lakehouse.engine import sail_session
from deputies_lake.partitions import years_of_run


class SparkResource(LazyPySparkResource):
    """dagster-pyspark's lazy session, with a Java runtime found for it where the machine has none; or Sail's.

    `of_one_year` is added to `spark_config` in a run of a single year.
    """

    of_one_year: dict[str, str] = Field(default={})
    engine: str = Engine.SPARK.value

    @classmethod
    def of(cls, settings: Settings) -> "SparkResource":
        return cls(
            spark_config=dict(settings.spark),
            of_one_year=dict(settings.spark_of_one_year),
            engine=settings.engine.value,
        )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        if context.run and len(years_of_run(context.run.tags)) == 1:
            self.spark_config.update(self.of_one_year)

    @property
    def spark_session(self) -> Any:
        if self.engine == Engine.SAIL:
            return sail_session(self.spark_config["spark.driver.memory"])
        provide_java()
        provide_class_archive()
        return super().spark_session

    def start_meanwhile(self) -> None:
        """Let the engine start beside work that needs none. `session` waits for it, and fails if it failed.

        On a cluster, where each step is a process of its own, there is nothing to start for later ones.
        """
        if started_by_spark():
            return
        threading.Thread(target=self._start, daemon=True).start()

    def _start(self) -> None:
        # Who asks for the session is told of the failure; a thread has nobody to tell.
        with contextlib.suppress(Exception):
            self.session()

    def session(self) -> SparkSession:
        session: SparkSession = self.spark_session
        return session
