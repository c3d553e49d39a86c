"""What comes of the streams of each kind of server, and how a stream ends."""

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from qwen_tui import cancellation
from qwen_tui.engine.protocol import EngineInfo, Request, SamplingOptions
from qwen_tui.engine.remote import resending
from qwen_tui.engine.remote.endpoint import Endpoint
from qwen_tui.engine.remote.engine import RemoteEngine
from qwen_tui.errors import QwenError
from qwen_tui.messages import Event, Finished, Loss, Message, Note, Prefill, Reasoning, Text
from qwen_tui.servers import Server
from tests.engine.remote.fake_server import FakeServer, Reply, events, said, serving
from tests.engine.remote.recorded import RECORDED, Recorded

ASKED = (Message("system", "Be brief."), Message("user", "What is the capital of France?"))


def engine_of(server: FakeServer, key: str | None = None, model: str = "", **settings: Any) -> RemoteEngine:
    return RemoteEngine(Endpoint("lab", Server(url=server.url, **settings), key), model)


def request(**given: Any) -> Request:
    fields: dict[str, Any] = {"messages": ASKED, "sampler": SamplingOptions(temperature=0), **given}
    return Request(**fields)


def text_of(happened: Sequence[Event]) -> str:
    return "".join(event.piece for event in happened if isinstance(event, Text))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.kind)
def test_the_stream_of_each_kind_of_server_comes_to_the_same(recorded: Recorded) -> None:
    # Cut into pieces of any size, also within a character.
    stream = recorded.stream.encode()
    pieces = [stream[at : at + 7] for at in range(0, len(stream), 7)]
    with serving(Reply(pieces), models=[recorded.model]) as server:
        happened = list(engine_of(server).stream(request()))
    finished = happened[-1]
    assert isinstance(finished, Finished)
    assert text_of(happened) == recorded.text
    assert "".join(event.piece for event in happened if isinstance(event, Reasoning)) == recorded.reasoning
    assert finished.reason == recorded.reason
    usage = finished.usage
    assert (usage.prompt_tokens, usage.cached_tokens) == (recorded.prompt, recorded.cached)
    assert usage.completion_tokens == recorded.completion
    assert finished.estimated == ("usage" not in recorded.stream)


def test_llama_cpp_tells_how_far_it_has_read_and_how_fast_it_is() -> None:
    recorded = RECORDED[0]
    with serving(Reply([recorded.stream.encode()]), models=[recorded.model]) as server:
        engine = engine_of(server)
        happened = list(engine.stream(request()))
        assert [event for event in happened if isinstance(event, Prefill)] == [Prefill(4, 21, 4), Prefill(21, 21, 4)]
        finished = happened[-1]
        assert isinstance(finished, Finished)
        assert (finished.timings.prefill_tps, finished.timings.decode_tps) == (200.0, 50.0)
        # 17 tokens took 85 ms, and one that is written takes 20 ms.
        assert engine.estimate(1004, cached=4, written=10) == pytest.approx(5.2)


def test_an_answer_that_is_not_streamed_is_taken_whole() -> None:
    whole = b'{"choices":[{"message":{"role":"assistant","content":"All at once."},"finish_reason":"stop"}]}'
    with serving(Reply([whole], kind="application/json; charset=utf-8")) as server:
        assert text_of(list(engine_of(server).stream(request()))) == "All at once."


def test_a_stream_with_a_reason_needs_no_last_mark() -> None:
    with serving(Reply(said("Hi", done=False))) as server:
        assert text_of(list(engine_of(server).stream(request()))) == "Hi"


def test_a_filter_of_contents_is_told() -> None:
    with serving(Reply(said("Half", reason="content_filter"))) as server:
        happened = list(engine_of(server).stream(request()))
    assert text_of(happened) == "Half"
    (note,) = (event.sentence for event in happened if isinstance(event, Note))
    assert note == "lab held back the rest: its filter of contents."
    assert isinstance(note, Loss), "it is told with -q, too"


def test_who_cut_a_long_answer_is_told() -> None:
    with serving(Reply(said("Half", reason="length"))) as server:
        for most, limit in ((None, "server"), (5, "max_tokens")):
            finished = list(engine_of(server).stream(request(max_tokens=most)))[-1]
            assert isinstance(finished, Finished)
            assert (finished.reason, finished.limit) == ("length", limit)


@pytest.mark.parametrize("pieces", [[600.0], [*said("One", " two", reason=None, done=False), 600.0]])
def test_a_cancelled_answer_ends_at_once_and_the_server_sees_it(
    pieces: Sequence[bytes | float],
) -> None:
    with serving(Reply(pieces)) as server, cancellation.operation() as operation:
        happened = []
        for event in engine_of(server).stream(request()):
            happened.append(event)
            if server.questions and (isinstance(event, Text) or len(pieces) == 1):
                operation.cancel()
        assert server.hung_up.wait(30)
    assert text_of(happened) in ("", "One", "One two")
    assert isinstance(happened[-1], Finished)
    assert happened[-1].reason == "interrupted"


def test_whoever_stops_reading_hangs_up() -> None:
    with serving(Reply([*said("One", reason=None, done=False), 600.0])) as server:
        stream = engine_of(server).stream(request())
        assert isinstance(stream, Iterator)
        next(event for event in stream if isinstance(event, Text))
        stream.close()  # type: ignore[attr-defined]
        assert server.hung_up.wait(30)


def at_once(times: int, ask: Callable[[], object]) -> list[threading.Thread]:
    """Start so many threads that `ask` as parts of the running operation, and return them."""
    threads = [threading.Thread(target=contextvars.copy_context().run, args=(ask,)) for _number in range(times)]
    for thread in threads:
        thread.start()
    return threads


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.01)


