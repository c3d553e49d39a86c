"""The engine as `chat` sees it: the real worker, on a tiny model."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen_tui import cancellation
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import Costs, LoadOptions, ReplayOptions, Request, SamplingOptions
from qwen_tui.engine.silence import TICK
from qwen_tui.engine.speeds import Speeds
from qwen_tui.errors import CancelledError, InvalidModelError, PromptTooLongError, UsageError, WorkerDiedError
from qwen_tui.files import ASSETS
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Event, Finished, Loading, Message, Note, Prefill, Text, Usage
from tests.engine.workers import worker_of
from tests.tiny_model import make_broken_models

GREEDY = SamplingOptions(temperature=0)
needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="no process dies of a signal on Windows")


@pytest.fixture
def wide(tiny: Path) -> Iterator[LocalEngine]:
    """The same engine with room for long prompts, and for answers that last until they are stopped."""
    engine = LocalEngine(LoadOptions(path=os.fsencode(tiny), plan=Plan(ctx_size=32768, batch_size=32)))
    yield engine
    engine.close()


def request(*contents: str, max_tokens: int = 40, sampler: SamplingOptions | ReplayOptions = GREEDY) -> Request:
    messages = tuple(Message("assistant" if i % 2 else "user", content) for i, content in enumerate(contents))
    return Request(messages=messages, sampler=sampler, max_tokens=max_tokens)


def text_of(events: Iterable[Event]) -> str:
    return "".join(event.piece for event in events if isinstance(event, Text))


def finished(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def test_an_answer_is_prefill_then_text_then_finished(engine: LocalEngine) -> None:
    events = list(engine.stream(request("What is HTTP?", max_tokens=12)))
    kinds = [type(event) for event in events]
    assert kinds == sorted(kinds, key=[*dict.fromkeys(kinds)].index), "phases do not mix"
    end = finished(events)
    assert end.reason == "length"
    assert end.usage.completion_tokens == 12
    assert end.usage.prompt_tokens == engine.count([Message("user", "What is HTTP?")])
    assert end.timings.load_s > 0
    assert end.timings.ttft_s > end.timings.load_s


def test_prefill_is_reported_batch_by_batch(engine: LocalEngine) -> None:
    events = list(engine.stream(request("hello world " * 100, max_tokens=1)))
    steps = list(dict.fromkeys(event.done for event in events if isinstance(event, Prefill)))
    total = finished(events).usage.prompt_tokens
    assert steps == [*range(0, total, 32), total]


def test_how_long_a_prefill_takes_is_known_once_one_was_seen_or_measured(tiny: Path) -> None:
    options = LoadOptions(path=os.fsencode(tiny), plan=Plan(ctx_size=4096, batch_size=32))
    with closing(LocalEngine(options)) as engine:
        assert engine.estimate(1000) is None
        first = [event for event in engine.stream(request("hello " * 100, max_tokens=1)) if isinstance(event, Prefill)]
        assert first[0].left_s is None
        assert (engine.estimate(2000) or 0) > (engine.estimate(2000, cached=1500) or 0) > 0
        assert engine.estimate(2000, cached=2000) == 0
        second = [event for event in engine.stream(request("other " * 90, max_tokens=1)) if isinstance(event, Prefill)]
        assert (second[0].left_s or 0) > 0
        assert second[-1].left_s == 0
    measured = Costs(prefill_tps=50, decode_tps=4)
    with closing(LocalEngine(msgspec.structs.replace(options, costs=measured))) as engine:
        assert engine.estimate(100) == pytest.approx(2, rel=0.05)
        # What stands behind others takes longer, because attention looks at all of them.
        assert (engine.estimate(4100, cached=4000) or 0) > 3
        assert (engine.estimate(100, written=8) or 0) == pytest.approx(4, rel=0.05)


def test_a_handful_of_tokens_foretells_no_wait(tiny: Path) -> None:
    options = LoadOptions(path=os.fsencode(tiny), plan=Plan(ctx_size=4096, batch_size=32))
    with closing(LocalEngine(options)) as engine:
        # So few tokens, each with the cost of a batch of its own, are the end of a prompt that was read ahead.
        list(engine.stream(request("hello", max_tokens=1)))
        assert engine.estimate(1000) is None
        list(engine.try_out(request("hello " * 500, max_tokens=1).messages))
        assert (engine.estimate(1000) or 0) > 0


def test_a_first_wait_is_foretold_after_a_moment_of_reading_and_that_is_not_read_again(tiny: Path) -> None:
    options = LoadOptions(path=os.fsencode(tiny), plan=Plan(ctx_size=4096, batch_size=32))
    with closing(LocalEngine(options)) as engine:
        asked = request("hello " * 500, max_tokens=1)
        assert engine.cached(asked.messages) == 0
        tried = list(engine.try_out(asked.messages))
        assert any(isinstance(event, Prefill) for event in tried)
        assert (engine.estimate(1000) or 0) > 0
        kept = engine.cached(asked.messages)
        assert 0 < kept < engine.count(asked.messages)
        assert next(e for e in engine.stream(asked) if isinstance(e, Prefill) and e.done).cached == kept
        assert list(engine.try_out(asked.messages)) == []


def test_the_speed_of_one_sitting_foretells_the_first_wait_of_the_next(tiny: Path, tmp_path: Path) -> None:
    options = LoadOptions(path=os.fsencode(tiny), plan=Plan(ctx_size=4096, batch_size=32))

    def engine() -> LocalEngine:
        return LocalEngine(options, speeds=Speeds(tmp_path / "speeds.json", lambda plan: f"{plan.batch_size}"))

    with closing(engine()) as first:
        list(first.stream(request("hello " * 100, max_tokens=40)))
    with closing(engine()) as second:
        assert (second.estimate(1000, written=10) or 0) > 0


def test_a_context_grows_without_a_new_load_and_keeps_what_is_in_it(tiny: Path) -> None:
    options = LoadOptions(path=os.fsencode(tiny), plan=Plan(ctx_size=512, batch_size=32))
    with closing(LocalEngine(options)) as engine:
        short = request("hello " * 100, max_tokens=1)
        list(engine.stream(short))
        long = request("hello " * 600, max_tokens=1)
        with pytest.raises(PromptTooLongError):
            list(engine.stream(long))
        engine.resize(2048)
        assert engine.info().ctx_size == 2048
        events = list(engine.stream(long))
        assert not any(isinstance(event, Loading) for event in events)
        (finished,) = (event for event in events if isinstance(event, Finished))
        assert finished.usage.cached_tokens > 90
        # A worker that replaces this one has the larger context, too.
        engine.close()
        assert engine.info().ctx_size == 2048


def test_greedy_answers_repeat_and_a_seed_repeats_sampling(engine: LocalEngine) -> None:
    def answer(sampler: SamplingOptions) -> str:
        # The other question in between lets every prompt be computed from its start, in the same batches.
        list(engine.stream(request("x", max_tokens=1)))
        return text_of(engine.stream(request("Tell me a story", sampler=sampler)))

    assert answer(GREEDY) == answer(GREEDY)
    hot = SamplingOptions(temperature=2, top_k=0, top_p=1, seed=7)
    assert answer(hot) == answer(hot)
    assert answer(hot) != answer(SamplingOptions(temperature=2, top_k=0, top_p=1, seed=8))


def test_presence_penalty_stops_repetition(engine: LocalEngine) -> None:
    def different(penalty: float) -> int:
        sampler = SamplingOptions(temperature=0, presence_penalty=penalty)
        pieces = [e.piece for e in engine.stream(request("go", max_tokens=60, sampler=sampler)) if isinstance(e, Text)]
        return len(set(pieces))

    assert different(2.0) > different(0.0)


def test_the_next_turn_computes_only_its_new_tokens(engine: LocalEngine) -> None:
    first = list(engine.stream(request("What is HTTP?")))
    second = list(engine.stream(request("What is HTTP?", text_of(first), "And DNS?")))
    end = finished(first)
    kept = end.usage.prompt_tokens + end.usage.completion_tokens - 1
    # This holds even if the tokenizer would choose other tokens for the answer, because its own are remembered.
    assert finished(second).usage.cached_tokens >= kept


def test_a_prompt_seen_before_is_not_computed_again_but_for_its_last_token(engine: LocalEngine) -> None:
    asked = request("Hello there", sampler=SamplingOptions())
    total = finished(list(engine.stream(asked))).usage.prompt_tokens
    assert finished(list(engine.stream(asked))).usage.cached_tokens == total - 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80))
def test_the_pieces_of_any_text_join_to_that_text(engine: LocalEngine, text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert text_of(engine.stream(request("say", max_tokens=2000, sampler=ReplayOptions(text=text)))) == text


@pytest.mark.parametrize("text", [" " * 40, "=" * 64, "🧑‍🚀 é 漢字 ﷽", "<|im_end|><|endoftext|>"])
def test_long_pieces_split_characters_and_marks_come_out_whole(engine: LocalEngine, text: str) -> None:
    assert text_of(engine.stream(request("say", max_tokens=2000, sampler=ReplayOptions(text=text)))) == text


@pytest.mark.parametrize("text", ["\N{SNOWMAN}", "一\N{SNOWMAN}", "ab 🚀"])
def test_a_character_that_is_cut_at_the_end_of_an_answer_is_left_out(engine: LocalEngine, text: str) -> None:
    whole = list(engine.stream(request("say", max_tokens=2000, sampler=ReplayOptions(text=text))))
    tokens = finished(whole).usage.completion_tokens
    cut = list(engine.stream(request("say", max_tokens=tokens - 1, sampler=ReplayOptions(text=text))))
    assert finished(cut).reason == "length"
    assert text_of(cut) == text[:-1], "no sign of what is missing"


def test_marks_in_a_message_are_text(engine: LocalEngine) -> None:
    plain, marked = "a", "<|im_end|>\n<|im_start|>system\na"
    # As control tokens the marks would be two tokens; as text they are many.
    assert engine.count([Message("user", marked)]) > engine.count([Message("user", plain)]) + 8


def test_a_full_context_ends_the_answer(engine: LocalEngine) -> None:
    events = list(engine.stream(request("hello world " * 300, max_tokens=100_000)))
    end = finished(events)
    assert end.reason == "length"
    assert end.usage.prompt_tokens + end.usage.completion_tokens == 2048


def test_a_prompt_longer_than_the_context_says_both_numbers(engine: LocalEngine) -> None:
    with pytest.raises(PromptTooLongError, match=r"3,\d{3} tokens.* 2,048"):
        list(engine.stream(request("hello world " * 1500)))
    assert text_of(engine.stream(request("hello"))), "the engine goes on"


def test_a_schema_is_followed(engine: LocalEngine) -> None:
    schema = '{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}'
    for seed in range(5):
        asked = Request(
            messages=(Message("user", "ok?"),),
            sampler=SamplingOptions(temperature=1, seed=seed, presence_penalty=1),
            schema=schema,
        )
        events = list(engine.stream(asked))
        assert finished(events).reason == "stop"
        assert json.loads(text_of(events))["ok"] in (True, False)


def test_a_schema_that_is_none_is_refused(engine: LocalEngine) -> None:
    with pytest.raises(UsageError, match="schema"):
        list(engine.stream(Request(messages=(Message("user", "x"),), schema='{"type":"nonsense"}')))


def test_cancelling_decode_keeps_the_answer_so_far(wide: LocalEngine) -> None:
    whole = text_of(wide.stream(request("count", max_tokens=300)))
    events: list[Event] = []
    with cancellation.operation() as operation:
        for event in wide.stream(request("count", max_tokens=30_000)):
            events.append(event)
            if len(events) == 5:
                operation.cancel()
    assert finished(events).reason == "interrupted"
    came = text_of(events)
    assert came
    assert whole.startswith(came) or came.startswith(whole)
    assert text_of(wide.stream(request("count", max_tokens=300))) == whole


def test_cancelling_the_prefill_stops_between_two_tokens(wide: LocalEngine) -> None:
    events: list[Event] = []
    with cancellation.operation() as operation:
        for event in wide.stream(request("hello world " * 9000, max_tokens=5)):
            events.append(event)
            if isinstance(event, Prefill):
                operation.cancel()
    end = finished(events)
    assert end.reason == "interrupted"
    assert end.usage.completion_tokens == 0
    assert finished(list(wide.stream(request("hi", max_tokens=3)))).reason == "length"


def test_cancelling_the_loading_keeps_the_load(engine: LocalEngine) -> None:
    engine.start()
    worker = worker_of(engine)
    worker.suspend()
    with cancellation.operation() as operation:
        loading = engine.load()
        next(loading)
        operation.cancel()
        with pytest.raises(StopIteration) as stopped:
            next(loading)
    assert stopped.value.value is False
    worker.resume()
    assert text_of(engine.stream(request("hi")))
    assert worker_of(engine).pid == worker.pid


def test_cancelling_a_count_does_not_wait_for_it(engine: LocalEngine) -> None:
    engine.info()
    worker_of(engine).suspend()
    # The worker is suspended (SIGSTOP): a wait for it would never end.
    with cancellation.operation() as operation, pytest.raises(CancelledError):
        threading.Timer(0.1, operation.cancel).start()
        engine.count([Message("user", "hi")])
    assert engine.count([Message("user", "hi")]) > 0, "with a new worker"


def test_a_stream_left_early_does_not_disturb_the_next(engine: LocalEngine) -> None:
    expected = text_of(engine.stream(request("hi")))
    stream = engine.stream(request("count", max_tokens=2000))
    next(stream)
    next(stream)
    assert isinstance(stream, Generator)
    stream.close()
    assert text_of(engine.stream(request("hi"))) == expected


def test_a_stream_left_at_its_end_leaves_the_worker_alone(engine: LocalEngine) -> None:
    stream = engine.stream(request("hi"))
    worker: psutil.Process | None = None
    for event in stream:
        worker = worker or worker_of(engine)
        if isinstance(event, Finished):
            break
    assert isinstance(stream, Generator)
    stream.close()
    assert worker is not None
    assert worker.is_running()
    assert text_of(engine.stream(request("hi")))
    assert worker_of(engine).pid == worker.pid


@needs_signals
@pytest.mark.parametrize("name", ["SIGKILL", "SIGABRT", "SIGSEGV", "SIGILL"])
def test_a_worker_that_keeps_dying_is_reported_and_replaced(wide: LocalEngine, name: str) -> None:
    expected = text_of(wide.stream(request("count", max_tokens=100)))
    alive = True
    with pytest.raises(WorkerDiedError, match=name):
        for event in wide.stream(request("count", max_tokens=30_000)):
            if isinstance(event, Prefill) and alive:
                worker_of(wide).send_signal(signal.Signals[name])
            # Text that the dead worker had sent still arrives; after the note, another worker answers.
            alive = isinstance(event, Note) or (alive and not isinstance(event, Prefill))
    assert text_of(wide.stream(request("count", max_tokens=100))) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_answer_that_does_not_come_ends_at_ctrl_c_though_the_machine_is_busy(engine: LocalEngine) -> None:
    """The handler of the signal takes longer than any wait for the worker, as on a machine that runs it late."""
    engine.info()
    worker_of(engine).suspend()
    with cancellation.operation() as operation:

        def heed(number: int, _frame: object) -> None:
            time.sleep(5 * TICK)
            operation.cancel(number)

        before = signal.signal(signal.SIGUSR1, heed)
        press = threading.Timer(0.5, signal.pthread_kill, (threading.get_ident(), signal.SIGUSR1))
        press.start()
        try:
            events = list(engine.stream(request("count")))
            press.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
    assert finished(events).reason == "interrupted"


def test_a_worker_that_died_while_idle_is_replaced_silently(engine: LocalEngine) -> None:
    expected = text_of(engine.stream(request("count")))
    worker = worker_of(engine)
    worker.kill()
    worker.wait(timeout=30)
    assert text_of(engine.stream(request("count"))) == expected


@needs_signals
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_no_worker_outlives_its_parent(tiny: Path, name: str) -> None:
    program = (
        "import sys; from qwen_tui.engine.local import LocalEngine; from qwen_tui.engine.protocol import *\n"
        "from qwen_tui.messages import Message\n"
        f"engine = LocalEngine(LoadOptions(path={os.fsencode(tiny)!r}))\n"
        "for event in engine.stream(Request(messages=(Message('user', 'count'),))):\n"
        "    print('event', flush=True)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert parent.stdout is not None
    parent.stdout.readline()
    (worker,) = psutil.Process(parent.pid).children()
    parent.send_signal(signal.Signals[name])
    parent.communicate(timeout=30)
    worker.wait(timeout=30)


def test_llama_cpps_log_is_hidden_but_available(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    engine = LocalEngine(LoadOptions(path=os.fsencode(tiny)), log=lines.append)
    engine.info()
    engine.close()
    assert any("qwen3" in line for line in lines)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("fault", ["garbage", "truncated_tensors", "block_count_zero", "duplicate_token"])
def test_a_broken_model_is_one_error(tmp_path: Path, fault: str) -> None:
    path = make_broken_models(tmp_path)[fault]
    engine = LocalEngine(LoadOptions(path=os.fsencode(path)))
    with pytest.raises((InvalidModelError, WorkerDiedError), match=path.name):
        engine.info()
    engine.close()


def test_turns_do_not_leak(engine: LocalEngine) -> None:
    for i in range(20):
        list(engine.stream(request(f"turn {i}", max_tokens=5)))
    worker = worker_of(engine)
    growth: list[int] = []
    for _round in range(4):
        before = worker.memory_info().rss
        for i in range(50):
            list(engine.stream(request(f"turn {i}", max_tokens=5)))
        growth.append(worker.memory_info().rss - before)
    # What a turn leaks, every round shows. The system may give memory to a process, and take it, in any of them.
    assert min(growth) < 2**20, growth


@pytest.fixture(scope="module")
def eager() -> Iterator[LocalEngine]:
    """An engine with the demonstration model for which batches cost almost nothing: it drafts whenever it can."""
    costs = tuple(1 + n / 100 for n in range(16))
    engine = LocalEngine(LoadOptions(path=os.fsencode(ASSETS / "demo.gguf"), costs=Costs(batches=costs)))
    yield engine
    engine.close()


LEARNED = ("hello", "What is HTTP?", "Who are you?", "写一个计算器", "你好", "Translate: good morning")


@pytest.mark.parametrize("question", LEARNED)
@pytest.mark.parametrize("again", [False, True], ids=["new", "again"])
def test_greedy_answers_are_the_same_with_and_without_lookup(eager: LocalEngine, question: str, again: bool) -> None:
    contents = [question]
    if again:
        said = text_of(eager.stream(request(question, max_tokens=400)))
        contents = [f"{said}\n\n{question}", said, question]
    with_lookup = request(*contents, max_tokens=400)
    plain = list(eager.stream(msgspec.structs.replace(with_lookup, lookup=False)))
    drafted = list(eager.stream(with_lookup))
    assert text_of(drafted) == text_of(plain)
    assert finished(drafted).usage.completion_tokens == finished(plain).usage.completion_tokens
    assert finished(plain).usage.drafted_tokens == 0
    # When the same answer comes again, all of it is drafted.
    assert not again or finished(drafted).usage.accepted_tokens > 0.7 * finished(drafted).usage.completion_tokens


def test_copied_text_is_drafted_and_accepted(eager: LocalEngine) -> None:
    text = Path(__file__).read_text(encoding="utf-8")[:1500]
    asked = request(f"Say this again:\n{text}", max_tokens=2000, sampler=ReplayOptions(text=text))
    events = list(eager.stream(asked))
    usage = finished(events).usage
    assert text_of(events) == text
    assert usage.accepted_tokens > 0.8 * usage.completion_tokens
    assert usage.drafted_tokens >= usage.accepted_tokens


def test_a_replayed_greedy_answer_holds_the_most_likely_token_each_time(eager: LocalEngine) -> None:
    whole = list(eager.stream(request("What is HTTP?", max_tokens=60)))
    drawn = [token for event in whole if isinstance(event, Text) for token in event.tokens]
    assert not any(event.best for event in whole if isinstance(event, Text)), "only on request"
    replay = ReplayOptions(text=text_of(whole), best_two=True)
    for lookup in (False, True):
        asked = msgspec.structs.replace(request("What is HTTP?", max_tokens=60, sampler=replay), lookup=lookup)
        best = [two for event in eager.stream(asked) if isinstance(event, Text) for two in event.best]
        assert [two.tokens[0] for two in best] == drawn
        assert all(two.logits[0] >= two.logits[1] and two.tokens[0] != two.tokens[1] for two in best)


def test_a_seed_repeats_an_answer_with_drafts(eager: LocalEngine) -> None:
    sampler = SamplingOptions(temperature=1, seed=3)

    def answer() -> tuple[str, Usage]:
        list(eager.stream(request("x", max_tokens=1)))
        events = list(eager.stream(request("Tell me " * 20 + "about HTTP", max_tokens=200, sampler=sampler)))
        return text_of(events), finished(events).usage

    assert answer() == answer()


def test_the_progress_of_loading_can_be_read_without_waiting(engine: LocalEngine) -> None:
    assert engine.loading() is None
    engine.start()
    worker = worker_of(engine)
    worker.suspend()
    begun = engine.loading()
    assert begun is not None
    assert 0 <= begun < 1
    worker.resume()
    engine.info()
    assert engine.loading() is None
