"""Each way in which a server fails: one message that says what to do, what had come is kept, nothing is sent twice."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from qwen_tui.engine.remote.endpoint import Endpoint
from qwen_tui.engine.remote.engine import RemoteEngine
from qwen_tui.errors import EngineError, PromptTooLongError, QwenError
from qwen_tui.messages import Event, Finished, Note, Text
from qwen_tui.servers import Server
from tests.engine.remote.fake_server import MODELS, FakeServer, Reply, as_reply, events, said, serving
from tests.engine.remote.test_answers import engine_of, request, text_of

JSON = "application/json"
KEY = "sk-very-secret-0123456789"


def ask(server: FakeServer, **settings: Any) -> tuple[list[Event], QwenError]:
    """Return what came before the error, and the error."""
    happened: list[Event] = []
    with pytest.raises(QwenError) as caught:
        happened.extend(engine_of(server, **settings).stream(request()))
    return happened, caught.value


def error(message: str, status: int, **headers: str) -> Reply:
    return as_reply({"error": {"message": message}})._replace(status=status, headers=headers)


@pytest.mark.parametrize(
    ("reply", "words", "remedy"),
    [
        (error("Incorrect API key provided: " + KEY, 401), ["does not accept the key", "401"], "KEYS"),
        (error("no access to this model", 403), ["does not allow", "403", "no access"], "-m lab/MODEL"),
        (error("The model `tiny` does not exist", 404), ["no model “tiny”"], "qwen servers test lab"),
        (Reply([b"404 page not found"], 404, kind="text/plain"), ["nothing at this address"], "/v1"),
        (error("too slow", 408), ["waited too long", "408"], "Ask again"),
        (Reply([b"<html>Too large</html>"], 413, kind="text/html"), ["larger than it takes"], "--fit map"),
        (error("Rate limit reached", 429), ["no more questions", "429", "Rate limit"], "later"),
        (error("out of quota", 429, **{"Retry-After": "3600"}), ["429"], "3600 s"),
        (error("CUDA error", 500), ["it failed", "500", "CUDA error"], "log"),
        (Reply([b"<html>Bad gateway</html>"], 502, kind="text/html"), ["cannot be reached or is not ready"], "later"),
        (error("no healthy upstream", 503), ["503", "no healthy upstream"], "later"),
        (error("teapot", 418), ["refuses the question", "teapot"], "servers test lab"),
        (Reply([], 307, {"Location": "https://evil.example/v1?x=1"}), ["another address"], "https://evil.example/v1"),
        (Reply([b"<!DOCTYPE html><p>Log in"], kind="text/html"), ["a web page"], "browser"),
        (Reply([b"\xef\xbb\xbf <HTML>"]), ["a web page"], "browser"),
        (Reply([b"Hello, I am a printer."], kind="text/plain"), ["not OpenAI's interface"], "/v1"),
        (Reply([b'{"choices":5}'], kind=JSON), ["not OpenAI's interface"], "/v1"),
        # llama-cpp-python's server, asked with more than its context holds.
        (Reply([b""]), ["ended before it began"], "ctx_size in [servers.lab]"),
        (Reply(events({"error": {"message": "GPU gone", "code": 500}})), ["reports a failure", "GPU gone"], "again"),
    ],
)
def test_a_refusal_is_one_message_with_what_to_do(reply: Reply, words: list[str], remedy: str) -> None:
    with serving(reply) as server:
        happened: list[Event] = []
        engine = RemoteEngine(Endpoint("lab", Server(url=server.url, key_env="KEYS"), KEY), "tiny")
        with pytest.raises(EngineError if "--fit" not in remedy else PromptTooLongError) as caught:
            happened.extend(engine.stream(request()))
        assert len(server.questions) == 1
    assert text_of(happened) == ""
    told = caught.value
    assert all(word in told.message for word in words), told.message
    assert remedy in told.remedy, told.remedy
    assert KEY not in told.message + told.remedy
    assert "\n" not in told.message
    assert f"lab (127.0.0.1:{server.port})" in told.message


@pytest.mark.parametrize(
    "message",
    [
        # OpenAI, vLLM, SGLang, llama.cpp's server, its Python binding, LM Studio.
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 9000 tokens.",
        "'max_tokens' or 'max_completion_tokens' is too large: this model's maximum context length is 4096 tokens",
        "The input (9000 tokens) is longer than the model's context length (4096 tokens).",
        "request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it",
        "Requested tokens (9000) exceed context window of 4096",
        "The number of tokens to keep from the initial prompt is greater than it: context length exceeded",
    ],
)
def test_a_prompt_that_the_server_cannot_hold_is_told_as_such(message: str) -> None:
    with serving(error(message, 400)) as server:
        _happened, told = ask(server)
    assert isinstance(told, PromptTooLongError)
    assert "does not fit" in told.message
    assert "--fit map" in told.remedy


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (said("One", " two", reason=None, done=False), "broke in the middle"),
        ([*said("One", " two", reason=None, done=False), b'data: {"choices":[{"del'], "not understood"),
        ([*said("One", " two", reason=None, done=False), b"data: no JSON\n\n"], "not understood"),
        (
            [*said("One", " two", reason=None, done=False), b'data: {"choices":[{"delta":{"content":7}}]}\n\n'],
            "not unde",
        ),
        ([*said("One", " two", reason=None, done=False), *events({"error": "overloaded"})], "overloaded"),
        ([*said("One", " two", reason=None, done=False), 600.0], "nothing more has come for 1 s"),
    ],
)
def test_what_had_come_is_kept_when_a_stream_breaks(pieces: list[bytes | float], words: str) -> None:
    with serving(Reply(pieces)) as server:
        happened, told = ask(server, silence=1 if isinstance(pieces[-1], float) else 60)
        assert len(server.questions) == 1
    assert text_of(happened) == "One two"
    assert words in told.message
    assert "What has come is kept" in told.remedy


def test_a_killed_server_ends_the_answer_with_one_message() -> None:
    with serving(Reply(said("One", reason=None, done=False), cut=True)) as server:
        happened, told = ask(server)
        assert len(server.questions) == 1
    assert text_of(happened) == "One"
    assert "the connection broke" in told.message


def test_a_server_that_never_begins_is_busy() -> None:
    silent: list[list[bytes | float]] = [[600.0], [b": keeps the connection open\n\n", 600.0]]
    for pieces in silent:
        with serving(Reply(pieces)) as server:
            happened, told = ask(server, patience=1)
            assert len(server.questions) == 1
        assert text_of(happened) == ""
        assert "the server is busy" in told.message
        assert "patience" in told.remedy


def _refused() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    ("url", "words"),
    [(_refused, "the connection was refused"), (lambda: "http://no-such-host.invalid:1", "no such host")],
)
def test_a_server_that_is_not_there(url: Callable[[], str], words: str) -> None:
    with pytest.raises(EngineError, match=words) as caught:
        RemoteEngine(Endpoint("lab", Server(url=url()))).info()
    assert "qwen servers test lab" in caught.value.remedy


def test_a_broken_question_is_not_sent_again() -> None:
    """The connection ends before the response begins: the server may have the question."""
    with socket.create_server(("127.0.0.1", 0)) as listener, serving() as models:
        port, asked = listener.getsockname()[1], []

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = listener.accept()
                    asked.append(connection.recv(100))
                    connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        engine = RemoteEngine(Endpoint("lab", Server(url=models.url)), "tiny")
        engine.info()
        engine._endpoint = Endpoint("lab", Server(url=f"http://127.0.0.1:{port}"))
        with pytest.raises(EngineError) as caught:
            list(engine.stream(request()))
        assert len(asked) == 1
    assert "Nothing is sent again by itself" in caught.value.remedy


def test_a_busy_server_that_names_a_time_is_asked_again_and_that_is_said() -> None:
    busy = error("Rate limit reached", 429, **{"Retry-After": "1"})
    with serving(busy, Reply(said("Now"))) as server:
        happened = list(engine_of(server).stream(request()))
        assert len(server.questions) == 2
    assert text_of(happened) == "Now"
    assert [event.sentence for event in happened if isinstance(event, Note)] == [
        "lab is busy and wants to be asked again in 1 second: then the question is sent again."
    ]


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("Unsupported parameter: 'temperature' is not supported with this model.", "temperature"),
        ("Unrecognized request argument supplied: stream_options", "stream_options"),
        ("[{'type': 'extra_forbidden', 'loc': ('body', 'top_p'), 'msg': 'Extra inputs are not permitted'}]", "top_p"),
    ],
)
def test_what_a_server_does_not_take_is_left_out_and_that_is_said(message: str, name: str) -> None:
    with serving(error(message, 400), Reply(said("Fine"))) as server:
        engine = engine_of(server)
        happened = list(engine.stream(request()))
        assert name in server.questions[0].body
        assert name not in server.questions[1].body
        # It is not tried again with the next question.
        assert [event for event in engine.stream(request()) if isinstance(event, Note)] == []
    assert text_of(happened) == "Fine"
    assert [event.sentence for event in happened if isinstance(event, Note)] == [
        f"lab does not take “{name}”: the question is sent again without it."
    ]


def test_a_newer_name_for_max_tokens_is_found() -> None:
    refusal = error("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", 400)
    with serving(refusal, Reply(said("Fine"))) as server:
        happened = list(engine_of(server).stream(request(max_tokens=7)))
        assert server.questions[1].body["max_completion_tokens"] == 7
    assert isinstance(happened[-1], Finished)


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ({"data": []}, "it names no model"),
        ({"data": [{"id": "a"}, {"id": "b"}]}, "several models: a, b"),
        ({"hello": "world"}, "not OpenAI's interface"),
        (Reply([b"<html>"], kind="text/html"), "web page"),
        (Reply([b"{"], kind=JSON), "not OpenAI's interface"),
        (Reply([b"[" * 100_000], kind=JSON), "not OpenAI's interface"),
        (error("who are you", 401), "wants a key"),
    ],
)
def test_a_list_of_models_that_says_too_little_or_too_much(listed: Any, words: str) -> None:
    with serving() as server:
        server.others[MODELS] = listed
        with pytest.raises(EngineError, match=words):
            engine_of(server).info()
        assert server.questions == []


def test_names_of_models_that_cannot_be_shown_are_not_shown() -> None:
    with serving(models=[{"id": "\x1b[31mred"}, {"id": "good"}, {"id": 5}, {"id": "x" * 300}]) as server:
        assert engine_of(server).info().model == "good"


def test_escape_sequences_of_a_server_stay_out_of_its_errors() -> None:
    with serving(error("\x1b[2J\x1b]0;title\x07 wiped \u202e", 500)) as server:
        _happened, told = ask(server)
    assert told.message.isprintable()
    assert "wiped" in told.message


def test_text_that_came_before_an_error_stands_in_the_events() -> None:
    with serving(Reply(said("Kept", reason=None, done=False))) as server:
        happened, _told = ask(server)
    assert [event for event in happened if isinstance(event, Text)] == [Text("Kept")]
