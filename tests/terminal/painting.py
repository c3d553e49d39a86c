"""A painter on a screen that stores what has scrolled off, and texts to paint."""

import os
import random
from collections.abc import Callable, Iterator

import pyte
import pyte.modes
from wcwidth import wcwidth

from qwen_tui.terminal.painter import Painter, static
from qwen_tui.terminal.theme import theme
from qwen_tui.terminal.width import Ruler
from tests.streams import Clock

SIZES = ((80, 24), (40, 10), (120, 50))
DARK = theme("dark")


class _Wrapping(pyte.HistoryScreen):
    """A screen that wraps a wide character which does not fit into the last column: terminals do, pyte does not."""

    def draw(self, data: str) -> None:
        for char in data:
            if self.cursor.x == self.columns - 1 and wcwidth(char) == 2:
                self.cursor.x = self.columns
            super().draw(char)


class Screen:
    """A terminal of `columns` by `lines`, with the text on its screen and the lines that have scrolled off."""

    def __init__(self, columns: int, lines: int) -> None:
        self.size = os.terminal_size((columns, lines))
        self._screen = _Wrapping(columns, lines, history=100_000, ratio=0.5)
        # Like the terminal driver, which turns a newline into carriage return and newline.
        self._screen.set_mode(pyte.modes.LNM)
        self._stream = pyte.Stream(self._screen)
        self.written = 0
        self.writes = 0

    def write(self, text: str) -> None:
        self.written += len(text.encode())
        self.writes += 1
        self._stream.feed(text)

    def resize(self, columns: int, lines: int) -> None:
        self.size = os.terminal_size((columns, lines))
        self._screen.resize(lines, columns)

    @property
    def cursor(self) -> tuple[int, int]:
        return self._screen.cursor.x, self._screen.cursor.y

    @property
    def cursor_is_plain(self) -> bool:
        return bool(self._screen.cursor.attrs == self._screen.default_char)

    def scrolled_off(self) -> list[str]:
        return ["".join(line[x].data for x in range(self.size.columns)).rstrip() for line in self._screen.history.top]

    def text(self) -> list[str]:
        rows = [*self.scrolled_off(), *(line.rstrip() for line in self._screen.display)]
        while rows and not rows[-1]:
            rows.pop()
        return rows


def painted(screen: Screen, chunks: Iterator[str], check: Callable[[], None] = lambda: None) -> None:
    """Paint each of `chunks` in its own tick, and call `check` after each."""
    clock = Clock()
    painter = Painter(screen.write, lambda: screen.size, DARK, Ruler(), clock=clock)
    for chunk in chunks:
        clock.now += 1
        painter.feed(chunk)
        check()
    painter.finish()


def at_once(text: str, columns: int, lines: int) -> list[str]:
    """Return what the screen shows of a text that is rendered at once."""
    screen = Screen(columns, lines)
    screen.write(static(text, columns, DARK, Ruler()))
    return screen.text()


def chunkings(text: str, seed: int) -> dict[str, list[str]]:
    """Return the text cut in four ways: into characters, pieces as long as tokens, lines, and random pieces."""
    dice = random.Random(seed)
    return {
        "characters": list(text),
        "tokens": list(_cut(text, lambda: dice.randint(1, 5))),
        "lines": text.splitlines(keepends=True),
        "anything": list(_cut(text, lambda: dice.choice((1, 2, 7, 40, 300)))),
    }


def _cut(text: str, length: Callable[[], int]) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = start + length()
        yield text[start:end]
        start = end


