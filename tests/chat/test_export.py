"""Conversations as files: what a page holds, and that it is the same Markdown as on the screen."""

import pytest

from qwen_tui.chat.export import export
from qwen_tui.history.records import Record, Summary
from qwen_tui.messages import Exchange


def page(answer: str) -> str:
    return export(Record(Summary("bcdfgh", "Talk", "demo", 0.0, 0.0), None, (Exchange("?", answer),)), "html")


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("**注意：**请先备份", "<strong>注意：</strong>请先备份"),
        (r"得 \(\frac{1}{2a} < x^2\)", "<i>1/(2a) &lt; x²</i>"),
        ("\\[\nx = 1\n\\]\n", "<p>x = 1</p>"),
        ("one\ntwo", "one<br />\ntwo"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("![cat](https://example.org/cat.png)", 'href="https://example.org/cat.png"'),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("```python\nimport os\n```", '<span class="kn">import</span>'),
    ],
)
def test_an_answer_on_a_page(answer: str, shown: str) -> None:
    assert shown in page(answer)


def test_a_page_fetches_nothing() -> None:
    text = page("![cat](https://example.org/cat.png)")
    assert "<img" not in text
    assert "src=" not in text
    assert "@import" not in text
