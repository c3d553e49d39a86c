"""What each kind of server is sent, what it tells of its context, and how tokens are counted."""

import json
from typing import Any

import pytest

from qwen_tui.engine.protocol import SamplingOptions
from qwen_tui.errors import PromptTooLongError
from qwen_tui.messages import Message, Note
from tests.engine.remote.fake_server import Reply, as_reply, said, serving
from tests.engine.remote.test_answers import ASKED, engine_of, request

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
OWNERS = {
    "llama.cpp": "llamacpp",
    "llama-cpp-python": "me",
    "vLLM": "vllm",
    "SGLang": "sglang",
    "ollama": "library",
    "LM Studio": "organization_owner",
    "other": "openai",
}


def body_for(kind: str, **given: Any) -> Any:
    with serving(models=[{"id": "tiny", "owned_by": OWNERS[kind]}]) as server:
        list(engine_of(server, key="sk-1").stream(request(**given)))
        sent = server.questions[0]
    assert sent.headers["authorization"] == "Bearer sk-1"
    assert sent.headers["accept"] == "text/event-stream"
    return sent.body


def test_what_every_server_is_sent() -> None:
    body = body_for("other", sampler=SamplingOptions(temperature=0.3, seed=7, presence_penalty=1.0), max_tokens=9)
    assert body == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.3,
        "top_p": 0.8,
        "seed": 7,
        "presence_penalty": 1.0,
        "max_tokens": 9,
    }


@pytest.mark.parametrize("kind", OWNERS)
def test_more_ways_to_sample_go_to_those_who_know_them(kind: str) -> None:
    body = body_for(kind, sampler=SamplingOptions(top_k=0, min_p=0.1))
    knows = kind not in ("ollama", "other")
    assert body.get("min_p") == (0.1 if knows else None)
    assert body.get("top_k") == (None if not knows else -1 if kind == "SGLang" else 0)
    assert ("return_progress" in body) == (kind == "llama.cpp")


def test_what_is_not_sent_although_the_person_set_it_is_said_once() -> None:
    with serving(models=[{"id": "tiny", "owned_by": "library"}]) as server:
        engine = engine_of(server)
        asked = request(sampler=SamplingOptions(top_k=5))
        notes = [[e.sentence for e in engine.stream(asked) if isinstance(e, Note)] for _time in range(2)]
    assert notes == [["lab is not known to take top_k: not sent."], []]


@pytest.mark.parametrize("kind", OWNERS)
def test_a_schema_goes_as_each_server_understands_it(kind: str) -> None:
    sent = body_for(kind, schema=json.dumps(SCHEMA))["response_format"]
    if kind == "llama-cpp-python":
        assert sent == {"type": "json_object", "schema": SCHEMA}
    else:
        assert sent == {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
        }


PROPS = {"default_generation_settings": {"n_ctx": 2048}, "total_slots": 6}
LOADED = {"models": [{"name": "tiny:latest", "model": "tiny:latest", "context_length": 16384}]}
SHOWN = {"parameters": 'stop  "<|im_end|>"\nnum_ctx    32768', "model_info": {"qwen3.context_length": 40960}}
TRAINED = {"parameters": "", "model_info": {"qwen3.context_length": 2048}}


