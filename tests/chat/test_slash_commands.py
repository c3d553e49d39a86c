"""What each slash command does and prints, with a scripted engine and a scripted person."""

import json
from pathlib import Path

import pytest

from qwen_tui.chat import settable
from qwen_tui.chat.slash_commands import commands
from qwen_tui.history.store import History
from tests.chat.test_repl import Board, Person, Talk
from tests.kept import texts
from tests.scripted_engine import ScriptedEngine

CODE = "Both:\n\n```python\nprint(1)\n```\n\n- then\n\n  ```sh\n  ls\n  ```\n\n> ```\n> quoted\n> ```\n"


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.db")


def test_every_command_refuses_what_it_does_not_take() -> None:
    for command in commands():
        wrong = command.names[0] + ("" if command.usage else " something")
        if not command.usage.startswith("["):
            (error,) = Talk(ScriptedEngine(), Person(wrong)).errors
            assert error.message.startswith(command.names[0])
            assert error.remedy.startswith(f"Write: {command.names[0]}")


@pytest.mark.parametrize("line", ["/undo", "/retry", "/edit", "/copy", "/save a", "/export a.md", "/fork", "/stats"])
def test_before_the_first_answer_its_commands_are_refused(line: str) -> None:
    (error,) = Talk(ScriptedEngine(), Person(line)).errors
    assert error.remedy == "Ask something first."


def test_copy_takes_the_answer_and_copy_code_its_code() -> None:
    board = Board()
    talk = Talk(ScriptedEngine("a *word*"), Person("x", "/copy", "/copy code", "/copy that"), board=board)
    assert board.text == "a *word* \n"
    assert talk.shown == ["The answer was copied."]
    assert "no code block" in talk.errors[0].message
    assert "/copy code" in talk.errors[1].remedy


def test_copy_code_takes_every_block_wherever_it_stands() -> None:
    board = Board()
    talk = Talk(ScriptedEngine(CODE), Person("x", "/copy code"), board=board)
    assert board.text == "print(1)\n\nls\n\nquoted\n"
    assert talk.shown == ["3 code blocks were copied."]


def test_paste_attaches_the_clipboard_to_the_next_message() -> None:
    talk = Talk(ScriptedEngine("a"), Person("/paste", "Summarise"), board=Board("会议\r\n记录"))
    assert talk.shown == ["the clipboard goes with the next message (5 characters)."]
    assert talk.contents[0] == "会议\n记录\n\nSummarise"


def test_the_encoding_of_the_clipboard_is_never_guessed() -> None:
    # In UTF-8, these letters are the bytes of a word in GB18030.
    talk = Talk(ScriptedEngine(), Person("/set encoding gbk", "/paste"), board=Board("лл"))
    assert talk.session.attached[0].text == "лл"


@pytest.mark.parametrize("copied", ["{0}", "file://{0}\n", "{0}\nfile://{1}"])
def test_after_copying_files_the_clipboard_has_only_their_paths(tmp_path: Path, copied: str) -> None:
    (tmp_path / "a.txt").touch()
    talk = Talk(ScriptedEngine(), Person("/paste"), board=Board(copied.format(tmp_path / "a.txt", tmp_path)))
    assert "/file" in talk.shown[0]
    assert not any("/file" in said for said in Talk(ScriptedEngine(), Person("/paste"), board=Board("a.txt")).shown)


def test_an_empty_clipboard_is_reported() -> None:
    (error,) = Talk(ScriptedEngine(), Person("/paste"), board=Board("\n")).errors
    assert "empty" in error.message


def test_several_files_are_distinguished(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "b.txt").write_text("two\n")
    person = Person(f"/file {tmp_path / 'a.txt'}", f"/file {tmp_path / 'b.txt'}", "/context", "Compare")
    talk = Talk(ScriptedEngine("a"), person)
    assert talk.contents[0] == f"--- {tmp_path / 'a.txt'} ---\none\n\n--- {tmp_path / 'b.txt'} ---\ntwo\n\nCompare"
    assert "attached to the next message" in talk.shown[2]


