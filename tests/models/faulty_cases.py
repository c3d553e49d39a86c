"""The faults of a download, one case each, with the expected result.

`run` lets the program itself fetch from a faulty hub, and returns the outcome. The tests assert the outcomes;
`scripts/stress/faulty_hub.py` prints them as a table.
"""

import contextlib
import errno
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock

from qwen_tui.models import catalogue, disk
from qwen_tui.models.catalogue import CatalogueEntry
from qwen_tui.models.fetching import fetch, source
from qwen_tui.models.fetching import partial as partial_file
from qwen_tui.models.fetching.rotation import Patience
from tests.models.hub_server import FILE, NAME, REPOSITORY, SIGNATURE, Answering, FaultyHub, Handler
from tests.program import call

# It tries again sooner than real networks need it, and takes no source on a busy PC for a silent one.
PATIENT = Patience(response=20.0, stall=20.0, tries=4, first_wait=0.02, longest_wait=2.0)
# Short waiting times for the sources that are silent, or stop in the middle.
IMPATIENT = Patience(response=1.0, stall=1.2, tries=4, first_wait=0.02, longest_wait=2.0)
TOKEN = "hf_the_token_of_somebody"
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


@dataclass
class Scene:
    """The environment of a case: two hubs with the same file, and the person's folders and variables."""

    folder: Path
    hub: FaultyHub
    other: FaultyHub
    environment: dict[str, str]
    stack: contextlib.ExitStack
    arguments: list[str] = field(default_factory=lambda: [NAME])

    @property
    def models(self) -> Path:
        return self.folder / "home" / "models"

    @property
    def target(self) -> Path:
        return self.models / FILE

    @property
    def content(self) -> bytes:
        return self.hub.content.read_bytes()

    def replace(self, where: object, name: str, value: object) -> None:
        self.stack.enter_context(mock.patch.object(where, name, value))

    def pin(self, sha256: str | None) -> None:
        """Put the file into the program's catalogue, with this hash."""
        entry = CatalogueEntry(
            name="tiny", quant="Q4_K_M", repository=REPOSITORY, file=FILE, size=self.hub.size, sha256=sha256
        )
        for name in ("find", "of_file"):
            self.replace(catalogue, name, partial(getattr(catalogue, name), catalogue=(entry,)))
        self.arguments = ["tiny"]


@dataclass(frozen=True)
class Case:
    """One fault: `prepare` puts it into the scene; the other fields are the expected result.

    The bytes of the file may be fetched `most` times. `code` is the exit code, 0 for the right file. The program shows
    `words`.
    """

    name: str
    prepare: Callable[[Scene], None]
    code: int = 0
    most: float = 1.0
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """The result of a case; `needed` and `fetched` are in bytes."""

    code: int
    shown: str
    right: bool
    needed: int
    fetched: int
    seconds: float
    scene: Scene


def run(case: Case, content: Path, folder: Path) -> Outcome:
    """Fetch `content` with the fault of `case`; the program writes only below `folder`."""
    with contextlib.ExitStack() as stack:
        hub, other = (stack.enter_context(FaultyHub(content)) for _hub in range(2))
        environment = {"HF_ENDPOINT": hub.url, "QWEN_TUI_HOME": str(folder / "home"), "QWEN_TUI_LANG": "en"}
        kept = {n: v for n, v in os.environ.items() if not n.upper().endswith("_PROXY") and not n.startswith("HF_")}
        scene = Scene(folder, hub, other, environment, stack)
        scene.replace(fetch, "PATIENCE", PATIENT)
        case.prepare(scene)
        stack.enter_context(mock.patch.dict(os.environ, {**kept, **scene.environment}, clear=True))
        before = scene.hub.sent + scene.other.sent
        started = time.monotonic()
        done = call("pull", *scene.arguments)
        seconds = time.monotonic() - started
        right = scene.target.is_file() and scene.target.read_bytes() == scene.content
        fetched = scene.hub.sent + scene.other.sent - before
        return Outcome(done.code, done.out + done.err, right, content.stat().st_size, fetched, seconds, scene)


def secrets(outcome: Outcome) -> list[str]:
    """Return the secrets that the program has shown, and never may show."""
    return [secret for secret in (SIGNATURE, TOKEN, "password-of-the-proxy") if secret in outcome.shown]


def certificate(folder: Path) -> tuple[Path, Path]:
    """Create a certificate that nobody trusts, and its key; raises `FileNotFoundError` without openssl."""
    key, signed = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    subprocess.run([*command, "-keyout", key, "-out", signed], check=True, capture_output=True)
    return signed, key


