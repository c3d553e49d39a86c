"""Measure the cost of painting an answer, compared with rich.live.Live and the whole Markdown at every refresh.

    python scripts/bench/painter.py
    python scripts/bench/painter.py --tokens 1000 2000 4000 8000 --live-up-to 8000

An ordinary, generated answer (headings, lists, code, tables, over a third Chinese) arrives at 20 tokens/s of a
simulated clock. Our painter paints at most 20 times a second, Live refreshes 10 times. CPU seconds and bytes are those
of the whole answer; the worst tick is the longest single call. The last lines show one long code block and one long
paragraph.
"""

import io
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from qwen_tui.terminal.painter import Painter
from qwen_tui.terminal.theme import theme
from qwen_tui.terminal.width import Ruler
from scripts.command_line import command_line

SIZE = os.terminal_size((100, 40))
TOKENS_PER_SECOND = 20
LIVE_REFRESHES_PER_SECOND = 10
_TOKEN = re.compile(r"[\u4e00-\u9fff]{1,2}|[A-Za-z]{1,6}|\d|[ ]+|.|\n")

SECTION = """## {n}. 网络请求 How a request travels

浏览器先把**网址**交给域名服务器，问到地址之后再建立连接。这一步很快，通常只要几十毫秒；如果慢，多半是网络不好，而不是服务器忙。
The browser then sends a *request*: a method, a path and some headers, as plain text that anyone can read.

1. 建立连接：三次握手，双方各说一句“听得到”。
2. 发送请求：方法、路径、头部，最后是正文。
   - `GET` 取得内容，不改变任何东西
   - `POST` 提交内容，例如一张填好的表格
3. Receive the answer: a status, some headers, and the content.

```python
import socket

def fetch(host: str, path: str = "/") -> bytes:
    \"\"\"Return what a server answers, headers and all.\"\"\"
    with socket.create_connection((host, 80)) as connection:
        connection.sendall(f"GET {{path}} HTTP/1.0\\r\\nHost: {{host}}\\r\\n\\r\\n".encode())
        parts = []
        while part := connection.recv(4096):  # 一直读到对方关闭连接
            parts.append(part)
    return b"".join(parts)
```

| 状态 | meaning | 例子 |
|---|---|---:|
| 200 | the content follows | {n}01 |
| 301 | 搬到别处去了 | {n}02 |
| 404 | there is nothing here | {n}03 |

> 记住：请求和响应都只是文字，格式约定好了，谁都能读懂。

- [x] 读懂请求
- [ ] 自己写一个服务器

"""


def answer(tokens: int) -> list[str]:
    """Return the pieces of an ordinary answer of so many tokens."""
    return _first(tokens, (SECTION.format(n=n) for n in range(1, 10_000)))


def code(tokens: int) -> list[str]:
    """Return the pieces of one long code block."""
    lines = (f'    total_{n} = compute(value_{n}, "第 {n} 行")  # step {n}\n' for n in range(1_000_000))
    return _first(tokens, (line if n else "```python\n" + line for n, line in enumerate(lines)))


def paragraph(tokens: int) -> list[str]:
    """Return the pieces of one paragraph without an end."""
    return _first(tokens, iter(lambda: "人工智能正在改变办公方式，写邮件、做表格都更快，and people notice it. ", ""))


def _first(tokens: int, texts: Iterator[str]) -> list[str]:
    pieces: list[str] = []
    for text in texts:
        pieces += _TOKEN.findall(text)
        if len(pieces) >= tokens:
            break
    return pieces[:tokens]


def paint(pieces: list[str]) -> tuple[float, int, float]:
    """Paint the pieces; return CPU seconds, bytes written, and the worst tick in seconds."""
    written = 0

    def write(text: str) -> None:
        nonlocal written
        written += len(text.encode())

    now = begun = 0.0
    painter = Painter(write, lambda: SIZE, theme("dark"), Ruler(), clock=lambda: now + time.perf_counter() - begun)
    worst, started = 0.0, time.process_time()
    for piece in pieces:
        begun = time.perf_counter()
        painter.feed(piece)
        worst = max(worst, time.perf_counter() - begun)
        now += 1 / TOKENS_PER_SECOND
    painter.finish()
    return time.process_time() - started, written, worst


def live(pieces: list[str]) -> tuple[float, int, float]:
    """Show the pieces with Live, and return the same figures."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=SIZE.columns, height=SIZE.lines, color_system="standard")
    worst, started, text = 0.0, time.process_time(), ""
    with Live(console=console, auto_refresh=False) as shown:
        for i, piece in enumerate(pieces):
            text += piece
            if i % (TOKENS_PER_SECOND // LIVE_REFRESHES_PER_SECOND) == 0:
                begun = time.perf_counter()
                shown.update(Markdown(text), refresh=True)
                worst = max(worst, time.perf_counter() - begun)
        shown.update(Markdown(text), refresh=True)
    return time.process_time() - started, len(screen.getvalue().encode()), worst


def main() -> int:
    """Read the command line, measure, print a table."""
    parser = command_line(__doc__)
    parser.add_argument("--tokens", type=int, nargs="+", default=[1000, 2000, 4000, 8000])
    parser.add_argument("--rounds", type=int, default=3, help="ours is measured so often; medians are shown")
    parser.add_argument("--live-up-to", type=int, default=2000, help="Live takes minutes for more")
    options = parser.parse_args()
    paint(answer(200))
    print(f"{'tokens':>7} {'what':<22} {'CPU s':>8} {'per 1k':>7} {'KB':>9} {'worst tick ms':>14}")
    for tokens in options.tokens:
        ways: list[tuple[str, Callable[[list[str]], tuple[float, int, float]], int]] = [("ours", paint, options.rounds)]
        if tokens <= options.live_up_to:
            ways.append(("rich.live.Live", live, 1))
        for name, way, rounds in ways:
            show(tokens, name, [way(answer(tokens)) for _i in range(rounds)])
    for name, pieces in (("ours, one code block", code(4000)), ("ours, one paragraph", paragraph(4000))):
        show(4000, name, [paint(pieces) for _i in range(options.rounds)])
    return 0


def show(tokens: int, name: str, results: list[tuple[float, int, float]]) -> None:
    """Print the medians of some rounds."""
    cpu, written, worst = (statistics.median(result[i] for result in results) for i in range(3))
    per_thousand = cpu / tokens * 1000
    print(
        f"{tokens:7} {name:<22} {cpu:8.2f} {per_thousand:7.2f} {written / 1000:9.0f} {worst * 1000:14.1f}", flush=True
    )


if __name__ == "__main__":
    sys.exit(main())
