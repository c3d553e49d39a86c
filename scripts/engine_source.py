"""The source distribution of llama-cpp-python: how pip fetches it, and how it is unpacked."""

import sys
import tarfile
from pathlib import Path

NAME = "llama-cpp-python"


def fetching(version: str, folder: Path) -> list[str]:
    """Return the command line that fetches the source distribution into a folder."""
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", NAME]
    return [*pip, "--dest", str(folder), f"{NAME}=={version}"]


def unpacked(version: str, folder: Path) -> Path:
    """Return the folder into which `unpack` puts the source."""
    return folder / f"{NAME.replace('-', '_')}-{version}"


def unpack(version: str, folder: Path) -> None:
    """Unpack the source distribution that was fetched into `folder` there."""
    with tarfile.open(f"{unpacked(version, folder)}.tar.gz") as packed:
        # Python before 3.11.4 knows no filters. pip runs what is in the archive: whoever wrote it is trusted anyway.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(folder)
