"""The Spark session, started when a step first asks for it and shared by the whole run."""

import contextlib
import threading
from typing import Any

from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from deputies_lake.java import provide_class_archive, provide_java, started_by_spark


class SparkResource(LazyPySparkResource):
    """dagster-pyspark's lazy session, with a Java runtime found for it where the machine has none."""

    @property
    def spark_session(self) -> Any:
        provide_java()
        provide_class_archive()
        return super().spark_session

    def start_meanwhile(self) -> None:
        """Let the JVM start beside work that needs no Spark. `session` waits for it, and fails if it failed.

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
