"""Ask this engine and, through the engine for servers, llama.cpp's own server the same questions, and compare.

    python scripts/stress/parity.py MODEL --llama-server PATH [--tokens 48] [--threads N]

Both answer greedily on this computer, one after the other, with the same ubatch, KV type, threads and system prompt,
and without flash attention. Build the server from the source distribution of llama-cpp-python, so that both run the
same code. The model must use ChatML and know English, such as SmolLM2-135M-Instruct.

At the first token that differs, the script shows the margin: by how much the logit of our token exceeds that of the
server's token, and the spread of all logits there. A small margin is a near tie, which another order of additions
decides. For the server, special tokens in a question are control tokens; here they are plain text. So these questions
are marked. Exits with 1 if any other answer differs by more than a near tie.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import qwen_tui.servers
from qwen_tui.columns import markdown_table
from qwen_tui.engine.protocol import LoadOptions, Request, SamplingOptions
from qwen_tui.engine.remote.endpoint import Endpoint
from qwen_tui.engine.remote.engine import RemoteEngine
from qwen_tui.engine.worker.lookup import NoDrafts
from qwen_tui.hardware.machine import physical_cores
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Finished, Message, Text
from scripts.command_line import command_line, report_progress
from scripts.stress.first_difference import Answers, Difference, describe

SYSTEM = "You are a helpful assistant."
# The last three questions contain text that the server takes for control tokens.
QUESTIONS = (
    "What is the capital of France?",
    "Why is the sky blue?",
    "List three fruits.",
    "Write a Python function that adds two numbers.",
    "Explain HTTP to a pupil in two sentences.",
    "Who wrote Romeo and Juliet?",
    "Translate 'good morning' into French.",
    "What is 7 times 8?",
    "Write a short mail that moves a meeting to Friday.",
    "Summarise: The cat sat on the mat. The dog barked. The cat ran away.",
    "What is photosynthesis?",
    "Give me a recipe for pancakes.",
    "Name the planets of the solar system.",
    "Write a haiku about rain.",
    "What does `ls -l` do?",
    "Correct this: he go to school yesterday.",
    "   blanks   and\n\nempty lines\n",
    "An emoji 😀 and an umlaut: Küche.",
    "Repeat this text: <|im_end|> and on.",
    "What does <|im_start|>system mean?",
    "Is <|endoftext|> a word?",
)
CONTROL = ("<|im_end|>", "<|im_start|>", "<|endoftext|>")
# If two logits differ by less than this share of the spread of all logits, rounding decides between them.
NEAR = 0.01
PATIENCE = 120.0
STEP = 128
CONTEXT = 2048


class Server(NamedTuple):
    """A llama-server that listens on this computer."""

    address: str

    def answer(self, question: str, tokens: int) -> tuple[str, int]:
        """Return the server's greedy answer, and the number of its prompt tokens."""
        engine = RemoteEngine(Endpoint("parity", qwen_tui.servers.Server(url=self.address, patience=PATIENCE)))
        asked = Request(
            messages=(Message("system", SYSTEM), Message("user", question)),
            sampler=SamplingOptions(temperature=0),
            max_tokens=tokens,
        )
        text, billed = "", 0
        for event in engine.stream(asked):
            if isinstance(event, Text):
                text += event.piece
            elif isinstance(event, Finished):
                billed = event.usage.prompt_tokens
        return text, billed


@contextmanager
def serving(program: Path, model: Path, threads: int) -> Iterator[Server]:
    """Run the server with our settings during the block."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    arguments = [
        *("--host", "127.0.0.1", "--port", str(port), "-m", str(model), "-c", str(CONTEXT), "-np", "1"),
        *("-t", str(threads), "-tb", str(threads), "-b", str(STEP), "-ub", str(STEP)),
        *("-fa", "off", "-ctk", "f16", "-ctv", "f16", "--no-repack", "--no-cache-prompt"),
        *("--chat-template", "chatml", "-ngl", "0"),
    ]
    process = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = Server(f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + PATIENCE
        while not _is_ready(server):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{program} does not answer; its options may have changed: {' '.join(arguments)}")
            time.sleep(0.2)
        yield server
    finally:
        process.kill()
        process.wait()


def _is_ready(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"{server.address}/health", timeout=1) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def ours(answers: Answers, question: str, tokens: int) -> tuple[str, list[int], list[int]]:
    """Return our greedy answer as text and as tokens, and the tokens of its prompt."""
    prompt = list(answers.prompt(question, SYSTEM))
    drawn, *_counts = answers.answer(prompt, tokens, NoDrafts())
    return answers.text(drawn), drawn, prompt


def parting(answers: Answers, prompt: list[int], drawn: list[int], theirs: str) -> Difference | None:
    """Return where the server's text differs from our tokens, with the margin; None if only the tokens differ."""
    return answers.difference(prompt, drawn, answers.tokens(theirs))


def main() -> int:
    """Ask both, print a table, and return the exit code."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--llama-server", type=Path, required=True, help="the program, built from the same llama.cpp")
    parser.add_argument("--tokens", type=int, default=48, help="of each answer (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=physical_cores(), help="default: the physical cores")
    arguments = parser.parse_args()
    with serving(arguments.llama_server, arguments.model, arguments.threads) as server:
        told = [server.answer(question, arguments.tokens) for question in QUESTIONS]
    options = LoadOptions(
        path=os.fsencode(arguments.model),
        plan=Plan(threads=arguments.threads, batch_threads=arguments.threads, ctx_size=CONTEXT, batch_size=STEP),
    )
    answers = Answers(options)
    rows, failed = [], False
    for question, (theirs, their_prompt) in zip(QUESTIONS, told, strict=True):
        text, drawn, prompt = ours(answers, question, arguments.tokens)
        control = any(mark in question for mark in CONTROL)
        equal = text.strip() == theirs.strip()
        parted = None if equal else parting(answers, prompt, drawn, theirs)
        near = parted is None or abs(parted.margin) <= NEAR * parted.spread
        failed |= not (equal or control or near)
        rows.append(
            [
                question.splitlines()[0][:40] + (" (control token)" if control else ""),
                "equal" if len(prompt) == their_prompt else f"{len(prompt)} and {their_prompt}",
                "equal" if equal else describe(parted) if parted else "the text alone",
            ]
        )
        report_progress(" | ".join(rows[-1]))
        if not equal:
            report_progress(f"  ours:   {text!r}\n  theirs: {theirs!r}")
    print(markdown_table(["question", "prompt tokens", "answer"], rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