def _nothing(_scene: Scene) -> None: ...


def _at_bytes(*behaviours: Answering) -> Callable[[Scene], None]:
    return lambda scene: scene.hub.at_bytes.extend(behaviours)


def _at_hub(*behaviours: Answering) -> Callable[[Scene], None]:
    return lambda scene: scene.hub.at_hub.extend(behaviours)


def _always(how: Answering) -> Callable[[Scene], None]:
    def prepare(scene: Scene) -> None:
        scene.hub.always = how

    return prepare


def _cuts(scene: Scene) -> None:
    points = sorted(random.Random(3).sample(range(1, scene.hub.size), 6))
    scene.hub.at_bytes += [Answering(until=point) for point in points]


def _cut_at(share: float, *then: Answering, always: Answering | None = None) -> Callable[[Scene], None]:
    def prepare(scene: Scene) -> None:
        scene.hub.at_bytes += [Answering(until=int(scene.hub.size * share)), *then]
        scene.hub.always = always

    return prepare


def _wrong(scene: Scene) -> bytes:
    damaged = bytearray(scene.content)
    damaged[len(damaged) // 2] ^= 1
    return bytes(damaged)


def _wrong_once(scene: Scene) -> None:
    scene.hub.at_bytes.append(Answering(body=_wrong(scene)))


def _wrong_always(scene: Scene) -> None:
    scene.hub.always = Answering(body=_wrong(scene))


def _wrong_then_other(scene: Scene) -> None:
    _wrong_always(scene)
    scene.arguments += ["--source", "hub", "--source", scene.other.url]


def _shorter(scene: Scene) -> None:
    scene.hub.always = Answering(body=scene.content[:-1000])


def _longer(scene: Scene) -> None:
    scene.hub.always = Answering(body=scene.content + b"more")


def _longer_chunked(scene: Scene) -> None:
    scene.hub.always = Answering(body=scene.content + bytes(100_000), chunked=True)


def _shrinking(scene: Scene) -> None:
    """The size is unknown beforehand, and the first response is too short."""
    scene.hub.linked_etag = None
    scene.hub.at_bytes.append(Answering(body=scene.content[: scene.hub.size // 2], chunked=True))
    scene.pin(scene.hub.sha256)


def _loop(scene: Scene) -> None:
    def around(handler: Handler) -> None:
        handler.reply(302, {"Location": f"{handler.path}x"})

    scene.hub.at_hub += [around] * 100


def _loop_at_bytes(scene: Scene) -> None:
    def around(handler: Handler) -> None:
        handler.reply(302, {"Location": f"{handler.path}&again"})

    scene.hub.at_bytes += [around] * 100


def _as_the_hub(scene: Scene) -> None:
    """The source is the hub itself, which gets the token."""
    scene.replace(source, "HUB", scene.hub.url)
    scene.environment |= {"HF_TOKEN": TOKEN}


def _as_a_mirror(scene: Scene) -> None:
    scene.environment |= {"HF_TOKEN": TOKEN}


def _portal(scene: Scene) -> None:
    page = Answering(status=200, body=PAGE, headers={"Content-Type": "text/html; charset=utf-8"})
    scene.hub.at_hub += [page] * 20


def _tls(*, known: bool) -> Callable[[Scene], None]:
    def prepare(scene: Scene) -> None:
        signed = certificate(scene.folder)
        secure = scene.stack.enter_context(FaultyHub(scene.hub.content, signed))
        scene.hub = secure
        scene.environment["HF_ENDPOINT"] = secure.url
        if known:
            scene.environment["SSL_CERT_FILE"] = str(signed[0])

    return prepare


def _tls_to_plain(scene: Scene) -> None:
    plain = scene.hub
    _tls(known=True)(scene)
    scene.hub.direct = plain.direct


def _bad_cert_file(scene: Scene) -> None:
    scene.environment["SSL_CERT_FILE"] = str(scene.folder / "no-such.pem")


def _page(scene: Scene) -> None:
    scene.hub.always = Answering(body=PAGE, headers={"Content-Type": "text/html"})


def _stall(scene: Scene) -> None:
    scene.replace(fetch, "PATIENCE", IMPATIENT)
    scene.hub.at_bytes.append(Answering(until=scene.hub.size // 2, stall=True))


def _silent(scene: Scene) -> None:
    scene.replace(fetch, "PATIENCE", IMPATIENT)
    scene.hub.at_hub += [Answering(silent=True)] * 20


def _silent_bytes(scene: Scene) -> None:
    scene.replace(fetch, "PATIENCE", IMPATIENT)
    scene.hub.always = Answering(silent=True)


def _unreachable(scene: Scene) -> None:
    scene.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"


def _present(scene: Scene) -> None:
    """The file was fetched before, and the hub does not work any more."""
    assert _before(scene) == 0
    scene.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"


def _before(scene: Scene) -> int:
    with mock.patch.dict(os.environ, scene.environment):
        return call("pull", *scene.arguments).code


def _damaged(*, repair: bool) -> Callable[[Scene], None]:
    def prepare(scene: Scene) -> None:
        assert _before(scene) == 0
        scene.target.write_bytes(_wrong(scene))
        scene.arguments += ["--repair"] if repair else []

    return prepare


def _by_hand(scene: Scene) -> None:
    """A person has put the file there by hand."""
    scene.models.mkdir(parents=True)
    shutil.copy(scene.hub.content, scene.target)
    scene.target.chmod(0o600)
    scene.models.chmod(0o700)


def _by_hand_pinned(scene: Scene) -> None:
    scene.pin(scene.hub.sha256)
    _by_hand(scene)
    _offline(scene)


def _in_the_way(scene: Scene) -> None:
    scene.models.mkdir(parents=True)
    scene.target.write_bytes(b"GGUF, but another")


def _full(scene: Scene) -> None:
    """The disk is full when half of the file is there."""
    room = [scene.hub.size // 2]
    write = os.write

    def until_full(handle: int, data: memoryview) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(handle, data[: room[0]])
        room[0] -= written
        return written

    stand_in = mock.MagicMock(wraps=os)
    stand_in.write = until_full
    stand_in.O_RDWR, stand_in.O_CREAT, stand_in.SEEK_SET = os.O_RDWR, os.O_CREAT, os.SEEK_SET
    scene.replace(partial_file, "os", stand_in)


def _no_room(scene: Scene) -> None:
    scene.replace(disk, "SPARE", 1 << 60)


def _no_folder(scene: Scene) -> None:
    """There is a file in the place of the folder, which stops even root."""
    scene.models.parent.mkdir(parents=True)
    scene.models.write_bytes(b"")


def _dead_then_other(scene: Scene) -> None:
    """The first source stops working for good after three fifths of the file."""
    scene.hub.at_bytes += [Answering(until=scene.hub.size * 3 // 5)] + [Answering(status=503)] * 50
    scene.arguments += ["--source", "hub", "--source", scene.other.direct]


def _without_ranges_then_other(scene: Scene) -> None:
    scene.hub.at_bytes += [Answering(until=scene.hub.size * 3 // 5)] + [Answering(ranges=False)] * 50
    scene.arguments += ["--source", "hub", "--source", scene.other.direct]


def _silent_then_other(scene: Scene) -> None:
    _silent(scene)
    scene.arguments += ["--source", "hub", "--source", scene.other.url]


def _no_head(scene: Scene) -> None:
    scene.pin(scene.hub.sha256)
    scene.hub.at_hub.append(Answering(status=405))


def _two_addresses(scene: Scene) -> None:
    _address(scene)
    scene.hub.at_bytes += [Answering(until=scene.hub.size // 2)] + [Answering(status=404)] * 9
    scene.arguments += ["--source", scene.hub.direct, "--source", scene.other.direct]


def _modelscope(scene: Scene) -> None:
    scene.replace(source, "MODELSCOPE", scene.other.bytes_url)
    scene.arguments += ["--source", "modelscope"]


def _address(scene: Scene) -> None:
    scene.arguments = [scene.hub.direct]


def _signed(scene: Scene) -> None:
    scene.arguments = [f"{scene.hub.direct}?{SIGNATURE}"]


def _signed_damaged(scene: Scene) -> None:
    _signed(scene)
    _damaged(repair=False)(scene)


def _address_cut(scene: Scene) -> None:
    _address(scene)
    _cut_at(0.5)(scene)


def _not_whole(scene: Scene) -> None:
    """The hash is unknown, but the header shows that tensors are missing."""
    _address(scene)
    scene.hub.always = Answering(body=scene.content[:200_000])


def _repository(name: str) -> Callable[[Scene], None]:
    def prepare(scene: Scene) -> None:
        scene.arguments = [name]

    return prepare


def _proxy(scene: Scene) -> None:
    """The hub can be reached only through the proxy, the bytes only without it."""
    address = scene.hub.url.removeprefix("http://")
    scene.environment["HTTP_PROXY"] = f"http://somebody:password-of-the-proxy@{address}"
    scene.environment["NO_PROXY"] = "127.0.0.1"
    scene.environment["HF_ENDPOINT"] = "http://hub.example.invalid"


def _no_proxy(scene: Scene) -> None:
    scene.environment["HTTP_PROXY"] = "http://127.0.0.1:9"
    scene.environment["NO_PROXY"] = "127.0.0.1"


def _dead_proxy(scene: Scene) -> None:
    scene.environment["HTTP_PROXY"] = "http://somebody:password-of-the-proxy@127.0.0.1:9"


def _proxy_password(scene: Scene) -> None:
    _proxy(scene)
    scene.hub.at_hub += [Answering(status=407)] * 20


def _offline_variable(scene: Scene) -> None:
    scene.environment["HF_HUB_OFFLINE"] = "1"


def _offline(scene: Scene) -> None:
    scene.arguments.append("--offline")


def _another_hash(scene: Scene) -> None:
    scene.pin("f" * 64)


def _replaced_by_its_publisher(scene: Scene) -> None:
    _damaged(repair=True)(scene)
    scene.hub.linked_etag = f'"{"e" * 64}"'


def _replaced_at_its_address(scene: Scene) -> None:
    _address(scene)
    _damaged(repair=True)(scene)
    scene.hub.always = Answering(body=scene.content + b"more")


def _hash_of_the_hub(scene: Scene) -> None:
    scene.pin(None)


def _known_by_name_alone(scene: Scene) -> None:
    scene.pin(None)
    scene.arguments += ["--source", scene.hub.direct]


def _changed_meanwhile(scene: Scene) -> None:
    """The first bytes are those of an older version; the ETag shows the server that it must not continue them."""
    older = bytearray(scene.content)
    older[1000:2000] = bytes(1000)
    scene.hub.etag = '"version-2"'
    scene.hub.at_bytes.append(Answering(body=bytes(older), until=len(older) // 2, headers={"ETag": '"version-1"'}))


CASES = (
    Case("all is well", _nothing, words=("Verified: SHA-256", "qwen chat")),
    Case("cut at six random points", _cuts),
    Case("cut once, then no Range support", _cut_at(0.6, always=Answering(ranges=False)), most=1.6),
    Case("cut once, then 206 with another start", _cut_at(0.6, Answering(shift=-1000)), most=2.1),
    Case("cut once, then 416", _cut_at(0.6, Answering(status=416)), most=1.6),
    Case(
        "cut at the same place for ever", _always(Answering(until=1_000_000)), 1, words=("kept", "repeat the command")
    ),
    Case("another version since the cut (If-Range)", _changed_meanwhile, most=1.5),
    Case("wrong bytes of the right length, once", _wrong_once, most=2.0, words=("fetched once more",)),
    Case(
        "wrong bytes of the right length, for ever", _wrong_always, 1, most=2.0, words=("SHA-256 differs", "--source")
    ),
    Case("wrong bytes from A, right ones from B", _wrong_then_other, most=2.0),
    Case("truncated", _shorter, 1, words=("it has another file", "bytes, not")),
    Case("too long", _longer, 1, 1.1, words=("it has another file", "bytes, not")),
    Case("too long, of unknown length", _longer_chunked, most=1.1),
    Case("truncated, of unknown length", _shrinking, most=1.6),
    Case("sent in chunks, of unknown length", _always(Answering(chunked=True))),
    Case(
        "compressed on the way",
        _always(Answering(headers={"Content-Encoding": "gzip"})),
        1,
        words=("changes the file",),
    ),
    Case(
        "429 with Retry-After: 1",
        _at_bytes(Answering(status=429, headers={"Retry-After": "1"})),
        words=("429", "again in 1 s"),
    ),
    Case(
        "429 with Retry-After: 3600",
        _always(Answering(status=429, headers={"Retry-After": "3600"})),
        1,
        0.0,
        ("come back in 3600 s",),
    ),
    Case("503 twice, then fine", _at_bytes(*[Answering(status=503)] * 2), words=("HTTP 503",)),
    Case("500 for ever", _always(Answering(status=500)), 1, 0.0, ("HTTP 500",)),
    Case("503 from the hub itself, then fine", _at_hub(*[Answering(status=503)] * 2), words=("HTTP 503",)),
    Case("the hub redirects in a loop", _loop, 1, 0.0, ("without an end",)),
    Case("the bytes are redirected in a loop", _loop_at_bytes, 1, 0.0, ("without an end",)),
    Case("token for the hub, bytes elsewhere", _as_the_hub),
    Case("token, and a mirror", _as_a_mirror),
    Case("a login page in place of the file", _page, 1, 0.1, ("web page", "login")),
    Case("a login page in place of everything", _portal, 1, 0.0, ("web page", "login")),
    Case(
        "something else than GGUF", _always(Answering(body=b"x" * 300_000, chunked=True)), 1, words=("not a GGUF file",)
    ),
    Case("TLS with an unknown authority", _tls(known=False), 1, 0.0, ("certificate", "SSL_CERT_FILE")),
    Case("TLS with that authority in SSL_CERT_FILE", _tls(known=True)),
    Case("SSL_CERT_FILE that is not there", _bad_cert_file, 1, 0.0, ("SSL_CERT_FILE",)),
    Case("from https to http", _tls_to_plain, 1, 0.0, ("from https to",)),
    Case("a stall after half of the file", _stall, words=("no more bytes",)),
    Case("a silent hub", _silent, 1, 0.0, ("does not answer",)),
    Case("silent where the bytes are", _silent_bytes, 1, 0.0, ("does not answer",)),
    Case("nothing listens", _unreachable, 1, 0.0, ("cannot be reached",)),
    Case("the model is here, the hub is dead", _present, 0, 0.0, ("is here already",)),
    Case("put there by hand", _by_hand_pinned, 0, 0.0, ("is whole",)),
    Case("put there by hand, hash from the hub", _by_hand, 0, 0.0, ("Verified",)),
    Case("another file of that name in the way", _in_the_way, 1, 0.0, ("--repair",)),
    Case("damaged since", _damaged(repair=False), 1, 0.0, ("SHA-256 differs", "--repair")),
    Case("damaged since, with --repair", _damaged(repair=True)),
    Case(
        "disk full after half of the file", _full, 74, words=("No space left", "Free some space", "repeat the command")
    ),
    Case("too little room from the start", _no_room, 74, 0.0, ("too little room", "GB are free")),
    Case("a folder that cannot be written", _no_folder, 74, 0.0, ("could not be written", "Move away")),
    Case("A dead at 60%, B finishes", _dead_then_other),
    Case("A without ranges at 60%, B finishes", _without_ranges_then_other, most=1.5),
    Case("A silent, then a mirror", _silent_then_other, words=("does not answer",)),
    Case("a mirror that knows no HEAD", _no_head),
    Case("an address that dies, and another, hash unknown", _two_addresses, most=1.5, words=("not known in advance",)),
    Case("ModelScope's addresses", _modelscope),
    Case(
        "a bare address, of which nobody knows the hash", _address, words=("trust its source", "No published SHA-256")
    ),
    Case("a signed address", _signed, words=("No published SHA-256", f"qwen chat -m {FILE}")),
    Case("a signed address, damaged since then", _signed_damaged, 1, 0.0, ("--repair ADDRESS",)),
    Case("a bare address, cut", _address_cut),
    Case("a bare address, not whole", _not_whole, 1, words=("incomplete",)),
    Case("hash from the hub, kept", _hash_of_the_hub, words=("Verified",)),
    Case("the hub has another hash than the catalogue", _another_hash, 1, 0.0, ("another file under this name",)),
    Case(
        "the hub has another hash than what was fetched",
        _replaced_by_its_publisher,
        1,
        0.0,
        ("another file under this name", "If its publisher replaced it", f"qwen models rm {NAME}"),
    ),
    Case(
        "another file at the address than was fetched",
        _replaced_at_its_address,
        1,
        1.1,
        ("it has another file", "If its publisher replaced it", f"qwen models rm {FILE}, then qwen pull ADDRESS"),
    ),
    Case("known by name, from an address", _known_by_name_alone, words=("trust its source", "No published SHA-256")),
    Case(
        "gated (403)",
        _at_hub(*[Answering(status=403, headers={"X-Error-Code": "GatedRepo"})] * 9),
        1,
        0.0,
        ("Accept the terms", "HF_TOKEN"),
    ),
    Case("no such repository (401)", _repository(f"acme/nothing:{FILE}"), 1, 0.0, ("no such repository",)),
    Case(
        "no such file (404)",
        _repository(f"{REPOSITORY}:Q4_K_M.gguf"),
        1,
        0.0,
        ("no such file", f"Did you mean: {NAME}"),
    ),
    Case("through a proxy", _proxy),
    Case("NO_PROXY", _no_proxy),
    Case("a dead proxy", _dead_proxy, 1, 0.0, ("the proxy of HTTP_PROXY (127.0.0.1:9) cannot be reached",)),
    Case(
        "a proxy that wants a password",
        _proxy_password,
        1,
        0.0,
        ("the proxy of HTTP_PROXY needs a name and a password",),
    ),
    Case("HF_HUB_OFFLINE=1", _offline_variable, 1, 0.0, ("offline",)),
    Case("--offline", _offline, 1, 0.0, ("offline",)),
)
