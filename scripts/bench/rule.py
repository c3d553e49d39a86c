"""Compare the plan by the rule with the best of a grid of plans on this PC, in a whole turn.

    python scripts/bench/rule.py MODEL [--rounds 3] [--read 1000] [--write 300] [--measured 24] [--pause 0]

The grid: weights mapped or repacked, with and without flash attention, each with the threads of the rule. In each round
every plan reads a new text of --read tokens and writes --measured tokens behind it, in changing order; the time of
--write tokens follows from these. A plan that dies here is named. The last column is the time of the turn as a part of
that with the best plan: the rule should stay under 1.05. --pause rests between two plans, in seconds.
"""

import os
import random
import time
from pathlib import Path
from statistics import median

import msgspec

from qwen_tui.columns import markdown_table
from qwen_tui.engine.local import LocalEngine
from qwen_tui.engine.protocol import LoadOptions, ReplayOptions, Request
from qwen_tui.errors import EngineError
from qwen_tui.evaluation.measuring import words
from qwen_tui.hardware.machine import default_plan, this_machine
from qwen_tui.hardware.plan import Plan
from qwen_tui.messages import Finished, Message
from scripts.command_line import command_line, report_progress

Speeds = tuple[float, float]


def main() -> None:
    """Measure every plan in each round, and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("model", type=Path, help="a GGUF file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--read", type=int, default=1000)
    parser.add_argument("--write", type=int, default=300)
    parser.add_argument("--measured", type=int, default=24, help="tokens that are really written")
    parser.add_argument("--pause", type=float, default=0.0)
    options = parser.parse_args()
    machine, rng = this_machine(), random.Random(17)
    rule = msgspec.structs.replace(default_plan(machine), ctx_size=4096)
    plans = {
        f"{'repacked' if repack else 'mapped'}, flash attention {'on' if flash else 'off'}": msgspec.structs.replace(
            rule, repack=repack, flash_attention=flash
        )
        for repack in (False, True)
        for flash in (False, True)
    }
    found: dict[str, list[Speeds]] = {name: [] for name in plans}
    died: dict[str, str] = {}
    for number in range(options.rounds):
        for name in rng.sample(sorted(set(plans) - set(died)), len(plans) - len(died)):
            text = words(options.read, rng)
            try:
                found[name].append(turn(options.model.absolute(), plans[name], text, options.measured, rng))
                report_progress(f"round {number + 1}: {name}: {found[name][-1]}")
            except EngineError as error:
                died[name] = error.message.splitlines()[0]
            time.sleep(options.pause)
    speeds = {name: (median(a for a, _b in each), median(b for _a, b in each)) for name, each in found.items() if each}
    seconds = {name: options.read / read + options.write / written for name, (read, written) in speeds.items()}
    best = min(seconds.values())
    rows = [
        (
            name + (" (the rule)" if plans[name] == rule else ""),
            f"{speeds[name][0]:.1f}",
            f"{speeds[name][1]:.2f}",
            f"{seconds[name]:.0f}",
            f"{seconds[name] / best:.3f}",
        )
        for name in seconds
    ]
    print(f"{machine.cpu}, {machine.cores} cores; {options.rounds} rounds, medians\n")
    head = ("plan", "reading, tokens/s", f"writing behind {options.read}", "turn, s", "to the best")
    print(markdown_table(head, rows))
    for name, reason in died.items():
        print(f"{name}: {reason}")


def turn(model: Path, plan: Plan, text: str, measured: int, rng: random.Random) -> Speeds:
    """Return the tokens per second that a new engine reads and writes; raises `EngineError`."""
    engine = LocalEngine(LoadOptions(path=os.fsencode(model), plan=plan), again=False)
    request = Request(
        messages=(Message("user", text),),
        sampler=ReplayOptions(text=words(measured, rng)),
        max_tokens=measured,
        lookup=False,
    )
    finished: Finished | None = None
    try:
        for event in engine.stream(request):
            finished = event if isinstance(event, Finished) else None
    finally:
        engine.close()
    assert finished is not None, "every stream ends with Finished"
    return finished.timings.prefill_tps, finished.timings.decode_tps


if __name__ == "__main__":
    main()
