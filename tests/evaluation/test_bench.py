"""`qwen bench`, the whole program and its parts."""

import json
import os
import sys
from pathlib import Path

import pytest

from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions
from qwen_tui.errors import UsageError
from qwen_tui.evaluation import llama_bench
from qwen_tui.evaluation.measuring import samples
from qwen_tui.hardware.plan import Plan
from tests.conftest import Run

QUICK = ("--quick", "--threads", "1")

# Prints what llama-bench prints: two speeds for every depth.
FAKE = """\
import json, sys
flags = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert flags["-t"].isdecimal() and flags["-fa"] in ("on", "off") and flags["-o"] == "json"
tests = [(int(flags["-p"]), 0)] if flags["-p"] != "0" else [(0, int(flags["-n"]))]
print(json.dumps([
    {"n_prompt": p, "n_gen": n, "n_depth": int(d), "avg_ts": 100.0} for p, n in tests for d in flags["-d"].split(",")
]))
"""


@pytest.fixture
def yardstick(tmp_path: Path) -> Path:
    """A script in the place of llama-bench."""
    (tmp_path / "fake.py").write_text(FAKE)
    program = tmp_path / "llama-bench"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/fake.py" "$@"\n')
    program.chmod(0o700)
    return program


def test_one_json_object_with_every_figure(qwen: Run, tiny: Path) -> None:
    done = qwen("bench", "-m", tiny, *QUICK, "--json", env={**os.environ, "PATH": ""})
    assert done.returncode == 0, done.stderr.decode()
    figures = json.loads(done.stdout)
    measured = [(speed["what"], speed["depth"]) for speed in figures["speeds"]]
    assert measured == [("prompt", 0), ("answer", 0), ("prompt", 256), ("answer", 256)]
    assert all(speed["ours"][0] > 0 and speed["theirs"] == [] for speed in figures["speeds"])
    assert figures["first_token"]["prompt_tokens"] == 128
    assert figures["first_token"]["cold_s"] > 0
    assert figures["first_token"]["restored_tokens"] == 127
    assert figures["drafting"][0]["sample"] == "proofread-en"
    # The number of drafted tokens depends on the speed of batches on this machine. On a busy one, none may pay.
    drafting = figures["drafting"][0]
    assert 0 < drafting["accepted"] <= drafting["drafted"] or drafting["drafted"] == 0
    assert figures["peak_memory"] > 10_000_000
    assert figures["conditions"]["model"] == tiny.name
    assert str(tiny.parent) not in done.stdout.decode()


def test_the_table_has_llama_bench_beside_our_figures(qwen: Run, tiny: Path, yardstick: Path) -> None:
    done = qwen("bench", "-m", tiny, *QUICK, "--llama-bench", yardstick, "--depths", "64,0", "--rounds", "2")
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stdout.decode().splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[2:5]] == ["qwen-tui", "llama-bench", "ratio"]
    assert [line.split("|")[3].strip() for line in lines[2:6]] == ["100.00 (100.00–100.00)"] * 4
    assert "depth 0" in lines[2]
    assert "depth 64" in lines[4]
    assert b"round 2 of 2" in done.stderr


def test_a_failed_measurement_is_reported(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    missing = qwen("bench", "-m", tiny, *QUICK, "--llama-bench", "nowhere/llama-bench")
    assert missing.returncode == 2
    assert b"There is no program nowhere/llama-bench." in missing.stderr
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'unknown option' >&2\nexit 1\n")
    broken.chmod(0o700)
    failed = qwen("bench", "-m", tiny, *QUICK, "--llama-bench", broken)
    assert failed.returncode == 1
    assert b"llama-bench failed: unknown option" in failed.stderr
    assert qwen("bench", "-m", tiny, "--depths", "deep").returncode == 2


def test_llama_bench_is_asked_for_our_settings(yardstick: Path) -> None:
    options = LoadOptions(path=b"model.gguf", plan=Plan(threads=4, batch_threads=8, flash_attention=True))
    assert llama_bench.speeds(yardstick, options, 64, 8, (0, 32)) == {
        ("prompt", 0): 100.0,
        ("prompt", 32): 100.0,
        ("answer", 0): 100.0,
        ("answer", 32): 100.0,
    }
    with pytest.raises(UsageError):
        llama_bench.find("nowhere")


def test_the_worker_times_batches_and_leaves_what_it_has_computed(engine: LocalEngine) -> None:
    for depth in (0, 100):
        seconds = engine.batch_seconds((1, 2, 16), depth)
        assert len(seconds) == 3
        assert all(0 < each < 10 for each in seconds)


def test_there_are_samples_of_six_kinds_in_both_languages() -> None:
    names = [sample.name for sample in samples()]
    assert len(names) == len(set(names)) == 12
    kinds = {name.rpartition("-")[0] for name in names}
    assert {f"{kind}-{language}" for kind in kinds for language in ("en", "zh")} == set(names)
    assert all(sample.prompt.strip() and sample.answer.strip() for sample in samples())