def test_several_questions_are_answered_at_the_same_time() -> None:
    all_are_there = threading.Barrier(3, timeout=30).wait
    with serving(Reply([all_are_there, *said("Yes")])) as server, cancellation.operation():
        engine = engine_of(server, parallel=3)
        assert list(engine.load())[-1:] is not None
        assert engine.parallel == 3
        answers: list[str] = []
        for thread in at_once(engine.parallel, lambda: answers.append(text_of(list(engine.stream(request()))))):
            thread.join()
        assert answers == ["Yes"] * 3
        assert server.most_at_once == 3


def test_what_a_server_refuses_as_too_many_waits_for_the_others_and_fewer_are_sent() -> None:
    def others_wait() -> None:
        until(lambda: engine.parallel == 1)

    with serving(Reply([others_wait, *said("Yes")])) as server, cancellation.operation():
        server.limit = 1
        engine = engine_of(server)
        assert (engine.info().model, engine.parallel) == ("tiny", 4)
        happened: list[Event] = []
        for thread in at_once(engine.parallel, lambda: happened.extend(engine.stream(request()))):
            thread.join()
        assert text_of(happened) == "Yes" * 4
        assert server.most_at_once == 1
        assert engine.parallel == 1
        # That is said once, and from now on nothing is refused.
        [note] = [event.sentence for event in happened if isinstance(event, Note)]
        assert "lab does not take" in note and "sent again" in note
        refused = server.refused
        assert text_of(list(engine.stream(request()))) == "Yes"
        assert server.refused == refused


def test_a_question_refused_beside_one_whose_answer_then_ended_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resending, "_AFTER_AN_ANSWER", 0.01)
    answers: list[str] = []
    both_are_there = threading.Barrier(2, timeout=30).wait
    too_many = b'{"error":{"message":"Too many requests"}}'
    replies = [
        Reply([both_are_there, *said("One")]),
        Reply([both_are_there, lambda: until(lambda: answers), too_many], 429, kind="application/json"),
        # This server counts an answer for some time after its end.
        Reply([too_many], 429, kind="application/json"),
        Reply(said("Two")),
    ]
    with serving(*replies) as server, cancellation.operation():
        engine = engine_of(server)
        for thread in at_once(2, lambda: answers.append(text_of(list(engine.stream(request()))))):
            thread.join()
        assert answers == ["One", "Two"]


def test_ctrl_c_ends_the_wait_for_others() -> None:
    with serving(Reply([600.0])) as server, cancellation.operation() as operation:
        server.limit = 1
        engine = engine_of(server)
        ends: list[Event] = []
        threads = at_once(3, lambda: ends.append(list(engine.stream(request()))[-1]))
        until(lambda: server.refused)
        operation.cancel()
        for thread in threads:
            thread.join(30)
    assert [end.reason for end in ends if isinstance(end, Finished)] == ["interrupted"] * 3


def test_an_answer_that_the_python_binding_stops_for_another_question_is_not_taken_for_whole() -> None:
    stopped = Reply(said("Once upon", reason=None))
    with serving(stopped, models=[{"id": "tiny", "owned_by": "me"}]) as server:
        happened: list[Event] = []
        with pytest.raises(QwenError, match="another question"):
            happened.extend(engine_of(server).stream(request()))
    assert text_of(happened) == "Once upon"


def test_ctrl_c_reaches_all_questions_of_its_operation() -> None:
    with serving(Reply([600.0])) as server, cancellation.operation() as operation:
        engine = engine_of(server)
        ends: list[Event] = []
        threads = at_once(2, lambda: ends.append(list(engine.stream(request()))[-1]))
        until(lambda: len(server.questions) == 2)
        operation.cancel()
        for thread in threads:
            thread.join(30)
        assert [end.reason for end in ends if isinstance(end, Finished)] == ["interrupted"] * 2


def test_a_server_that_loads_its_model_is_waited_for() -> None:
    with serving() as server:
        found = server.others["/v1/models"]
        loading = b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}'
        server.others["/v1/models"] = Reply([loading], 503, kind="application/json")
        engine = engine_of(server)
        engine.start()
        until(lambda: len(server.sent) >= 2)
        server.others["/v1/models"] = found
        assert text_of(list(engine.stream(request()))) == "Hello there"


def test_a_server_that_was_not_there_is_asked_again_the_next_time() -> None:
    with serving() as server:
        found = server.others.pop("/v1/models")
        engine = engine_of(server)
        with pytest.raises(QwenError):
            engine.info()
        server.others["/v1/models"] = found
        assert engine.info() == EngineInfo(
            model="tiny",
            device=f"127.0.0.1:{server.port}",
            ctx_size=8192,
            threads=0,
            gpu_layers=0,
            estimates=True,
        )


def test_nothing_is_sent_before_the_person_asks() -> None:
    with serving() as server:
        engine = engine_of(server)
        engine.read_ahead(request())
        assert engine.reading_ahead() is None
        with contextlib.closing(engine):
            assert server.sent == []


def test_text_and_reasoning_in_one_chunk_keep_their_order() -> None:
    chunk = {"choices": [{"index": 0, "delta": {"reasoning": "Hm.", "content": "Yes."}}]}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    with serving(Reply(events(chunk, end))) as server:
        happened = [e for e in engine_of(server).stream(request()) if isinstance(e, Text | Reasoning)]
    assert happened == [Reasoning("Hm."), Text("Yes.")]
