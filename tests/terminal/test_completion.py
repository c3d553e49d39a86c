"""What Tab offers."""

import pytest

from qwen_tui.errors import HistoryError
from qwen_tui.terminal.completion import Completion, Offers, candidates, last_word, path_start

COMMANDS = [
    Completion("/template", "insert", "template"),
    Completion("/tell", "say", "text"),
    Completion("/file", "attach", "path"),
]
OFFERS: Offers = {
    "template": lambda _begun: [("email", "起草一封邮件"), ("email-tone", "换一种语气"), ("table", "整理成表格")]
}


def offered(line: str) -> list[str]:
    return [text for text, _description in candidates(line, COMMANDS, OFFERS)]


def test_commands_and_what_they_take() -> None:
    assert offered("/te") == ["/template ", "/tell "]
    assert offered("/template em") == ["email ", "email-tone "]
    assert offered("/template 表格") == ["table "], "where no name begins so, descriptions are looked through"
    assert offered("/template email x") == offered("/tell e") == offered("hello") == offered("/nothing ") == []
    assert offered("/template ") == ["email ", "email-tone ", "table "]
    assert path_start("/file a b", COMMANDS) == 6
    assert path_start("/file 'a b", COMMANDS) == 7
    assert path_start("/tell a", COMMANDS) is None


@pytest.mark.parametrize("line", ["／te", "、te", "／TE", "/ｔｅ"])
def test_a_command_from_a_chinese_input_method_is_completed(line: str) -> None:
    assert offered(line) == ["/template ", "/tell "]
    assert last_word(line) == line
    assert offered("/template\u3000em") == ["email ", "email-tone "]
    assert last_word("/template\u3000em") == "em"
    assert path_start("／file\u3000笔记", COMMANDS) == 6


@pytest.mark.parametrize("error", [OSError("closed"), HistoryError("damaged")])
def test_where_nothing_can_be_looked_up_tab_offers_nothing(error: Exception) -> None:
    def fail(_begun: str) -> list[tuple[str, str]]:
        raise error

    assert list(candidates("/template em", COMMANDS, {"template": fail})) == []