def test_a_pattern_attaches_every_file_that_it_stands_for(tmp_path: Path) -> None:
    for name in ("b.md", "a.md", "c.txt"):
        (tmp_path / name).write_text(name)
    (tmp_path / "folder.md").mkdir()
    talk = Talk(ScriptedEngine("a"), Person(f"/file {tmp_path / '*.md'}", f"/file {tmp_path / '*.none'}", "Compare"))
    a, b = tmp_path / "a.md", tmp_path / "b.md"
    assert talk.contents[0] == f"--- {a} ---\na.md\n\n--- {b} ---\nb.md\n\nCompare"
    (error,) = talk.errors
    assert error.message.startswith("No file matches the pattern")


@pytest.mark.parametrize(
    "typed", ["{0}", "'{0}'", '"{0}"', "{1}", "file://{2}", "'{0}' {3}", "{1} {3}", "file://{2}\n{3}"]
)
def test_a_file_is_attached_as_terminals_paste_what_is_dropped(tmp_path: Path, typed: str) -> None:
    folder = tmp_path / "my docs"
    folder.mkdir()
    path, other = folder / "a (1).txt", tmp_path / "b.txt"
    path.write_text("first")
    other.write_text("second")
    escaped = str(path).translate({ord(char): f"\\{char}" for char in " ()"})
    line = "/file " + typed.format(path, escaped, str(path).replace(" ", "%20"), other)
    talk = Talk(ScriptedEngine(), Person(line))
    assert not talk.errors
    assert [one.name for one in talk.session.attached] == [str(path), *([str(other)] if "{3}" in typed else [])]


def test_of_several_files_none_is_attached_if_one_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    talk = Talk(ScriptedEngine(), Person(f"/file {tmp_path}/a.txt {tmp_path}/none.txt"))
    assert "none.txt" in talk.errors[0].message
    assert not talk.session.attached


@pytest.mark.parametrize("path", ["x" * 300, f"{'x' * 300}/a.md", "{0}/loop/a.md", "{0}/file/a.md"])
@pytest.mark.parametrize("command", ["/file", "/save", "/export", "/template"])
def test_no_path_ends_a_conversation(tmp_path: Path, command: str, path: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    person = Person("x", f"{command} {path.format(tmp_path)}", "y")
    talk = Talk(ScriptedEngine("an answer", "another"), person, templates=tmp_path)
    assert len(talk.errors) == 1
    assert "output" not in talk.errors[0].message
    assert "y" in talk.contents


def test_what_the_system_refuses_a_command_does_not_end_a_conversation() -> None:
    class Worn(Board):
        def paste(self) -> str:
            raise OSError(5, "Input/output error")

    talk = Talk(ScriptedEngine("an answer"), Person("/paste", "y"), board=Worn())
    assert talk.errors[0].message == "The system refuses something: Input/output error."
    assert "y" in talk.contents


def test_a_line_that_begins_with_a_path_is_a_message() -> None:
    lines = ["/home/me/a.txt", "'/home/me/my docs/a.txt'", "/usr/bin is what?"]
    assert Talk(ScriptedEngine("a", "b", "c"), Person(*lines)).contents[::2] == lines


@pytest.mark.parametrize(
    "typed", ["'my talk.md'", '"my talk.md"', "my\\ talk.md", "my talk.md", "file://{0}/my%20talk.md"]
)
def test_an_answer_is_saved_under_the_name_without_quotes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = typed.format(tmp_path)
    talk = Talk(ScriptedEngine("an answer"), Person("x", f"/save {typed}", f"/export {typed.replace('talk', 'log')}"))
    assert not talk.errors
    assert {path.name for path in tmp_path.iterdir()} == {"my talk.md", "my log.md"}


def test_what_is_attached_is_dropped_by_its_name_in_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a b.txt"
    path.touch()
    assert not Talk(ScriptedEngine(), Person(f"/file {path}", f"/drop '{path}'")).session.attached


def test_a_template_with_blanks_in_its_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "my letter.md").write_text("---\ndescription: a letter\n---\n{{input}}\n\nWrite.\n")
    for typed in ("my letter", "'my letter' to Anna", "my letter to Anna"):
        talk = Talk(ScriptedEngine(), Person(f"/template {typed}"), templates=tmp_path)
        assert not talk.errors


