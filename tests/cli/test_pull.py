"""`qwen pull` from a faulty hub: the right file, or one clear error."""

import contextlib
import os
import random
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qwen_tui.cli import screen
from qwen_tui.errors import InvalidModelError
from qwen_tui.files import size_text
from qwen_tui.models import catalogue, identity
from qwen_tui.models.fetching import hub as hub_of_models
from qwen_tui.models.fetching import repository, source
from qwen_tui.models.fetching.fetch import Fetch
from qwen_tui.models.fetching.hub import Published
from qwen_tui.models.fetching.rotation import Patience
from qwen_tui.models.importing import elsewhere
from qwen_tui.models.importing.elsewhere import ForeignModel
from qwen_tui.models.importing.importing import Imported, Importer
from qwen_tui.models.shelf import ModelRecord, Shelf
from tests.conftest import COMMAND, Run
from tests.models import faulty_cases
from tests.models.faulty_cases import CASES, Case, Outcome
from tests.models.hub_server import FILE, NAME, REPOSITORY, Answering, FaultyHub
from tests.program import call, environment


@pytest.fixture(scope="session")
def content(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two megabytes: the tiny one, with more bytes after its last tensor."""
    path = tmp_path_factory.mktemp("published") / "model.gguf"
    path.write_bytes(tiny.read_bytes() + random.Random(5).randbytes(1_700_000))
    return path


@pytest.fixture
def run(content: Path, tmp_path: Path) -> Callable[[Case], Outcome]:
    def run(case: Case) -> Outcome:
        if ("TLS" in case.name or "https" in case.name) and not shutil.which("openssl"):
            pytest.skip("needs openssl")
        return faulty_cases.run(case, content, tmp_path)

    return run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_right_file_or_one_clear_error(run: Callable[[Case], Outcome], case: Case) -> None:
    outcome = run(case)
    assert outcome.code == case.code, outcome.shown
    assert "Traceback" not in outcome.shown
    assert not faulty_cases.secrets(outcome)
    for word in case.words:
        assert word in outcome.shown
    assert outcome.fetched <= case.most * outcome.needed, outcome.shown
    if outcome.code == 0:
        assert outcome.right
        assert outcome.scene.target.stat().st_mode & 0o777 == 0o600
        assert outcome.scene.models.stat().st_mode & 0o777 == 0o700
        leftover = sorted(path.name for path in outcome.scene.models.iterdir() if ".part" in path.name)
        assert leftover == [], "nothing is left of the way there"
        [record] = Shelf(outcome.scene.models).records()
        assert (record.path, record.size) == (outcome.scene.target.name, outcome.needed)
    # Far more than it takes, but less than with the real waiting times for a silent source.
    assert outcome.seconds < 60


@pytest.mark.parametrize("name", ["token for the hub, bytes elsewhere", "token, and a mirror"])
def test_the_token_goes_to_the_hub_alone(run: Callable[[Case], Outcome], name: str) -> None:
    outcome = run(next(case for case in CASES if case.name == name))
    told = [(request.port, "authorization" in request.headers) for request in outcome.scene.hub.requests]
    at_hub = name.startswith("token for")
    assert told == [("hub", at_hub), ("hub", at_hub), ("bytes", False)]


def test_only_the_hub_is_asked_and_only_for_what_is_missing(run: Callable[[Case], Outcome]) -> None:
    outcome = run(next(case for case in CASES if case.name == "cut at six random points"))
    gets = outcome.scene.hub.gets
    offsets = [request.offset for request in gets]
    assert len(offsets) == 7
    assert offsets == sorted(set(offsets))
    assert [request.headers.get("if-range") for request in gets] == [None, *['"version-1"'] * 6]
    assert {request.path.split("/")[1] for request in outcome.scene.hub.requests} == {"acme", "files"}


@pytest.fixture
def hub(content: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyHub]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with FaultyHub(content) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again sooner than people's networks need it."""
    monkeypatch.setattr("qwen_tui.models.fetching.fetch.PATIENCE", Patience(first_wait=0.02))


def has_come(home: Path, size: int) -> bool:
    """Whether more than `size` bytes of a file are on the disk."""
    for part in (home / "models").glob("*.part"):
        # Once its hash is known, it gets another name.
        with contextlib.suppress(FileNotFoundError):
            return part.stat().st_size > size
    return False


def begun(home: Path, size: int = 300_000) -> "subprocess.Popen[bytes]":
    """Start a pull, and wait until more than `size` bytes of the file have arrived."""
    process = subprocess.Popen([*COMMAND, "pull", NAME], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not has_come(home, size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def test_another_process_resumes_what_a_kill_has_left(qwen: Run, hub: FaultyHub, home: Path) -> None:
    hub.always = Answering(rate=4e5)
    for size in (300_000, 600_000):
        process = begun(home, size)
        process.kill()
        process.communicate()
    [part] = (home / "models").glob("*.part")
    assert part.name == f"{hub.sha256}.part"
    kept = part.stat().st_size
    hub.always = None
    before = len(hub.gets)
    assert qwen("pull", NAME).returncode == 0
    assert [request.offset for request in hub.gets[before:]] == [kept]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_keeps_the_partial_file_and_says_how_to_resume(qwen: Run, hub: FaultyHub, home: Path) -> None:
    hub.always = Answering(rate=4e5)
    process = begun(home)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"same command goes on" in err
    assert b"Traceback" not in err
    hub.always = None
    assert qwen("pull", NAME).returncode == 0
    assert hub.gets[-1].offset > 300_000


@pytest.mark.skipif(os.name == "nt", reason="quotes of POSIX")
@pytest.mark.usefixtures("impatient")
def test_a_partial_file_is_listed_with_the_command_that_resumes_it(qwen: Run, hub: FaultyHub, home: Path) -> None:
    """Of an address, which may be signed, only the host is stored."""
    half = Answering(until=hub.size // 2)
    hub.linked_etag = None
    at = hub.bytes_url
    for given, asked in (
        ([NAME], NAME),
        ([NAME, "--source", hub.url], f"--source {hub.url} {NAME}"),
        ([NAME, "--repair", "--source", f"{hub.direct}?sig=secret"], f"--repair --source '{at}/…' {NAME}"),
        ([f"{hub.direct}?sig=secret"], f"'{at}/…'"),
    ):
        # After half of the file, the source no longer has it.
        hub.at_bytes += [half, *[Answering(status=404)] * 2]
        assert qwen("pull", *given).returncode == 1
        hub.at_bytes.clear()
        shown = qwen("models", "list").stdout.decode()
        before = " the same command as before" if "…" in asked else ""
        assert f"incomplete  go on with{before}: qwen pull {asked}\n" in shown
        assert f"{size_text(hub.size // 2)} of {size_text(hub.size)}" in shown
        kept = [path for path in (home / "models").iterdir() if ".part" in path.name]
        assert not any(b"secret" in path.read_bytes() for path in kept if path.suffix == ".json")
        assert qwen("models", "rm", "--partial", "--yes").returncode == 0
        assert list((home / "models").iterdir()) == []


@pytest.mark.usefixtures("impatient")
def test_the_listed_command_fetches_only_the_rest(qwen: Run, hub: FaultyHub) -> None:
    hub.linked_etag = None
    hub.at_bytes += [Answering(until=hub.size // 2), *[Answering(status=404)] * 2]
    assert qwen("pull", "--source", hub.url, NAME).returncode == 1
    hub.at_bytes.clear()
    [line] = [line for line in qwen("models", "list").stdout.decode().splitlines() if "go on with: qwen " in line]
    assert qwen(*shlex.split(line.partition("go on with: qwen ")[2])).returncode == 0
    assert hub.gets[-1].offset == hub.size // 2
    assert b"incomplete" not in qwen("models", "list").stdout


@pytest.mark.usefixtures("impatient")
def test_a_download_begun_before_its_hash_was_known_is_resumed(qwen: Run, hub: FaultyHub, home: Path) -> None:
    known, hub.linked_etag = hub.linked_etag, None
    hub.at_bytes += [Answering(until=hub.size // 2), *[Answering(status=404)] * 2]
    assert qwen("pull", NAME).returncode == 1
    hub.at_bytes.clear()
    hub.linked_etag = known
    done = qwen("pull", NAME)
    assert done.returncode == 0, done.stderr
    assert b"Verified: SHA-256" in done.stdout
    assert hub.gets[-1].offset == hub.size // 2
    assert not list((home / "models").glob("*.part*"))


def test_two_pulls_share_one_download(qwen: Run, hub: FaultyHub, home: Path) -> None:
    slow = hub.always = Answering(rate=4e5)
    first = begun(home)
    second = subprocess.Popen([*COMMAND, "pull", NAME], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert second.stderr
    # The first pull waits until the second one has started, however long that takes.
    slow.rate = 4e4
    said = b""
    while b"Another qwen is fetching the same file" not in said:
        line = second.stderr.readline()
        assert line, said
        said += line
    slow.rate = 1e9
    assert first.wait(60) == 0
    first.communicate()
    assert (second.wait(60), second.communicate()[1]) == (0, b"")
    assert hub.sent == hub.size
    assert not list((home / "models").glob("*.part*"))


def test_without_a_terminal_the_three_ways_are_named(qwen: Run) -> None:
    for command in (["ask", "Hello"], ["chat"], ["ask", "--offline", "Hello"]):
        done = qwen(*command)
        assert done.returncode == 1
        for way in (b"qwen pull", b"qwen models import PATH", b"-m demo"):
            assert way in done.stderr


def test_the_demonstration_model_needs_no_fetching(qwen: Run) -> None:
    done = qwen("pull", "demo", "--offline")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"qwen chat -m demo" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["qwen3-4b-instuct"], 1, "qwen3-4b-instruct"),
        (["/some/model.gguf"], 2, "qwen models import"),
        (["--source", "somewhere"], 2, "modelscope"),
        (["https://example.invalid/"], 2, "address of the file"),
        (["https://example.invalid/x.gguf", "--source", "hub"], 2, "owner/repo:FILE"),
        (["acme/x:../../y.gguf"], 2, "is a file"),
    ],
)
def test_wrong_words(qwen: Run, arguments: list[str], code: int, word: str) -> None:
    done = qwen("pull", *arguments)
    assert done.returncode == code, done.stderr
    assert word in done.stderr.decode()


def test_a_fetched_model_answers_by_its_name(qwen: Run, hub: FaultyHub) -> None:
    assert qwen("pull", NAME).returncode == 0
    done = qwen("ask", "-m", NAME, "-o", "max_tokens=3", "Hello")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def names(home: Path) -> dict[str, str]:
    """Return the names on the shelf with their files."""
    return {record.name: record.path for record in Shelf(home / "models").records()}


def test_files_of_one_name_from_several_addresses_stay_apart(
    qwen: Run, hub: FaultyHub, home: Path, content: Path, tmp_path: Path
) -> None:
    longer = tmp_path / "longer.gguf"
    longer.write_bytes(content.read_bytes() + b"more")
    with FaultyHub(longer) as other:
        for address in (hub.direct, other.direct):
            assert qwen("pull", f"{address}?sig=secret").returncode == 0
        again = qwen("pull", f"{other.direct}?sig=another", "--offline")
    assert b"is here already" in again.stdout
    first, second = names(home)
    assert first == FILE
    assert second.startswith(FILE.removesuffix(".gguf") + "-")
    assert second.encode() in again.stdout
    assert (home / "models" / first).read_bytes() == content.read_bytes()
    assert (home / "models" / second).read_bytes() == longer.read_bytes()
    assert "secret" not in (home / "models" / "models.json").read_text()


def test_an_address_never_gets_the_file_of_a_published_model(qwen: Run, hub: FaultyHub, home: Path) -> None:
    published = catalogue.CATALOGUE[0].file
    done = qwen("pull", f"{hub.bytes_url}/{published}")
    assert done.returncode == 0, done.stderr
    [name] = names(home)
    assert name != published
    assert not (home / "models" / published).exists()


@pytest.mark.parametrize(("written", "name"), [("a%3Ab.gguf", "a-b.gguf"), ("a%00b.gguf", "a-b.gguf")])
def test_characters_that_file_names_cannot_have_are_left_out(
    qwen: Run, hub: FaultyHub, home: Path, written: str, name: str
) -> None:
    assert qwen("pull", f"{hub.bytes_url}/{written}").returncode == 0
    assert names(home) == {name: name}


def test_files_of_one_name_from_repositories_of_one_owner_stay_apart(home: Path) -> None:
    shelf = Shelf(home / "models")
    for owner in ("other/x", "acme/a", "acme/b", "acme/c"):
        fetch = Fetch(f"{owner}:model.gguf", screen.transfer_line(environment()))
        shelf.folder.mkdir(parents=True, exist_ok=True)
        fetch.target.write_bytes(b"")
        facts = identity.facts(os.fsencode(fetch.target))
        assert facts
        shelf.put(ModelRecord(path=fetch.target.name, name=fetch.wanted.name, size=0, sha256="0" * 64, facts=facts))
    files = list(names(home).values())
    assert files[:2] == ["model.gguf", "acme-model.gguf"]
    assert len(set(files)) == 4


def test_another_publishers_file_is_as_good(home: Path) -> None:
    unsloth, bartowski = catalogue.CATALOGUE[:2]
    shelf = Shelf(home / "models")
    shelf.folder.mkdir(parents=True)
    file = shelf.folder / bartowski.file
    file.write_bytes(b"")
    facts = identity.facts(os.fsencode(file))
    assert bartowski.sha256
    assert facts
    record = ModelRecord(path=file.name, name=unsloth.full_name, size=0, sha256=bartowski.sha256, facts=facts)
    shelf.put(record)
    fetch = Fetch(unsloth.full_name, screen.transfer_line(environment()))
    assert (fetch.wanted.sha256, fetch.wanted.repository) == (bartowski.sha256, bartowski.repository)
    assert fetch.target == file


def test_the_size_and_the_memory_of_a_published_model_are_shown() -> None:
    fetch = Fetch("qwen3-4b-instruct:Q8_0", screen.transfer_line(environment()))
    assert "4.28 GB" in fetch.plan()
    assert "5.91 GB of memory" in fetch.plan()


def test_a_published_model_whose_hash_the_hub_knows_gets_no_warning(run: Callable[[Case], Outcome]) -> None:
    outcome = run(Case("", lambda scene: scene.pin(None)))
    assert (outcome.code, outcome.right) == (0, True)
    assert "trust its source" not in outcome.shown


def test_two_sources_of_one_host_both_say_what_was_wrong(qwen: Run, hub: FaultyHub) -> None:
    for status in (404, 403):
        hub.at_bytes.append(Answering(status=status))
    sources = [word for path in ("a", "b") for word in ("--source", f"{hub.bytes_url}/{path}.gguf")]
    done = qwen("pull", f"{hub.bytes_url}/x.gguf", *sources)
    assert done.returncode == 1
    told = done.stderr.decode()
    host = hub.bytes_url.removeprefix("http://")
    assert [told.count(f"{host}: {reason}") for reason in ("it has no such file", "it gives the file only")] == [1, 1]


@pytest.mark.usefixtures("impatient")
def test_the_cause_is_said_once_also_after_several_tries(qwen: Run, hub: FaultyHub) -> None:
    hub.always = Answering(status=503)
    told = qwen("pull", NAME).stderr.decode()
    assert "Trying" in told
    assert told.count("it answers with HTTP 503") == 1
    assert "could not be fetched" in told
    assert "Check the connection" not in told, "it answered"


def test_the_reason_why_no_server_can_be_reached_is_shown(qwen: Run) -> None:
    silent = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "NO_PROXY": "*"}
    assert b"127.0.0.1:9: it cannot be reached: the connection was refused" in qwen("pull", NAME, env=silent).stderr


@pytest.mark.skipif(os.name == "nt", reason="as POSIX shells take it")
@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("hf-mirror.com", "export HF_ENDPOINT=https://hf-mirror.com"),
        ("hf-mirror.com:8080", "export HF_ENDPOINT=https://hf-mirror.com:8080"),
        ("https://", "unset HF_ENDPOINT"),
        ("https://host:99999", "unset HF_ENDPOINT"),
        ("https://[bad", "unset HF_ENDPOINT"),
        ("ftp://host", "unset HF_ENDPOINT"),
        ("no address", "unset HF_ENDPOINT"),
    ],
)
def test_an_invalid_endpoint_is_named_with_a_remedy(value: str, remedy: str, qwen: Run) -> None:
    done = qwen("pull", env={**os.environ, "HF_ENDPOINT": value})
    assert done.returncode == 1
    told = done.stderr.decode()
    assert f"HF_ENDPOINT is “{value}”" in told
    assert told.endswith(f"{remedy}\n")


@pytest.mark.parametrize("arguments", [["https://[bad/x.gguf"], ["--source", "https://host:99999", NAME]])
def test_an_invalid_address_is_wrong_usage(arguments: list[str], qwen: Run) -> None:
    done = qwen("pull", *arguments)
    assert (done.returncode, b"The address cannot be used" in done.stderr) == (2, True)


def test_the_setting_that_forbids_the_network_is_named(qwen: Run) -> None:
    assert b"Leave out --offline" in qwen("pull", NAME, "--offline").stderr
    told = qwen("pull", NAME, env={**os.environ, "HF_HUB_OFFLINE": "1"}).stderr
    assert b"HF_HUB_OFFLINE" in told
    assert b"--offline" not in told


@pytest.mark.skipif(os.name == "nt", reason="quoted as POSIX shells take it")
def test_the_commands_that_are_shown_run_when_they_are_pasted(qwen: Run, hub: FaultyHub, home: Path) -> None:
    name = "tiny model (1).gguf"
    fetched = qwen("pull", f"{hub.bytes_url}/{name}")
    assert fetched.returncode == 0, fetched.stderr
    talk = fetched.stdout.decode().splitlines()[-1].partition(": ")[2]
    assert shlex.split(talk) == ["qwen", "chat", "-m", name]
    (home / "models" / name).unlink()
    told = qwen("ask", "-m", name, "Hello").stderr.decode()
    program, *words = shlex.split(told.rpartition(": ")[2])
    assert (program, words) == ("qwen", ["models", "rm", name])
    assert qwen(*words, "--yes").returncode == 0


@pytest.fixture
def found_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program find a file of another program that may be the default model."""
    entry = catalogue.CATALOGUE[0]
    found = ForeignModel(Path("/elsewhere/model.gguf"), entry.file, entry.size, "LM Studio", entry)
    monkeypatch.setattr(elsewhere, "find", lambda: [found])


def refuse(*_file: object, **_how: object) -> Imported:
    raise InvalidModelError("It is damaged.", "Copy it again.")


def take_another(*_file: object, **_how: object) -> Imported:
    facts = identity.Facts(0, 0, 0)
    return Imported(ModelRecord(path="model.gguf", name="model.gguf", size=0, sha256="0" * 64, facts=facts))


@pytest.mark.usefixtures("found_elsewhere")
@pytest.mark.parametrize("take", [refuse, take_another])
def test_a_model_that_cannot_be_imported_is_fetched(
    monkeypatch: pytest.MonkeyPatch, take: Callable[..., Imported]
) -> None:
    monkeypatch.setattr(Importer, "take", take)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    done = call("pull", "--offline", typed="是\n是\n")
    assert done.code == 1
    assert "LM Studio has this model already" in done.out
    assert "cannot be fetched: this is offline" in done.err, "it went on to fetching"
    assert ("It is damaged." in done.err) == (take is refuse)


SEVERAL = ("a-Q4_K_M.gguf", "a-Q8_0.gguf", "big-00001-of-00002.gguf", "big-00002-of-00002.gguf", "mmproj-a-F16.gguf")


@pytest.mark.parametrize("written", [REPOSITORY, "{hub}/" + REPOSITORY, "{hub}/" + REPOSITORY + "/tree/main"])
def test_of_a_repository_alone_the_models_are_listed(
    hub: FaultyHub, home: Path, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    hub.files = [*SEVERAL]
    written = written.format(hub=hub.url)
    listed = call("pull", written)
    assert (listed.code, listed.out) == (2, "")
    offered = [line.strip() for line in listed.err.splitlines() if line.startswith("  ")]
    assert offered == [f"qwen pull {REPOSITORY}:{name}" for name in SEVERAL[:3]]
    assert call("pull", written, typed="\n").code == 1
    chosen = call("pull", written, typed="2\n是\n")
    assert chosen.code == 0, chosen.err
    shown = " ".join(chosen.err.split())
    assert f"2 a-Q8_0.gguf {size_text(hub.size)} 3 big-00001-of-00002.gguf {size_text(2 * hub.size)}" in shown
    assert names(home) == {f"{REPOSITORY}:a-Q8_0.gguf": "a-Q8_0.gguf"}


def test_a_page_a_quantisation_and_a_part_are_enough_to_name_a_file(
    hub: FaultyHub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    hub.files = [*SEVERAL, "my model.gguf"]
    page = f"{hub.url}/{REPOSITORY}/blob/main/my%20model.gguf?download=true"
    for asked in (f"{REPOSITORY}:q4_k_m", page, f"{REPOSITORY}:big-00002-of-00002.gguf"):
        done = call("pull", asked)
        assert done.code == 0, done.err
    assert names(home) == {
        f"{REPOSITORY}:{file}": file
        for file in ("a-Q4_K_M.gguf", "my model.gguf", "big-00001-of-00002.gguf", "big-00002-of-00002.gguf")
    }
    assert "here already" in call("pull", page, "--offline").out
    assert call("models", "path", f"{REPOSITORY}:my").out == f"{home / 'models/my model.gguf'}\n"
    assert call("ask", "-m", page, "-o", "max_tokens=3", "-n", "Hello").code == 0
    assert "2 parts" in call("models", "list").out


def test_a_mirror_that_is_named_lists_and_sends(hub: FaultyHub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    hub.files = [*SEVERAL]
    assert call("pull", "--source", hub.url, f"{REPOSITORY}:q8").code == 0
    assert names(home) == {f"{REPOSITORY}:a-Q8_0.gguf": "a-Q8_0.gguf"}
    monkeypatch.setattr(hub_of_models, "models", lambda *_asked: [Published("sub/a b.gguf", 5)])
    wanted = repository.repository("https://hf-mirror.com/o/r/tree/main")
    assert wanted
    (one,) = repository.models(wanted, offline=False)
    assert one.name == "https://hf-mirror.com/o/r/resolve/main/sub/a%20b.gguf"
    assert [place.host for place in source.sources(source.wanted(one.name))] == ["hf-mirror.com"]


def test_what_cannot_be_listed_says_why(hub: FaultyHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    hub.files = []
    assert "There is no .gguf file in acme/tiny-GGUF." in call("pull", REPOSITORY).err
    assert "this is offline" in call("pull", REPOSITORY, "--offline").err
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "the connection was refused" in call("pull", REPOSITORY).err
    assert f"See which models it has: qwen pull {REPOSITORY}" in call("ask", "-m", REPOSITORY, "Hello").err
    told = call("ask", "-m", f"{hub.direct}?sig=secret", "Hello").err
    assert "qwen pull ADDRESS" in told
    assert "secret" not in told


def test_without_a_name_what_the_settings_name_is_meant(home: Path, tiny: Path) -> None:
    call("models", "import", tiny)
    call("models", "use", "tiny")
    done = call("pull")
    assert done.code == 0
    assert f"tiny.gguf is here already: {home / 'models/tiny.gguf'}" in done.out
    assert "To fetch the standard model: qwen pull qwen3-4b-instruct" in done.out
    for name in ("nothing-like-it", "/no/such.gguf"):
        call("config", "set", "model", name)
        done = call("pull")
        assert done.code in (1, 2)
        assert "To fetch the standard model: qwen pull qwen3-4b-instruct" in done.err
