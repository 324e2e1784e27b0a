"""Throw-away servers on loopback, a Postgres and an S3 storage.

Started on a free port, ended with the test.
"""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from pyarrow.fs import S3FileSystem

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


def binaries():
    """Return the folder of the server's programs; skip where there is none."""
    for folder in (
        Path(found).resolve().parent
        for name in ("initdb", "postgres")
        if (found := shutil.which(name))
    ):
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
        self._run(
            "initdb",
            "-D",
            folder / "data",
            "-A",
            "trust",
            "-U",
            "desk",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
        )
        self.port = free_port()
        self.target = f"host=127.0.0.1 port={self.port} user=desk dbname=postgres"
        self.start()

    def start(self):
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c "
            "shared_buffers=256MB -c max_wal_size=4GB"
        )
        self._run(
            "pg_ctl",
            "-D",
            self.folder / "data",
            "-o",
            options,
            "-l",
            self.folder / "log",
            "-w",
            "start",
        )

    def stop(self, how="fast"):
        self._run("pg_ctl", "-D", self.folder / "data", "-m", how, "-w", "stop")

    def _run(self, name, *arguments):
        subprocess.run(
            [self.bin / name, *map(str, arguments)],
            check=True,
            timeout=PATIENCE_S,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            **self.user,
        )


@pytest.fixture(scope="module")
def server():
    """Return a server of this module's own.

    Its folder is none of pytest's, which only their owner may enter.
    """
    with tempfile.TemporaryDirectory(prefix="patang-postgres-") as folder:
        made = Postgres(Path(folder))
        yield made
        made.stop("immediate")


@pytest.fixture
def database(server):
    """Return the connection string of a database of this test's own."""
    name = f"test_{time.monotonic_ns()}"
    with psycopg.connect(server.target, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield server.target.replace("dbname=postgres", f"dbname={name}")
    with psycopg.connect(server.target, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Storage:
    """An S3 server with an empty bucket, in a process of its own."""

    BUCKET = "shelf"
    KEYS = ("desk", "a-secret-of-the-tests")

    def __init__(self, folder):
        program = ROOT / "build" / "moto" / "bin" / "python"
        if not (ROOT / "build" / "moto" / ".ready").exists():
            pytest.skip("no S3 server here: see .ci/moto")
        self.port = free_port()
        with (folder / "moto.log").open("wb") as log:
            self.process = subprocess.Popen(
                [program, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                stdout=log,
                stderr=log,
            )
        self.endpoint = f"http://127.0.0.1:{self.port}"
        for _ in range(PATIENCE_S * 10):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), 1),
            ):
                break
            time.sleep(0.1)
        self.files(allow_bucket_creation=True).create_dir(self.BUCKET)

    def files(self, **more):
        key, secret = self.KEYS
        return S3FileSystem(
            access_key=key,
            secret_key=secret,
            region="ap-south-1",
            scheme="http",
            endpoint_override=f"127.0.0.1:{self.port}",
            background_writes=False,
            **more,
        )

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def storage():
    """Return an S3 server of this module's own."""
    with tempfile.TemporaryDirectory(prefix="patang-storage-") as folder:
        made = Storage(Path(folder))
        yield made
        made.stop()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
