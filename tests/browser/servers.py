"""The shop that the browsers look at, as files and as a process."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificates

ROOT = Path(__file__).parent.parent.parent

#: What stands in links, whatever the port. A domain for examples: nobody can ever be behind it.
HOST = "quillbrook.example"

#: The key and the certificate, in the shop's folder.
CERTIFICATE = "certificate.pem"

OURS = "tests.browser.settings"
STOCK = "tests.browser.stock"


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop that answers at `port` of this machine."""

    port: int
    pin: str  #: of its certificate, by which a browser knows it: SHA-256 of the public key, in Base64
    places: Mapping[str, Any]  #: what `tests.browser.story` left for the addresses of pages

    def path(self, pattern: str) -> str:
        """An address of `tests.browser.pages` with the braces filled in."""
        return pattern.format(**self.places)


def tell(home: Path) -> None:
    """Fill a folder with the shop and its past; about ten seconds."""
    home.mkdir()
    trustme.CA().issue_cert(HOST, "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        home / CERTIFICATE
    )
    told = subprocess.run(
        [sys.executable, "-m", "tests.browser.story"],
        **_surroundings(home, OURS),
        capture_output=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-4000:]


@contextmanager
def serve(home: Path, settings: str = OURS) -> Iterator[Shop]:
    """The shop in a folder, while this lasts. It must not have logged an error."""
    log = home / f"{settings}.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "tests.browser.serve"],
            **_surroundings(home, settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        port = process.stdout.readline()
        assert port, log.read_text()
        yield Shop(int(port), _pin(home), json.loads((home / "places.json").read_text()))
        process.stdin.close()
    assert " ERROR " not in log.read_text(), log.read_text()


def _pin(home: Path) -> str:
    certificate, *_ = load_pem_x509_certificates((home / CERTIFICATE).read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def _surroundings(home: Path, settings: str) -> dict[str, Any]:
    # HTTPS is what wsgiref reads
    env = {**os.environ, "SANDBOX_HOME": str(home), "DJANGO_SETTINGS_MODULE": settings, "HTTPS": "on"}
    return {"cwd": ROOT, "env": env, "text": True}
