"""What Tab offers."""

from qwen_tui.terminal.completion import Completion, candidates, path_start

COMMANDS = [
    Completion("/template", "insert", "template"),
    Completion("/tell", "say", "text"),
    Completion("/file", "attach", "path"),
]
OFFERS = {"template": lambda: [("email", "起草一封邮件"), ("email-tone", "换一种语气"), ("table", "整理成表格")]}


def offered(line: str) -> list[str]:
    return [text for text, _description in candidates(line, COMMANDS, OFFERS)]


def test_commands_and_what_they_take() -> None:
    assert offered("/te") == ["/template", "/tell"]
    assert offered("/template em") == ["email", "email-tone"]
    assert offered("/template 表格") == ["table"], "where no name begins so, descriptions are looked through"
    assert offered("/template email x") == offered("/tell e") == offered("hello") == offered("/nothing ") == []
    assert path_start("/file a b", COMMANDS) == 6
    assert path_start("/tell a", COMMANDS) is None
