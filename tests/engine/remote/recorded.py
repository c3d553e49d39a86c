"""What each kind of server sends for the same question, written down by the formats in their documentation."""

from typing import Any, NamedTuple


class Recorded(NamedTuple):
    """The stream of a `kind` of server, how it lists its model, and what it must come to.

    `prompt` and `completion` are the tokens that it bills.
    """

    kind: str
    model: dict[str, Any]
    stream: str
    text: str = "Paris, 巴黎 😀."
    reasoning: str = ""
    reason: str = "stop"
    prompt: int = 21
    cached: int = 0
    completion: int = 6


_HEAD = '"id":"chatcmpl-7","object":"chat.completion.chunk","created":1795729907,"model":"tiny"'

RECORDED = [
    Recorded(
        "llama.cpp",
        {"id": "tiny", "object": "model", "owned_by": "llamacpp", "meta": {"n_ctx_train": 40960}},
        f"""\
data: {{"choices":[{{"finish_reason":null,"index":0,"delta":{{"role":"assistant","content":null}}}}],{_HEAD},"prompt_progress":{{"total":21,"cache":4,"processed":4,"time_ms":1}}}}

data: {{"choices":[{{"finish_reason":null,"index":0,"delta":{{}}}}],{_HEAD},"prompt_progress":{{"total":21,"cache":4,"processed":21,"time_ms":90}}}}

data: {{"choices":[{{"finish_reason":null,"index":0,"delta":{{"reasoning_content":"The capital"}}}}],{_HEAD}}}

data: {{"choices":[{{"finish_reason":null,"index":0,"delta":{{"reasoning_content":" of France."}}}}],{_HEAD}}}

data: {{"choices":[{{"finish_reason":null,"index":0,"delta":{{"content":"Paris, 巴黎"}}}}],{_HEAD}}}

data: {{"choices":[{{"finish_reason":null,"index":0,"delta":{{"content":" 😀."}}}}],{_HEAD}}}

data: {{"choices":[{{"finish_reason":"stop","index":0,"delta":{{}}}}],{_HEAD}}}

data: {{"choices":[],{_HEAD},"usage":{{"completion_tokens":6,"prompt_tokens":21,"total_tokens":27,"prompt_tokens_details":{{"cached_tokens":4}}}},"timings":{{"cache_n":4,"prompt_n":17,"prompt_ms":85.0,"prompt_per_token_ms":5.0,"prompt_per_second":200.0,"predicted_n":6,"predicted_ms":120.0,"predicted_per_token_ms":20.0,"predicted_per_second":50.0}}}}

data: [DONE]

""",
        reasoning="The capital of France.",
        cached=4,
    ),
    Recorded(
        "vLLM",
        {"id": "tiny", "object": "model", "owned_by": "vllm", "root": "tiny", "max_model_len": 32768},
        f"""\
data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"role":"assistant","content":""}},"logprobs":null,"finish_reason":null}}],"prompt_token_ids":null}}

data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"reasoning":"The capital of France.","reasoning_content":"The capital of France."}},"logprobs":null,"finish_reason":null,"token_ids":null}}]}}

data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"content":"Paris, 巴黎 😀"}},"logprobs":null,"finish_reason":null,"token_ids":null}}]}}

data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"content":"."}},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":null}}]}}

data: {{{_HEAD},"choices":[],"usage":{{"prompt_tokens":21,"total_tokens":27,"completion_tokens":6,"prompt_tokens_details":{{"cached_tokens":16}}}}}}

data: [DONE]

""",
        reasoning="The capital of France.",
        cached=16,
    ),
    Recorded(
        "SGLang",
        {"id": "tiny", "object": "model", "owned_by": "sglang", "root": "tiny", "max_model_len": 40960},
        f"""\
data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"role":"assistant","content":"","reasoning_content":null,"tool_calls":null}},"logprobs":null,"finish_reason":null,"matched_stop":null}}],"usage":null}}

data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"role":null,"content":"Paris, 巴黎 😀.","reasoning_content":null,"tool_calls":null}},"logprobs":null,"finish_reason":null,"matched_stop":null}}],"usage":null}}

data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"role":null,"content":null,"reasoning_content":null,"tool_calls":null}},"logprobs":null,"finish_reason":"length","matched_stop":null}}],"usage":null}}

data: {{{_HEAD},"choices":[],"usage":{{"prompt_tokens":21,"total_tokens":27,"completion_tokens":6,"prompt_tokens_details":null,"reasoning_tokens":0}}}}

data: [DONE]

""",
        reason="length",
    ),
    Recorded(
        "ollama",
        {"id": "tiny", "object": "model", "created": 1795729907, "owned_by": "library"},
        f"""\
data: {{{_HEAD},"system_fingerprint":"fp_ollama","choices":[{{"index":0,"delta":{{"role":"assistant","content":"","reasoning":"The capital of "}},"finish_reason":null}}]}}

data: {{{_HEAD},"system_fingerprint":"fp_ollama","choices":[{{"index":0,"delta":{{"role":"assistant","content":"","reasoning":"France."}},"finish_reason":null}}]}}

data: {{{_HEAD},"system_fingerprint":"fp_ollama","choices":[{{"index":0,"delta":{{"role":"assistant","content":"Paris, 巴黎 😀."}},"finish_reason":null}}]}}

data: {{{_HEAD},"system_fingerprint":"fp_ollama","choices":[{{"index":0,"delta":{{"role":"assistant","content":""}},"finish_reason":"stop"}}]}}

data: {{{_HEAD},"system_fingerprint":"fp_ollama","choices":[],"usage":{{"prompt_tokens":21,"completion_tokens":6,"total_tokens":27}}}}

data: [DONE]

""",
        reasoning="The capital of France.",
    ),
    Recorded(
        "LM Studio",
        {"id": "tiny", "object": "model", "owned_by": "organization_owner"},
        f"""\
data: {{{_HEAD},"system_fingerprint":"tiny","choices":[{{"index":0,"delta":{{"role":"assistant","content":"Paris, "}},"logprobs":null,"finish_reason":null}}]}}

data: {{{_HEAD},"system_fingerprint":"tiny","choices":[{{"index":0,"delta":{{"content":"巴黎 😀."}},"logprobs":null,"finish_reason":null}}]}}

data: {{{_HEAD},"system_fingerprint":"tiny","choices":[{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"stop"}}]}}

data: {{{_HEAD},"system_fingerprint":"tiny","choices":[],"usage":{{"prompt_tokens":21,"completion_tokens":6,"total_tokens":27}}}}

data: [DONE]

""",
    ),
    Recorded(
        "llama-cpp-python",
        {"id": "tiny", "object": "model", "owned_by": "me", "permissions": []},
        f"""\
data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"role":"assistant"}},"logprobs":null,"finish_reason":null}}]}}

: ping - 2026-11-26 21:00:00.000000

data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"content":"Paris, "}},"logprobs":null,"finish_reason":null}}]}}

data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"content":"巴黎 😀."}},"logprobs":null,"finish_reason":null}}]}}

data: {{{_HEAD},"choices":[{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"stop"}}]}}

data: [DONE]

""".replace("\n", "\r\n"),
        # This one bills nothing: the prompt is estimated, and each piece of the answer counts as a token.
        prompt=23,
        completion=2,
    ),
    Recorded(
        # A gateway: it keeps the connection open with comments, writes half characters, and ends with the usage.
        "other",
        {"id": "tiny", "object": "model", "owned_by": "openai"},
        f"""\
: OPENROUTER PROCESSING

event: message
data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"role":"assistant","content":"Paris, \\u5df4\\u9ece \\ud83d"}},"finish_reason":null}}]}}

event: message
data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"content":"\\ude00."}},"finish_reason":null}}]}}

data: {{{_HEAD},"choices":[{{"index":0,"delta":{{"content":""}},"finish_reason":"stop","native_finish_reason":"stop"}}],"usage":{{"prompt_tokens":21.0,"completion_tokens":6,"total_tokens":27,"cost":0.0001}}}}

""",
    ),
]