DOCUMENTS = {
    "headings": "# One\n## 二\n### Three ###\nSetext\n===\n\nlower\n---\n#hashtag\n####### seven\n#\n",
    "paragraphs": "First line\nsecond line  \nthird\\\nfourth\n\n\n\nAnother one.\n\n   indented a little\n",
    "chinese": "人工智能正在改变办公方式：写邮件、做表格、总结会议……“效率”——是关键。" * 6
    + "\n\n第二段，（带括号）。\n",
    "mixed": "使用 Python 3.11 的 `asyncio` 模块，可以写 concurrent 程序；pip install 之后运行 main.py 即可。" * 4
    + "\n",
    "emphasis": "**bold** *it* ***both*** ~~gone~~ `code` **注意：**请看 **“引号”**，*强调*。__u__ _v_ a*b*c 2*3*4\n",
    "unfinished": "**never closed and `neither this\n\n[link](http://x\n\n~~~\ncode that goes on",
    "bullets": "- one\n- two\n  - inner\n    - deepest\n  - inner two\n- three\n\n- loose\n\n  second paragraph\n* other list\n+ third\n",
    "numbers": "1. a\n2. b\n3. c\n\n7. not three\n8. x\n\ntext\n\n3) three\n4) four\n",
    "tens": "".join(f"{n}. 第 {n} 项，说明文字\n" for n in range(1, 24)),
    "odd numbers": "5. five\n5. six\n1. seven\n",
    "list and code": "1. 安装：\n   ```bash\n   pip install x\n\n   pip list\n   ```\n2. 运行\n\n       indented\n\n3. 完成\n",
    "list in list": "- a\n  1. b\n     - c\n       > quoted\n  2. d\n- e\n",
    "lazy": "- item\ncontinued here\n> quote\ncontinued\n\n- a\n -b\n - c\n  - d\n   - e\n    - f\n",
    "empty items": "-\n- a\n-\n\n  b\n1.\n2. x\n",
    "tasks": "- [ ] 待办\n- [x] done\n- [X] 完成 `y`\n- [] not one\n- [ ]\n",
    "table": "| 方法 | Path | 说明 |\n|:--|:-:|--:|\n| GET | / | 首页 |\n| POST | /items | 新建<br>条目 |\n\nafter\n",
    "wide table": "|a|b|\n|-|-|\n" + "|" + "很长的单元格内容，" * 9 + "|" + "word " * 30 + "|\n| x | y |\n",
    "long table": "| n | square |\n|---|---|\n" + "".join(f"| {n} | {n * n} |\n" for n in range(60)),
    "table without outer pipes": "a | b\n--|--\n1 | 2\n3 | 4\ntext | more\n\nend\n",
    "no table": "a | b\nc | d\n\n- x | y\n--|--\n",
    "table in item": "- first\n- x | y\n  --|--\n  1 | 2\n- last\n",
    "quotes": "> a\n> b\n>\n> - c\n> ```\n> code\n> ```\n\n> new\n>> deeper\n",
    "rules": "a\n\n***\n---\n___\nb\n\n- - -\n* * *\n",
    "code": "```python\nimport os\n\n\ndef f(x):\n    '''doc\n    string'''\n    return x  # 返回\n```\n\nafter\n",
    "long code": "```c\n" + "".join(f"int value_{n} = {n}; /* 第 {n} 行 */\n" for n in range(90)) + "```\n完。\n",
    "wide code": "```\n" + "x" * 300 + "\n\ty\tz\n" + "汉" * 121 + "\nend\n```\n",
    "tildes": "~~~js\nlet a = `b`;\n```\n~~~~\nbehind\n",
    "indented fence": "  ```\n    code\n  more\n  ```\nafter\n",
    "fence with fence inside": "````md\n```py\nx\n```\n````\n\nend\n",
    "fence never closed": 'text\n```json\n{\n  "a": [1, 2],\n',
    "empty fence": "a\n```\n```\nb\n```\n\n```\nc",
    "fence behind text": "代码如下：```python\nimport os\n\n    x\n```\n然后 two: ``` sh\nls\n```\nuse ```a``` and ``` b ```\nend\n",
    "text behind fence": "```py\nx\n``` This prints one.\nMore of it.\n\n```sh\nls\n```这样就列出了文件。\n~~~\ny\n~~~ - an item\n- another\n",
    "fence between texts": "one\ntwo:```yaml\n---\na: 1\n===\n``` Now this: ```sh\nls\n``` # Head\n\ntext ```\nb\n",
    "fence behind an item": "1. 运行：```bash\nls\n  -l\n```\n2. then:```py\n   x\n   ``` It is done.\n\n> so: ```c\n> y\n> ``` And that.\n",
    "indented code": "text\n\n    one\n\n    two\nback\n",
    "links": "[label](https://example.org/a) <https://example.org> ![图](p.png) [x]: y\n\n[bank.com](https://evil.example)\n",
    "references": "[a]: https://example.org/a\n\nsee [a] and [b]\n\n[c]: /c 'title'\n\nthen [c], [a][c]\n",
    "html": "<div>\n<b>bold</b> & &amp; &lt;x&gt; &copy; &#x4e2d;\n</div>\n\n<!-- hidden? -->\ntext<br>line\n",
    "mathematics": "由\n\\[\nx = \\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}\n\\]\n得 \\(x_1 = 3\\)，$a^2+b^2=c^2$，花了 $5 and $10。\n\n$$\n2^{n+1}\n$$\n",
    "mathematics with list signs": "\\[\na\n+ b\n- c\n=== \n\\]\n\n$$x$$ text\n\n\\[ open\n\nclosed by a blank line\n",
    "controls": "a\x1b[31mred\x1b[0m \x07 b\u202ec\u2066d\n\n`x\u202ey`\n\n```\nz\u200b\u202e\n```\n&#x202e;&#27;\n",
    "emoji": "✅ 完成 🎉 done ❤️ ok 👍🏽\n- 🚀 launch\n",
    "escapes": "\\*not\\* \\# \\[x\\] \\\\ 1\\. a\n\\- b\n",
    "blank": "\n\n   \n\ntext\n\n\n",
    "long word": "x" * 200 + " " + "https://example.org/" + "y" * 150 + "\n\n- " + "z" * 100 + "\n",
    "essay": "# 远程办公的利与弊\n\n## 一、背景\n\n近年来……\n\n## 二、案例\n\n1. **甲公司**：试行两年。\n2. **乙公司**：\n   - 优点：省时\n   - 缺点：沟通少\n\n## 三、建议\n\n> 因地制宜。\n\n---\n\n*完*\n",
}

_FRAGMENTS = [
    "text", "中文，", "**", "*", "`", "```", "~~~", "：```py\n", "``` So it is.", "```\n", "\n", "\n", "\n\n", "\n    ", "- ", "* ", "1. ", "2) ", "> ", "# ", "---", "===", "|", " | ", "|-|-|",
    "--|--", "[a]", "(u)", "$$", "\\[", "\\]", "$x$", "\t", "  ", "   ", "~~", "[ ] ", "<b>", "&amp;", "\\", "!", "“引”", "long " * 20,
]  # fmt: skip


def mix(seed: int) -> str:
    """Return a random mix of complete documents, cut ones, and single signs."""
    dice = random.Random(seed)
    parts = []
    for _i in range(dice.randint(1, 5)):
        if dice.random() < 0.4:
            # A link reference may be defined after its use: this is the only allowed difference.
            document = dice.choice([text for name, text in DOCUMENTS.items() if name != "references"])
            start = dice.randrange(len(document))
            parts.append(document[start : start + dice.randint(1, 200)])
        else:
            parts.append("".join(dice.choice(_FRAGMENTS) for _j in range(dice.randint(1, 30))))
        parts.append(dice.choice(("", "\n", "\n\n")))
    return "".join(parts)
