"""A throw-away Postgres on loopback: made in a folder, started on a free port, ended with the test."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

PATIENCE_S = 60


def binaries():
    """Return the folder of the server's programs; skip where there is none."""
    for folder in (Path(found).resolve().parent for name in ("initdb", "postgres") if (found := shutil.which(name))):
        if (folder / "pg_ctl").exists():
            return folder
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if not newest:
        pytest.skip("no Postgres here: see .ci/postgres")
    return newest[0]


class Postgres:
    """A server that can be stopped hard and started again."""

    def __init__(self, folder):
        self.folder, self.bin = folder, binaries()
        self.user = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if self.user:
            os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
        self._run("initdb", "-D", folder / "data", "-A", "trust", "-U", "desk", "--no-sync", "-E", "UTF8", "--locale=C")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.target = f"host=127.0.0.1 port={self.port} user=desk dbname=postgres"
        self.start()

    def start(self):
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c shared_buffers=256MB -c max_wal_size=4GB"
        )
        self._run("pg_ctl", "-D", self.folder / "data", "-o", options, "-l", self.folder / "log", "-w", "start")

    def stop(self, how="fast"):
        self._run("pg_ctl", "-D", self.folder / "data", "-m", how, "-w", "stop")

    def _run(self, name, *arguments):
        subprocess.run(
            [self.bin / name, *map(str, arguments)], check=True, timeout=PATIENCE_S, stdout=subprocess.DEVNULL,
            cwd=self.folder, **self.user,
        )  # fmt: skip


@pytest.fixture(scope="module")
def server():
    """Return a server of this module's own; its folder is none of pytest's, which only their owner may enter."""
    with tempfile.TemporaryDirectory(prefix="patang-postgres-") as folder:
        made = Postgres(Path(folder))
        yield made
        made.stop("immediate")
