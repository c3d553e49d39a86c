"""Conversations as files: the content of a page, and that it has the same Markdown as the screen."""

import json

import pytest
from markdown_it import MarkdownIt

from qwen_tui import i18n
from qwen_tui.chat.export import export
from qwen_tui.history.records import StoredConversation, Summary
from qwen_tui.messages import Exchange, Question


def page(answer: str) -> str:
    return export(
        StoredConversation(Summary("bcdfgh", "Talk", "demo", 0.0, 0.0), None, (Exchange(Question("?"), answer),)),
        "html",
    )


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


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("/home/li/models/qwen.gguf", "qwen.gguf"),
        ("C:\\Users\\李明\\qwen.gguf", "qwen.gguf"),
        ("\\\\office\\models\\qwen.gguf", "qwen.gguf"),
        ("lab//srv/models/qwen.gguf", "lab/qwen.gguf"),
        ("lab/qwen", "lab/qwen"),
        ("qwen3-4b-instruct", "qwen3-4b-instruct"),
        ("owner/repo:qwen.gguf", "owner/repo:qwen.gguf"),
    ],
)
def test_the_folder_of_a_model_stays_at_home(model: str, shown: str) -> None:
    stored = StoredConversation(Summary("bcdfgh", "Talk", model, 0.0, 0.0), None, (Exchange(Question("?"), "!"),))
    assert json.loads(export(stored, "json"))["model"] == shown
    assert f"\n*{shown}, " in export(stored, "md")


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        ("```python\nprint(1)", "```python\nprint(1)\n```"),
        ("~~~~\nprint(1)\n~~~", "~~~~\nprint(1)\n~~~\n~~~~"),
        ("```\nprint(1)\n```", "```\nprint(1)\n```"),
        ("代码如下：```python\nprint(1)\n``` 它输出 1。", "代码如下：\n```python\nprint(1)\n```\n它输出 1。"),
        ("如下：```\na\n``` 再看：```sh\nb", "如下：\n```\na\n```\n再看：\n```sh\nb\n```"),
        ("No code, `one` word.", "No code, `one` word."),
    ],
)
def test_code_in_markdown_ends_where_its_answer_does(answer: str, written: str) -> None:
    """Otherwise the remark below the code, and all later messages, would be code for every reader of the file."""
    exchanges = (
        Exchange(Question("```\nmy code"), answer, "length", "max_tokens"),
        Exchange(Question("And now?"), "Nothing."),
    )
    text = export(StoredConversation(Summary("bcdfgh", "Talk", "demo", 0.0, 0.0), None, exchanges), "md")
    assert "\n\n```\nmy code\n```\n\n" in text
    assert f"\n\n{written}\n\n*[The answer was cut off here" in text
    headings = [token for token in MarkdownIt().parse(text) if token.type == "heading_open"]
    assert [token.tag for token in headings] == ["h1", "h2", "h2", "h2", "h2"]


def test_a_page_loads_nothing_from_the_network() -> None:
    text = page("![cat](https://example.org/cat.png)")
    assert "<img" not in text
    assert "src=" not in text
    assert "@import" not in text


def test_a_page_says_in_which_language_it_is_and_shows_code_within_a_sentence() -> None:
    text = page("用 `ls -l` 查看")
    assert '<html lang="en">' in text
    assert '<div lang="zh-CN"><p>用 <code>ls -l</code> 查看' in text
    assert '<div lang=""><p>ひらがなと漢字' in page("ひらがなと漢字"), "nobody can tell every language from its letters"
    code = text[text.index("pre,code{") : text.index("pre code{")]
    assert "background:" in code
    assert "border:" in code
    i18n.use_language("zh")
    assert '<html lang="zh-CN">' in page("hello")


def test_json_holds_characters_as_they_are_and_what_cut_an_answer() -> None:
    exchanges = (Exchange(Question("邮件"), "好的", "length", "context"), Exchange(Question("?"), "Yes."))
    text = export(StoredConversation(Summary("bcdfgh", "邮件", "demo", 0.0, 0.0), None, exchanges), "json")
    assert '"content": "邮件"' in text
    answers = json.loads(text)["messages"][1::2]
    assert [(answer["finish_reason"], answer["limit"]) for answer in answers] == [("length", "context"), ("stop", None)]
