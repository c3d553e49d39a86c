"""Make the wheel of a portable llama.cpp from the one that pip has built: each library once, and nothing else.

    python scripts/engine_wheel.py WHEEL FOLDER [--platform TAG]

llama.cpp's own installation rules put a second copy of all libraries into the wheel, its programs and its headers. They
leave the modules of the processors and cards where the program does not look for them. And a wheel has no links, so
each library is there under three names.

It runs where nothing is installed, as in the container that builds the wheels of a release: it needs the standard
library alone.
"""

import argparse
import base64
import csv
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

# The folder of the package that has the libraries.
HOME = "llama_cpp/lib"
# libggml.so.0.9.4 and libggml.0.dylib are names of libggml.so.
VERSIONED = re.compile(r"(?P<base>lib[a-z-]+)(?:\.so(?P<linux>(?:\.\d+)*)|(?P<mac>(?:\.\d+)*)\.dylib)")
MODULE = re.compile(r"(?:lib)?ggml-(?:cpu-[a-z0-9._]+|cuda|vulkan|hip|sycl|metal)\.(?:so|dll)")
# No file of a wheel has a time of its own: the same content gives the same wheel.
EPOCH = (1980, 1, 1, 0, 0, 0)


def slim(built: Path, folder: Path, platform: str | None = None) -> Path:
    """Write the slim wheel into `folder`, under the name of the `built` one, and return it.

    With a `platform`, the wheel names that one instead.
    """
    with zipfile.ZipFile(built) as archive:
        contents = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    wanted = {place: contents[name] for place, name in chosen(contents).items()}
    finished = folder / built.name
    if platform:
        finished = folder / f"{built.stem.rpartition('-')[0]}-{platform}.whl"
        (about,) = (place for place in wanted if place.endswith(".dist-info/WHEEL"))
        wanted[about] = re.sub(rb"(?m)^(Tag: \S+-)[^-\s]+$", rb"\g<1>" + platform.encode(), wanted[about])
    (record,) = (name for name in wanted if name.endswith(".dist-info/RECORD"))
    wanted[record] = listing(record, wanted)
    with writing(finished) as archive:
        # RECORD comes last, as the format of wheels advises.
        for name in sorted(wanted, key=lambda name: (name == record, name)):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = (0o100755 if name.startswith(HOME) else 0o100644) << 16
            archive.writestr(entry, wanted[name], zipfile.ZIP_DEFLATED)
    return finished


@contextmanager
def writing(finished: Path, compresslevel: int | None = None) -> Iterator[zipfile.ZipFile]:
    """Yield a new archive, which takes its name, and the place of an older one, only when it is whole."""
    finished.parent.mkdir(parents=True, exist_ok=True)
    part = finished.with_suffix(".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=compresslevel) as archive:
            yield archive
        part.replace(finished)
    finally:
        part.unlink(missing_ok=True)


def chosen(names: Iterable[str]) -> dict[str, str]:
    """Return the places of the new wheel, each with the file of the built one that goes there."""
    names = list(names)
    taken: dict[str, str] = {}
    for name in names:
        path = PurePosixPath(name)
        if path.parts[0].endswith(".dist-info") or (path.parts[0] == "llama_cpp" and not name.startswith(HOME)):
            taken[name] = name
        elif MODULE.fullmatch(path.name):
            # It is in bin/, and may be in lib/ too.
            taken.setdefault(f"{HOME}/{path.name}", name)
    return taken | {f"{HOME}/{name}": f"{HOME}/{name}" for name in libraries(names)}


def libraries(names: Iterable[str]) -> list[str]:
    """Return the names under which the libraries are opened: libllama by its plain name, the others by their SONAME.

    A SONAME has the first number of the version, as libggml.so.0. Under another name, the system would take the same
    library for a second one.
    """
    found: dict[str, str] = {}
    for path in sorted(map(PurePosixPath, names)):
        # On Windows, .lib is for whoever compiles against a library.
        if path.parent != PurePosixPath(HOME) or MODULE.fullmatch(path.name) or path.suffix == ".lib":
            continue
        match = VERSIONED.fullmatch(path.name)
        # Windows has one name for each.
        base = match["base"] if match else path.name
        numbers = (match["linux"] or match["mac"] or "").count(".") if match else 0
        if base not in found or numbers == (0 if base == "libllama" else 1):
            found[base] = path.name
    return sorted(found.values())


def listing(record: str, contents: dict[str, bytes]) -> bytes:
    """Return the content of RECORD: each file with its hash and its size."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for name in sorted(contents):
        if name != record:
            digest = base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest()).rstrip(b"=").decode()
            writer.writerow((name, f"sha256={digest}", len(contents[name])))
    writer.writerow((record, "", ""))
    return text.getvalue().encode()


def main() -> None:
    """Make the slim wheel of one that was built elsewhere, for the release."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path, help="where to put the new one")
    parser.add_argument("--platform", help="the platform that the new wheel names, such as manylinux_2_28_x86_64")
    arguments = parser.parse_args()
    print(slim(arguments.wheel, arguments.folder, arguments.platform))


if __name__ == "__main__":
    main()
