"""Which versions, and where they are kept."""

from __future__ import annotations

from pathlib import Path

from dev.influx_server.places import cache_dir

GCS_MODULE = "github.com/fsouza/fake-gcs-server"
GCS_VERSION = "v1.56.1"
AZURITE_VERSION = "3.35.0"


def fake_gcs_server() -> Path:
    """Give the path of the program, whether it exists or not."""
    return cache_dir() / f"fake-gcs-server-{GCS_VERSION}"


def azurite_folder() -> Path:
    """Give the folder of the npm package and what it needs, whether it exists or not."""
    return cache_dir() / f"azurite-{AZURITE_VERSION}"


def azurite() -> Path:
    """Give the path of the script, for Node.js, whether it exists or not."""
    return azurite_folder() / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