@pytest.mark.parametrize(
    ("kind", "listed", "others", "context", "parallel"),
    [
        ("llama.cpp", {}, {"/props": PROPS}, 2048, 6),
        ("llama.cpp", {}, {}, 8192, 4),
        ("vLLM", {"max_model_len": 32768}, {}, 32768, 4),
        ("SGLang", {"max_model_len": 40960}, {}, 40960, 4),
        ("ollama", {}, {"/api/ps": LOADED, "/api/show": SHOWN}, 16384, 4),
        ("ollama", {}, {"/api/ps": {"models": []}, "/api/show": SHOWN}, 32768, 4),
        ("ollama", {}, {"/api/show": TRAINED}, 2048, 4),
        ("ollama", {}, {}, 4096, 4),
        ("LM Studio", {}, {"/api/v0/models/tiny": {"loaded_context_length": 4096, "max_context_length": 9}}, 4096, 4),
        ("LM Studio", {}, {"/api/v0/models/tiny": {"max_context_length": 32768}}, 32768, 4),
        ("other", {"context_length": 131072}, {}, 131072, 4),
        ("other", {"context_length": "many"}, {}, 8192, 4),
        # It stops an answer when another question comes.
        ("llama-cpp-python", {}, {}, 8192, 1),
    ],
)
def test_the_context_is_asked_of_the_server(
    kind: str, listed: dict[str, Any], others: dict[str, Any], context: int, parallel: int
) -> None:
    with serving(models=[{"id": "tiny", "owned_by": OWNERS[kind], **listed}]) as server:
        server.others |= others
        engine = engine_of(server)
        assert engine.info().ctx_size == context
        assert engine.parallel == parallel
        assert server.questions == []
        # What is set wins over what is told.
        assert engine_of(server, ctx_size=512).info().ctx_size == 512


@pytest.mark.parametrize(
    ("kind", "others", "tokens"),
    [
        (
            "llama.cpp",
            {"/apply-template": {"prompt": "<|im_start|>…"}, "/tokenize": {"tokens": [1, 2, 3, 4, 5]}},
            5,
        ),
        ("vLLM", {"/tokenize": {"count": 17, "max_model_len": 4096, "tokens": []}}, 17),
        ("llama-cpp-python", {"/extras/tokenize/count": {"count": 21}}, 21),
    ],
)
def test_tokens_are_counted_by_the_server(kind: str, others: dict[str, Any], tokens: int) -> None:
    with serving(models=[{"id": "tiny", "owned_by": OWNERS[kind]}]) as server:
        server.others |= others
        engine = engine_of(server)
        assert not engine.info().estimates
        assert engine.count(ASKED) == tokens
        sent = len(server.sent)
        assert engine.count(ASKED) == tokens
        assert len(server.sent) == sent


@pytest.mark.parametrize("kind", ["llama.cpp", "SGLang", "other"])
def test_where_nobody_counts_tokens_are_estimated_and_the_bills_teach(kind: str) -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 3000, "completion_tokens": 1}}
    answer = [*said("Yes", done=False), f"data: {json.dumps(usage)}\n\n".encode(), b"data: [DONE]\n\n"]
    long = (Message("user", "word " * 2000),)
    with serving(Reply(answer), models=[{"id": "tiny", "owned_by": OWNERS[kind]}]) as server:
        engine = engine_of(server)
        first = engine.count(long)
        assert engine.info().estimates
        assert 2000 <= first <= 4000
        list(engine.stream(request(messages=long)))
        assert abs(engine.count(long) - 3000) < 20


def test_a_prompt_that_cannot_fit_is_not_sent() -> None:
    with serving(models=[{"id": "tiny", "owned_by": "vllm", "max_model_len": 1000}]) as server:
        server.others["/tokenize"] = {"count": 1200}
        with pytest.raises(PromptTooLongError, match=r"1,200 tokens, and its context holds 1,000"):
            list(engine_of(server).stream(request()))
        assert server.questions == []


def test_ollama_cuts_silently_so_a_long_prompt_is_refused_by_estimate() -> None:
    with serving(models=[{"id": "tiny", "owned_by": "library"}]) as server:
        with pytest.raises(PromptTooLongError, match="by estimate"):
            list(engine_of(server).stream(request(messages=(Message("user", "word " * 20_000),))))
        assert server.questions == []


def test_a_gateway_without_a_list_is_asked_for_the_model_that_is_named() -> None:
    with serving() as server:
        server.others["/v1/models"] = as_reply({"error": "no"})._replace(status=404)
        engine = engine_of(server, model="big")
        list(engine.stream(request()))
        assert server.questions[0].body["model"] == "big"
