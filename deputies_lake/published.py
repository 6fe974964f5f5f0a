"""The files made for people: where they are, and how one takes the place of another at once.

What is in them is `serving/`'s business.
"""

import mimetypes
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs as pafs

from deputies_lake.environments import Settings
from deputies_lake.raw.archive import make_folder, open_location


class PublishedFiles:
    """A directory or an S3 prefix. Who reads a file while it is replaced gets the old one or the new one, whole."""

    def __init__(self, location: str, region: str | None = None) -> None:
        self.location = location
        self._filesystem, self._root = open_location(location, region)

    @classmethod
    def of(cls, settings: Settings) -> "PublishedFiles":
        return cls(settings.published, settings.aws.region if settings.aws else None)

    def write(self, name: str, content: bytes) -> str:
        """Publish a file, and say where it is."""
        return self._write(name, pa.py_buffer(content))

    def write_file(self, name: str, path: Path) -> str:
        """Publish a copy of a local file, and say where it is."""
        with pa.memory_map(str(path)) as source:
            return self._write(name, source.read_buffer())

    def read(self, name: str) -> bytes:
        """A published file's content. Raises `FileNotFoundError`."""
        with self._filesystem.open_input_stream(f"{self._root}/{name}", compression=None) as stream:
            content: bytes = stream.read()
        return content

    def _write(self, name: str, content: pa.Buffer) -> str:
        make_folder(self._filesystem, self._root)
        target = f"{self._root}/{name}"
        if not isinstance(self._filesystem, pafs.LocalFileSystem):
            # In S3 an object appears when it is complete. A browser shows it by this type.
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            self._put(target, content, metadata={"Content-Type": f"{kind}; charset=utf-8"})
            return f"{self.location}/{name}"
        new = Path(f"{self._root}/.{name}.{uuid4().hex}")
        try:
            self._put(str(new), content)
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
        return target

    def _put(self, path: str, content: pa.Buffer, metadata: dict[str, str] | None = None) -> None:
        with self._filesystem.open_output_stream(path, compression=None, metadata=metadata) as stream:
            stream.write(content)
