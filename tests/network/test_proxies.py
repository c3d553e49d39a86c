"""Which proxy is used for an address, by the environment alone."""

import pytest

from qwen_tui.network.proxies import proxy_for
from qwen_tui.network.request import RequestError

HUB = "https://huggingface.co/x"
# The settings that are usual in China.
USUAL = {
    "http_proxy": "http://127.0.0.1:7890",
    "https_proxy": "http://127.0.0.1:7891",
    "all_proxy": "socks5://127.0.0.1:7892",
}


@pytest.mark.parametrize(
    ("url", "environ", "variable", "address"),
    [
        (HUB, USUAL, "https_proxy", "http://127.0.0.1:7891"),
        ("http://mirror.example/x", USUAL, "http_proxy", "http://127.0.0.1:7890"),
        (HUB, {"ALL_PROXY": "socks5://h:1"}, "ALL_PROXY", "socks5://h:1"),
        (HUB, {"all_proxy": "socks://h:1"}, "all_proxy", "socks5://h:1"),
        (HUB, {"all_proxy": "SOCKS5H://h:1"}, "all_proxy", "socks5h://h:1"),
        (HUB, {"HTTPS_PROXY": " 127.0.0.1:8080 "}, "HTTPS_PROXY", "http://127.0.0.1:8080"),
        (HUB, {"HTTPS_PROXY": "http://upper", "https_proxy": "http://lower"}, "https_proxy", "http://lower"),
        (HUB, {"HTTPS_PROXY": "https://name:pass@word@h:1"}, "HTTPS_PROXY", "https://name:pass@word@h:1"),
        (HUB, {"HTTPS_PROXY": "http://[::1]:8080"}, "HTTPS_PROXY", "http://[::1]:8080"),
        (HUB, {"ALL_PROXY": "ftp://nonsense", "HTTPS_PROXY": "http://h"}, "HTTPS_PROXY", "http://h"),
    ],
)
def test_the_schemes_own_variable_wins(url: str, environ: dict[str, str], variable: str, address: str) -> None:
    assert proxy_for(url, environ) == (variable, address)


@pytest.mark.parametrize(
    ("no_proxy", "direct", "through"),
    [
        ("*", [HUB], []),
        ("huggingface.co", [HUB, "https://cdn.huggingface.co"], ["https://nothuggingface.co", "https://modelscope.cn"]),
        (".huggingface.co", ["https://cdn.huggingface.co"], [HUB]),
        ("*.huggingface.co", ["https://cdn.huggingface.co"], [HUB]),
        ("localhost, HUGGINGFACE.CO ,", [HUB, "http://localhost:8000"], ["https://modelscope.cn"]),
        ("hub.example:8443", ["https://hub.example:8443/x"], ["https://hub.example/x"]),
        ("hub.example:443", ["https://hub.example/x"], ["http://hub.example/x"]),
        ("10.0.0.0/8", ["http://10.1.2.3:80/x"], ["http://11.1.2.3/x", "http://ten.example"]),
        ("192.168.1.7", ["http://192.168.1.7/x"], ["http://192.168.1.70/x"]),
        ("::1", ["http://[::1]:8000/x"], ["http://[::2]/x"]),
        ("[::1]:8000", ["http://[::1]:8000/x"], ["http://[::1]/x"]),
        ("fd00::/8", ["http://[fd12::1]/x"], ["http://[fe80::1]/x"]),
        ("http://hub.example", ["http://hub.example/x"], ["https://hub.example/x"]),
        ("all://hub.example", ["http://hub.example/x", "https://hub.example/x"], []),
        ("[, /, :, 10.0.0.0/99, a b", [], [HUB]),
        ("", [], [HUB]),
    ],
)
def test_no_proxy_names_direct_addresses(no_proxy: str, direct: list[str], through: list[str]) -> None:
    environ = {**USUAL, "NO_PROXY": no_proxy}
    assert [url for url in direct if proxy_for(url, environ)] == []
    assert [url for url in through if not proxy_for(url, environ)] == []


@pytest.mark.parametrize("environ", [{}, {"https_proxy": "", "HTTPS_PROXY": "http://h"}, {"http_proxy": "http://h"}])
def test_without_a_proxy_for_it_an_address_is_asked_directly(environ: dict[str, str]) -> None:
    assert proxy_for(HUB, environ) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("ftp://h:1", "ftp://"),
        ("socks4://h:1", "socks4://"),
        ("http://", "holds no address"),
        ("http://:8080", "holds no address"),
        ("http://h:port", "holds no address"),
        ("http://h:99999", "holds no address"),
        ("http://[::1", "holds no address"),
    ],
)
@pytest.mark.parametrize("variable", ["https_proxy", "ALL_PROXY"])
def test_an_invalid_proxy_is_reported_with_its_variable(value: str, words: str, variable: str) -> None:
    with pytest.raises(RequestError) as raised:
        proxy_for(HUB, {variable: value})
    assert variable in raised.value.reason
    assert words in raised.value.reason
    assert variable in raised.value.remedy