def test_the_encoding_of_files_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("für".encode("cp850"))
    lines = [
        "/set encoding cp850",
        "/show",
        f"/file {path}",
        "/set encoding gbkk",
        "/set encoding Auto",
        f"/file {path}",
    ]
    talk = Talk(ScriptedEngine(), Person(*lines))
    assert talk.session.attached[0].text == "für"
    assert talk.session.encoding is None
    assert "“gbkk”" in talk.errors[0].message
    assert talk.shown[0] == "encoding = CP850"
    assert "encoding = CP850" in talk.shown[1]


def test_the_password_of_documents_can_be_set(tmp_path: Path) -> None:
    locked = Path(__file__).parent.parent / "documents" / "corpus" / "locked-en.pdf"
    (tmp_path / "password").write_text("garden\n")
    lines = [
        f"/file {locked}",
        f"/set password_file {tmp_path / 'password'}",
        f"/file {locked}",
        "/set password_file no",
    ]
    talk = Talk(ScriptedEngine(), Person(*lines))
    assert talk.session.attached[0].text.startswith("[p. 1]\n")
    assert talk.errors[0].remedy.endswith("/set password_file FILE")
    assert "no cannot be read" in talk.errors[1].message


def test_a_file_that_is_not_text_is_not_attached(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4 all of it ASCII")
    (tmp_path / "b.docx").write_bytes(b"PK\x03\x04 no zero byte")
    (tmp_path / "c.png").write_bytes(b"\x89PNG\0")
    (tmp_path / "home").mkdir()
    names = ("a.pdf", "b.docx", "c.png", "none.txt", "home")
    talk = Talk(ScriptedEngine(), Person(*(f"/file {tmp_path / name}" for name in names)))
    reasons = ("is damaged", "is damaged", "is not text", "No such file", "nothing to read")
    assert len(talk.errors) == len(reasons)
    for error, reason in zip(talk.errors, reasons, strict=True):
        assert reason in error.message
        assert error.remedy
    assert talk.session.attached == []


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("mine")
    (tmp_path / "a-2.md").write_text("mine too")
    person = Person("x", f"/save {tmp_path / 'a.md'}", f"/export {tmp_path / 'a.md'}", f"/save {tmp_path}")
    talk = Talk(ScriptedEngine("answer"), person)
    assert [error.remedy.endswith(str(tmp_path / "a-3.md")) for error in talk.errors] == [True, True, False]
    assert "is a folder" in talk.errors[2].message
    assert (tmp_path / "a.md").read_text() == "mine"


def test_a_failed_write_is_reported_and_the_conversation_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    talk = Talk(ScriptedEngine("1", "2"), Person("x", f"/save {tmp_path / 'file' / 'a.md'}", "y"))
    (error,) = talk.errors
    assert "could not be written" in error.message
    assert len(talk.contents) == 4


@pytest.mark.parametrize("name", ["talk.md", "talk.html", "talk.json", "talk"])
def test_the_ending_of_the_name_decides_on_the_format_of_an_export(tmp_path: Path, name: str) -> None:
    talk = Talk(ScriptedEngine("the *answer*"), Person("问题", f"/export {tmp_path / name}"))
    assert talk.shown == [f"Written: {tmp_path / name}"]
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert "问题" in text
    assert "scripted" in text, "a conversation that is not kept has a model too"
    assert "1970" not in text
    assert {"md": "## You", "html": "<em>answer</em>", "json": '"role": "user"', "talk": "## You"}[
        name.rpartition(".")[2]
    ] in text


def test_export_knows_three_formats(tmp_path: Path) -> None:
    (error,) = Talk(ScriptedEngine("a"), Person("x", f"/export {tmp_path / 'talk.docx'}")).errors
    assert ".docx" in error.message
    assert ".md, .html, .json" in error.remedy


def test_logs_have_straight_columns_and_fit_80_columns(history: History) -> None:
    from wcwidth import width

    Talk(ScriptedEngine("好 " * 200 + "发票在这里"), Person("请帮我写一封很长很长的邮件，" * 5), history)
    Talk(ScriptedEngine("b"), Person("short"), history)
    (listed,) = Talk(ScriptedEngine(), Person("/logs"), history).shown
    lines = listed.splitlines()
    assert lines[0].endswith("  short")
    assert lines[1][26:].startswith("请帮我写")
    assert lines[1].endswith("…")
    found = Talk(ScriptedEngine(), Person("/logs 邮件", "/logs 发票", "/logs 没有"), history).shown
    assert "邮件" in found[0]
    assert "发票在这里" in found[1].splitlines()[1], "the line shows what was looked for, however far back it stands"
    assert found[2] == "No conversation holds “没有”."
    assert max(width(line) for text in (listed, *found) for line in text.splitlines()) <= 80


def test_resume_shows_where_the_conversation_stands(history: History) -> None:
    first = Talk(ScriptedEngine("1", "\n".join(f"line {n}" for n in range(100))), Person("a topic", "more"), history)
    kept = str(first.session.conversation.id)
    talk = Talk(ScriptedEngine("3"), Person("/resume zzz", f"/resume {kept[:5]}", "and?"), history)
    assert "/logs" in talk.errors[0].remedy
    shown = "\n".join(talk.notes)
    assert shown.splitlines()[0].startswith(f"{kept} · a topic · 2 turns · 20")
    assert "\n> more\n" in shown
    assert "line 99" in shown
    assert len(shown.splitlines()) < 20
    assert talk.contents[:2] == ["a topic", "1 "]


def test_fork_goes_on_beside_the_conversation(history: History) -> None:
    talk = Talk(ScriptedEngine("1", "2"), Person("one", "/fork", "two"), history)
    assert talk.shown == [f"From here on this is conversation {talk.session.conversation.id}."]
    assert sorted(len(texts(history.read(summary.id))) for summary in history.recent()) == [2, 4]


def test_an_invalid_setting_is_refused_with_the_right_form_of_the_command() -> None:
    lines = ["/set", "/set x 1", "/set temprature 1", "/set temperature", "/set temperature hot", "/set top_k 5"]
    talk = Talk(ScriptedEngine(), Person(*lines))
    begin = ["Write:", "The settings", "Did you mean: temperature?", "How much chance", "Write:"]
    assert [error.remedy[: len(begins)] for error, begins in zip(talk.errors, begin, strict=True)] == begin
    assert "/set temperature" in talk.errors[4].remedy
    assert talk.shown == ["top_k = 5"]


@pytest.mark.parametrize("name", settable.NAMES)
def test_a_setting_alone_is_answered_with_what_it_takes(name: str) -> None:
    (error,) = Talk(ScriptedEngine(), Person(f"/set {name}")).errors
    assert error.message == f"/set {name} needs something more."
    assert error.remedy.endswith(f"Write: /set {name} …")
    assert name != "fit" or "ask, context, select, map, each or error" in error.remedy


def test_system_and_show() -> None:
    talk = Talk(
        ScriptedEngine("a"), Person("/system 用中文回答。", "hello", "/set seed 7", "/show", "/system", "/show")
    )
    shown = talk.shown[2]
    assert shown.startswith("scripted · CPU · context 1000\n")
    assert "seed = 7" in shown
    assert "max_tokens = (no limit)" in shown
    assert "system: 用中文回答。" in shown
    assert "system:" not in talk.shown[-1]


def test_what_was_set_can_be_unset() -> None:
    talk = Talk(
        ScriptedEngine("a"), Person("/set max_tokens 40", "/set max_tokens auto", "/system be brief", "/system", "/te")
    )
    assert talk.shown == [
        "max_tokens = 40",
        "max_tokens = (no limit)",
        "It applies from the next message on.",
        "From the next message on there is no system prompt.",
    ]
    assert "/template" in talk.errors[0].remedy


def test_slash_context_says_what_fills_the_context() -> None:
    engine = ScriptedEngine("four words of answer", ctx_size=100)
    talk = Talk(engine, Person("/system be brief", "a question", "/context"))
    assert talk.shown[1].splitlines() == [
        "The context holds 100 tokens:",
        "        2    2%  system prompt",
        "        6    6%  turn 1: a question",
        "       12   12%  room for the answer",
        "       80   80%  free",
    ]


def test_slash_context_lists_each_turn_and_what_has_left() -> None:
    engine = ScriptedEngine("four words of answer", "four words of answer", ctx_size=120)
    person = Person("What is it?", "/context", "and " * 40, "/context")
    talk = Talk(engine, person, attached="word " * 60)
    assert "       67   56%  turn 1: What is it? (attached)" in talk.shown[0].splitlines()
    assert "turn 1" not in talk.shown[1]
    assert "turn 2: and and" in talk.shown[1]
    assert "       60   50%  attached (its turn has left)" in talk.shown[1].splitlines()
    assert talk.shown[1].endswith("The oldest turn is left out.")


def test_slash_stats_shows_the_last_answer_of_this_conversation() -> None:
    talk = Talk(ScriptedEngine("a"), Person("three words here", "/stats", "/clear", "/stats"))
    assert talk.shown[0].splitlines() == [
        "prompt  3 tokens, 0 of them cached; 0.0 tokens/s",
        "answer  0 tokens, the first after 0.0 s; 0.0 tokens/s",
    ]
    assert talk.shown[1:] == ["A new conversation."]
    assert "no answer yet" in talk.errors[0].message


def test_another_model_goes_on_with_the_conversation(history: History) -> None:
    first, second = ScriptedEngine("1"), ScriptedEngine("2")
    talk = Talk(
        first, Person("one", "/model nothing", "/model other", "/show", "two"), history, others={"other": second}
    )
    assert [error.message for error in talk.errors] == ["no nothing"]
    assert first.closed
    assert [message.content for message in second.requests[0].messages] == ["one", "1 ", "two"]
    assert talk.shown == ["From here on other answers.", talk.shown[1]]
    assert talk.shown[1].startswith("other\n")
    assert history.read(str(talk.session.conversation.id)).summary.model == "other"


def test_what_is_offered_to_be_faster_is_meant_for_the_model_that_answers_now() -> None:
    offer = "Faster with: qwen tune -m {}".format
    person = Person("one", "/model other", "two")
    talk = Talk(ScriptedEngine("1"), person, others={"other": ScriptedEngine("2")}, offer=offer)
    assert [said for said in talk.shown if "Faster" in said] == [offer("scripted"), offer("other")]


def test_a_missing_model_leaves_the_old_one_in_use() -> None:
    engine = ScriptedEngine("1", "2")
    talk = Talk(engine, Person("one", "/model nothing", "two"))
    assert not engine.closed
    assert talk.contents == ["one", "1 ", "two", "2 "]
    assert talk.session.keeper.model == "scripted"


def test_the_export_of_a_stored_conversation_has_its_id_and_title(history: History, tmp_path: Path) -> None:
    talk = Talk(ScriptedEngine("a"), Person("x", f"/export {tmp_path / 'talk.json'}"), history)
    assert json.loads((tmp_path / "talk.json").read_bytes())["id"] == talk.session.conversation.id


@pytest.mark.parametrize("line", ["／show", "、show", "／ＳＨＯＷ", "/Show\u3000"])
def test_a_command_may_come_from_a_chinese_input_method(line: str) -> None:
    talk = Talk(ScriptedEngine(), Person(line))
    assert talk.errors == []
    assert "temperature" in talk.shown[0]


def test_blanks_and_values_may_be_full_width_too() -> None:
    talk = Talk(ScriptedEngine("ok"), Person("/set\u3000temperature\u3000０．５", "／system　你是　律师", "hi"))
    assert talk.errors == []
    assert talk.session.options.sampling.temperature == 0.5
    assert talk.session.conversation.system == "你是　律师"


@pytest.mark.parametrize("line", ["、第二点呢？", "…/help", " /help", "、"])
def test_what_only_looks_like_a_command_is_a_message(line: str) -> None:
    assert Talk(ScriptedEngine("ok"), Person(line)).contents[0].strip() == line.strip()


def test_model_alone_lists_the_models_and_which_answers() -> None:
    engine = ScriptedEngine()
    talk = Talk(engine, Person("/model"), models=[("scripted", "Q4_K_M 2.5 GB"), ("千问", "")])
    assert not engine.closed
    assert talk.shown[0].splitlines() == ["scripted  Q4_K_M 2.5 GB  in use", "千问"]


def test_after_undo_the_context_is_as_full_as_it_was_before() -> None:
    talk = Talk(ScriptedEngine("1", "2"), Person("one", "two"))
    tokens = [talk.session.conversation.tokens]
    for step in (talk.session.undo, talk.session.undo, talk.session.redo, talk.session.redo):
        step()
        tokens.append(talk.session.conversation.tokens)
    two, one = tokens[:2]
    assert tokens == [two, one, None, one, two]
    assert two != one
