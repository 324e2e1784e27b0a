"""A folder in place of an S3 server.

What `store.object_archive.ObjectArchive` asks of a file system, and what can go wrong with it.
"""

from pyarrow.fs import LocalFileSystem


class Shelf:
    """Objects as files; `spoil` changes what is written, `away` refuses everything."""

    def __init__(self, folder):
        self.folder, self.files = folder, LocalFileSystem()
        (folder / "b").mkdir(parents=True, exist_ok=True)
        (folder / "bucket").mkdir(exist_ok=True)
        self.spoil, self.away, self.read = (lambda content: content), False, []

    def get_file_info(self, selector):
        self._check()
        if isinstance(selector, list):
            return self.files.get_file_info([str(self.folder / each) for each in selector])
        found = self.files.get_file_info(
            type(selector)(str(self.folder / selector.base_dir), True, True)
        )
        return [
            Info(each.path.removeprefix(f"{self.folder}/"), each.size, each.is_file)
            for each in found
        ]

    def open_output_stream(self, path):
        self._check()
        return Writing(self, self.folder / path)

    def open_input_file(self, path):
        self._check()
        self.read.append(path)
        return self.files.open_input_file(str(self.folder / path))

    def _check(self):
        if self.away:
            raise OSError("When listing objects: AWS Error NETWORK_CONNECTION (Request ID: x)")


class Info:
    def __init__(self, path, size, is_file):
        self.path, self.size, self.is_file = path, size, is_file


class Writing:
    def __init__(self, shelf, path):
        self.shelf, self.path = shelf, path

    def __enter__(self):
        return self

    def write(self, content):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(self.shelf.spoil(content))

    def __exit__(self, *error):
        pass
