"""`qwen pull` and `qwen doctor --network` through real proxies on loopback, and through invalid ones."""

import gc
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.conftest import Run
from tests.models import faulty_cases
from tests.models.hub_server import FILE, NAME, FaultyHub
from tests.models.proxy_server import ProxyServer, running

# httpx2 leaves the socket of a proxy that it could not speak with to Python's garbage collection.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")

# Only a proxy answers under this name.
HOST = "hub.example.invalid"
LOGIN = ("somebody", "password-of-the-proxy")
DEAD = "http://127.0.0.1:9"


@pytest.fixture
def hub(tiny: Path) -> Iterator[FaultyHub]:
    with FaultyHub(tiny) as hub:
        yield hub


@pytest.fixture(params=["http", "socks5"])
def proxy(request: pytest.FixtureRequest) -> Iterator[ProxyServer]:
    with running(request.param) as server:
        yield server


Pull = Callable[..., tuple[int, str]]


@pytest.fixture
def pull(qwen: Run, hub: FaultyHub, home: Path) -> Pull:
    """Return a function that fetches from the hub by its name, with only the given proxy variables."""

    def pull(**variables: str) -> tuple[int, str]:
        kept = {n: v for n, v in os.environ.items() if not n.upper().endswith("_PROXY") and not n.startswith("HF_")}
        kept["HF_ENDPOINT"] = f"http://{HOST}:{hub.url.rpartition(':')[2]}"
        done = qwen("pull", NAME, "--yes", env={**kept, **variables})
        gc.collect()
        said = done.stdout.decode() + done.stderr.decode()
        assert "Traceback" not in said
        assert LOGIN[1] not in said
        assert (done.returncode == 0) == (home / "models" / FILE).is_file(), said
        return done.returncode, said

    return pull


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_model_comes_through_a_proxy(pull: Pull, proxy: ProxyServer, variable: str) -> None:
    code, said = pull(**{variable: f"{proxy.kind}://{proxy.address}"})
    assert code == 0, said
    hosts = {asked.partition(":")[0] for asked in proxy.asked}
    assert hosts == {HOST, "127.0.0.1"}, "the hub, and where it leads to"


def test_a_broken_proxy_that_is_not_needed_stops_nothing(pull: Pull, proxy: ProxyServer) -> None:
    own = f"{proxy.kind}://{proxy.address}"
    code, said = pull(http_proxy=own, https_proxy="nonsense://", all_proxy="socks5://127.0.0.1:9", no_proxy="127.0.0.1")
    assert code == 0, said
    assert {asked.partition(":")[0] for asked in proxy.asked} == {HOST}, "the bytes come directly"


def test_a_proxy_may_demand_a_password(pull: Pull) -> None:
    for kind in ("http", "socks5"):
        with running(kind, LOGIN) as proxy:
            for given in ("", "nobody:nothing@"):
                code, said = pull(ALL_PROXY=f"{kind}://{given}{proxy.address}")
                assert code == 1
                assert "the proxy of ALL_PROXY needs a name and a password" in said
    with running("socks5", LOGIN) as proxy:
        assert pull(all_proxy=f"socks5h://{':'.join(LOGIN)}@{proxy.address}")[0] == 0


def nowhere() -> str:
    """Return an address at which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("http://{nowhere}", "cannot be reached"),
        ("socks5://{nowhere}", "cannot be reached"),
        ("http://no-such-host.invalid:1", "cannot be reached"),
        ("socks5://{http}", "is not a SOCKS proxy"),
        ("http://{socks5}", "broke"),
        ("https://{http}", "mostly it is http://"),
        ("quic://{http}", "a kind that is not known: quic://"),
        ("http://", "holds no address"),
        ("http://{silent}", "does not answer"),
        ("socks5://{silent}", "does not answer"),
    ],
)
def test_a_proxy_that_does_not_work_is_one_message_with_its_variable(
    pull: Pull, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "silent" in value:
        monkeypatch.setattr("qwen_tui.models.fetching.fetch.PATIENCE", faulty_cases.IMPATIENT)
    with running("http") as http, running("socks5") as socks5, socket.create_server(("127.0.0.1", 0)) as listening:
        silent = f"127.0.0.1:{listening.getsockname()[1]}"
        code, said = pull(
            http_proxy=value.format(nowhere=nowhere(), http=http.address, socks5=socks5.address, silent=silent)
        )
    assert code == 1
    told = [line for line in said.splitlines() if line.startswith("qwen: ")]
    assert len(told) == 1, said
    assert "http_proxy" in told[0]
    assert words in told[0]
    assert "http_proxy" in said.splitlines()[-1], "and in what to do"


def test_an_unreachable_server_behind_a_proxy_is_not_blamed_on_the_variable(
    pull: Pull, hub: FaultyHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_host: str, _port: int) -> socket.socket:
        raise OSError

    with running("socks5") as proxy:
        monkeypatch.setattr(proxy, "connect", fail)
        code, said = pull(all_proxy=f"socks5://{proxy.address}")
    assert code == 1
    assert "does not get through to it" in said
    assert "all_proxy" in said


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs a certificate")
def test_secrets_stay_secret_through_a_proxy(
    qwen: Run, tiny: Path, tmp_path: Path, home: Path, proxy: ProxyServer
) -> None:
    signed = faulty_cases.certificate(tmp_path)
    kept = {n: v for n, v in os.environ.items() if not n.upper().endswith("_PROXY")}
    with FaultyHub(tiny, signed) as hub:
        environment = {**kept, "HF_ENDPOINT": hub.url, "HTTPS_PROXY": f"{proxy.kind}://{proxy.address}"}
        unknown = qwen("pull", NAME, "--yes", env=environment)
        assert b"certificate is not trusted" in unknown.stderr
        done = qwen("pull", NAME, "--yes", env={**environment, "SSL_CERT_FILE": str(signed[0])})
    assert done.returncode == 0, done.stderr.decode()
    assert (home / "models" / FILE).is_file()
    assert len(proxy.asked) >= 2


def test_doctor_asks_through_the_same_proxies(qwen: Run, hub: FaultyHub, proxy: ProxyServer) -> None:
    kept = {n: v for n, v in os.environ.items() if not n.upper().endswith("_PROXY")}
    kept["HF_ENDPOINT"] = f"http://{HOST}:{hub.url.rpartition(':')[2]}"
    proxies = {"http_proxy": f"{proxy.kind}://{proxy.address}", "https_proxy": DEAD, "all_proxy": "socks5://h:1"}
    report = msgspec.json.decode(qwen("doctor", "-m", "demo", "--network", "--json", env={**kept, **proxies}).stdout)
    mirror, modelscope = report["network"]
    assert mirror["reachable"], mirror
    assert "https_proxy" in modelscope["reason"]


def test_doctor_advises_against_the_proxy_that_does_not_work(qwen: Run) -> None:
    kept = {n: v for n, v in os.environ.items() if not n.upper().endswith("_PROXY")}
    environment = {**kept, "HF_ENDPOINT": "http://hub.invalid", "http_proxy": f"http://{nowhere()}"}
    report = msgspec.json.decode(qwen("doctor", "-m", "demo", "--network", "--json", env=environment).stdout)
    told = next(one for one in report["problems"] if "hub.invalid" in one["message"])
    assert "http_proxy" in told["remedy"]
    assert "HTTPS_PROXY" not in told["remedy"]
