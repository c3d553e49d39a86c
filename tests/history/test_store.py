"""What the history stores of conversations, and how it finds them again."""

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from qwen_tui.errors import HistoryError
from qwen_tui.grams import found_in
from qwen_tui.history.database import MIGRATIONS, VERSION
from qwen_tui.history.records import Hit, title_of
from qwen_tui.history.store import History
from qwen_tui.messages import Question
from tests.kept import texts


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "home" / "history.db")


def said(history: History, conversation: str | None, question: str, answer: str) -> str:
    turn = history.begin(conversation, Question(question), model="tiny", system=None)
    turn.update(answer, "stop")
    return turn.conversation


def take_back(history: History, conversation: str) -> None:
    """Move the head of the conversation before its last turn, as /undo does."""
    record = history.read(conversation)
    before = record.exchanges[-2].kept if len(record.exchanges) > 1 else None
    history.move(conversation, record.head, before, record.undone[0].kept if record.undone else record.head)


def contents(history: History, conversation: str) -> list[str]:
    return texts(history.read(conversation))


def test_a_system_prompt_that_changes_is_kept(history: History) -> None:
    turn = history.begin(None, Question("Who are you?"), model="tiny", system="You are Blackbeard.")
    turn.update("Arr.", "stop")
    history.begin(turn.conversation, Question("And now?"), model="tiny", system="You are a nurse.").update(
        "Hello.", "stop"
    )
    assert history.read(turn.conversation).system == "You are a nurse."


def test_a_conversation_is_read_as_it_was_written(history: History) -> None:
    turn = history.begin(None, Question("What is HTTP?"), model="tiny", system="Be brief.")
    turn.update("A protocol.", "stop")
    following = history.begin(turn.conversation, Question("And DNS?"), model="tiny", system="Be brief.")
    following.update("A phone book.", "stop")
    record = history.read(turn.conversation)
    assert record.system == "Be brief."
    assert record.summary.title == "What is HTTP?"
    assert [(exchange.question, exchange.answer) for exchange in record.exchanges] == [
        (Question("What is HTTP?"), "A protocol."),
        (Question("And DNS?"), "A phone book."),
    ]
    assert history.last() == turn.conversation


def test_a_question_is_there_before_its_answer_for_every_process(history: History, tmp_path: Path) -> None:
    turn = history.begin(None, Question("Will it last?"), model="tiny", system=None)
    assert contents(History(tmp_path / "home" / "history.db"), turn.conversation) == ["Will it last?", ""]
    turn.update("It wi")
    assert contents(History(tmp_path / "home" / "history.db"), turn.conversation)[1] == "It wi"


def test_a_fork_shares_the_past_and_goes_its_own_way(history: History) -> None:
    first = said(history, None, "one", "1")
    fork = history.fork(first)
    said(history, first, "two", "2")
    said(history, fork, "deux", "2f")
    assert contents(history, first) == ["one", "1", "two", "2"]
    assert contents(history, fork) == ["one", "1", "deux", "2f"]
    history.remove(first)
    assert contents(history, fork) == ["one", "1", "deux", "2f"]
    assert history.search("two") == []


def test_an_undone_turn_is_no_longer_part_of_the_conversation(history: History) -> None:
    conversation = said(history, said(history, None, "one", "1"), "two", "2")
    take_back(history, conversation)
    assert contents(history, conversation) == ["one", "1"]
    take_back(history, conversation)
    assert contents(history, conversation) == []
    said(history, conversation, "three", "3")
    assert contents(history, conversation) == ["three", "3"]


def test_a_removed_conversation_leaves_nothing_to_find(history: History, tmp_path: Path) -> None:
    conversation = said(history, None, "我的密码是什么", "不知道")
    history.remove(conversation)
    with pytest.raises(HistoryError, match="no conversation"):
        history.read(conversation)
    assert history.recent() == []
    assert history.search("密码") == []


def test_no_file_contains_words_of_a_removed_conversation(history: History, tmp_path: Path) -> None:
    kept = said(history, None, "Keep the recipe", "Salt and pepper.")
    conversation = said(history, None, "Where is the treasure?", "It is in Zanzibar. 宝藏在山洞里。" * 500)
    turn = history.begin(conversation, Question("Who hid it?"), model="tiny", system="You are Blackbeard.")
    # The answer grows and is cut off: all of its versions must be gone.
    for text in ("It was Flint", "It was Flint and Silver" * 1000, "I"):
        turn.update(text)
    take_back(history, conversation)
    words = ["treasure", "Zanzibar", "zanzibar", "宝藏", "洞里", "hid it", "Flint", "flint", "Silver", "Blackbeard"]
    assert any(word.encode() in content for content in files_of(tmp_path) for word in words)
    history.remove(conversation)
    assert [word for word in words for content in files_of(tmp_path) if word.encode() in content] == []
    connection = sqlite3.connect(tmp_path / "home" / "history.db")
    connection.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, grams, row)")
    indexed = {row[0] for row in connection.execute("SELECT term FROM temp.terms")}
    assert indexed == {"keep", "the", "recipe", "salt", "and", "pepper"}
    assert contents(history, kept) == ["Keep the recipe", "Salt and pepper."]


def files_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in (folder / "home").iterdir()]


def test_an_id_may_be_shortened_as_long_as_it_is_the_only_one(history: History) -> None:
    conversation = said(history, None, "one", "1")
    assert history.read(conversation[:3]).summary.id == conversation
    with pytest.raises(HistoryError, match="no conversation"):
        history.read("aeiou")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("邮件", True),
        ("发邮件给", True),
        ("邮", True),
        ("件邮", False),
        ("发给", False),
        ("Report", True),
        ("rep", True),
        ("port", False),
        ("邮件 report", True),
        ("邮件 invoice", False),
        ("PDF文件", True),
        ('"', False),
        ("café", True),
        ("cafe", True),
        ("邮件给", True),
        ("邮件我给", False),
        ("给我附上", False),
        ("件给我给", False),
    ],
)
def test_search_finds_words_in_both_languages(history: History, words: str, found: bool) -> None:
    said(history, None, "请发邮件给我，附上 PDF文件。", "The report (Café) is attached.\n请发邮件给 the report desk")
    assert bool(history.search(words)) == found


def test_search_shows_the_line_that_matched_from_the_original_text(history: History) -> None:
    said(history, None, "x", "# 标题\n\n请把“会议纪要”发给大家！\n再见")
    (found,) = history.search("会议纪要")
    assert found.hit == Hit("answer", "", "请把“会议纪要”发给大家！")


def test_search_lists_the_last_written_first_with_the_best_line_of_each(history: History) -> None:
    first = said(history, None, "budget", "The budget of the budget.")
    second = said(history, None, "long", "budget " + "and many other words " * 50)
    assert [found.id for found in history.search("budget")] == [second, first]
    said(history, first, "And then?", "Nothing.")
    found = history.search("budget")
    assert [found.id for found in found] == [first, second]
    assert [found.id for found in history.search("budget", 1)] == [first]


def test_a_fork_is_found_by_what_it_shares_and_a_turn_taken_back_is_not(history: History) -> None:
    first = said(history, None, "budget", "The budget.")
    fork = history.fork(first)
    assert {found.id for found in history.search("budget")} == {first, fork}
    history.move(first, history.read(first).head, None, None)
    assert [found.id for found in history.search("budget")] == [fork]


@pytest.mark.parametrize(
    ("words", "line", "marked"),
    [
        ("mail", "The Mail is no email, but mails", ["Mail", "mail"]),
        ("cafe", "Zum Café", ["Café"]),
        ("café résumé", "cafe, resumé", ["cafe", "resumé"]),
        ("会议纪要", "请把“会议纪要”发给大家", ["会议纪要"]),
        ("会议 会议纪要", "会议纪要", ["会议纪要"]),
        ("PDF文件", "一个pdf文件", ["pdf文件"]),
        ("한글", "이 한글은", ["한글"]),
        ("İstanbul", "istanbul", ["istanbul"]),
        ("(a+", "a++ (a)", ["a", "a"]),
    ],
)
def test_what_was_found_is_known_by_its_place(words: str, line: str, marked: list[str]) -> None:
    assert [line[start:end] for start, end in found_in(words, line)] == marked


def test_of_several_conversations_all_are_removed_or_none(history: History) -> None:
    ids = [said(history, None, "question", "answer") for _n in range(3)]
    with pytest.raises(HistoryError, match="aeiou"):
        history.remove(ids[0], "aeiou")
    assert len(history.recent()) == 3
    assert history.remove(ids[0], ids[1], ids[0]) == ids[:2]
    assert [summary.id for summary in history.recent(None)] == ids[2:]


@pytest.mark.parametrize(
    ("question", "title"), [("\n  Hello \nworld", "Hello"), ("长" * 70, "长" * 59 + "…"), ("", "")]
)
def test_the_title_is_the_first_line_of_the_question(question: str, title: str) -> None:
    assert title_of(Question(question)) == title


def test_the_database_is_private_and_durable(history: History, tmp_path: Path) -> None:
    said(history, None, "one", "1")
    for file in (tmp_path / "home").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    connection = sqlite3.connect(tmp_path / "home" / "history.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_database_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    connection = sqlite3.connect(path, isolation_level=None)
    first = MIGRATIONS[0]
    assert isinstance(first, str)
    connection.executescript(first + "PRAGMA user_version = 1")
    connection.execute("INSERT INTO conversations VALUES ('abc', 'Old', 'm', NULL, 1.0, 1.0, NULL)")
    connection.close()
    assert History(path).read("abc").summary.title == "Old"
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="newer version"):
        History(path)
    assert path.read_bytes() == before


def test_a_damaged_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(b"this is no database at all " * 100)
    before = path.read_bytes()
    with pytest.raises(HistoryError, match=r"history\.db"):
        History(path)
    assert path.read_bytes() == before


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from qwen_tui.history.store import History\n"
        "from qwen_tui.messages import Question\n"
        "history = History(Path(sys.argv[1])); conversation = None\n"
        "for i in range(25):\n"
        "    turn = history.begin(conversation, Question(f'q{i}'), model='m', system=None)\n"
        "    turn.update(f'a{i}', 'stop'); conversation = turn.conversation\n"
    )
    path = tmp_path / "history.db"
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(4)]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    history = History(path)
    assert len(history.recent()) == 4
    for summary in history.recent():
        assert contents(history, summary.id) == [text for i in range(25) for text in (f"q{i}", f"a{i}")]


def test_questions_come_newest_first_each_once_and_not_the_documents(history: History) -> None:
    first = said(history, None, "one", "1")
    for question in ("two", "one", "x" * 20_001, "three"):
        said(history, first, question, "…")
    take_back(history, first)
    assert history.questions() == ["three", "one", "two"]
    assert history.questions(2) == ["three", "one"]


def test_removing_deletes_no_message_of_another_conversation(history: History) -> None:
    other = said(history, said(history, None, "keep one", "1"), "keep two", "2")
    take_back(history, other)
    conversation = said(history, None, "gone", "away")
    history.remove(conversation)
    assert contents(history, other) == ["keep one", "1"]
    (undone,) = history.read(other).undone
    assert (undone.question.words, undone.answer) == ("keep two", "2")


def test_a_fork_gets_the_messages_that_it_needs(history: History, tmp_path: Path) -> None:
    first = said(history, None, "shared", "past")
    fork = history.fork(first)
    said(history, first, "secret", "Zanzibar")
    said(history, fork, "its own", "answer")
    history.remove(first)
    assert contents(history, fork) == ["shared", "past", "its own", "answer"]
    assert [file for file in files_of(tmp_path) if b"anzibar" in file] == []
    history.remove(fork)
    assert [file for file in files_of(tmp_path) if b"shared" in file] == []


def test_a_fork_gets_the_messages_that_its_undone_turn_needs(history: History) -> None:
    first = said(history, said(history, None, "one", "1"), "two", "2")
    fork = history.fork(first)
    said(history, fork, "three", "3")
    for _step in range(2):
        take_back(history, fork)
    history.remove(first)
    assert contents(history, fork) == ["one", "1"]
    assert [exchange.question.words for exchange in history.read(fork).undone] == ["three", "two"]
    history.move(fork, history.read(fork).head, history.read(fork).undone[0].kept, None)
    assert contents(history, fork) == ["one", "1", "two", "2", "three", "3"]


def test_an_undone_turn_of_a_removed_conversation_is_gone_in_its_fork(history: History, tmp_path: Path) -> None:
    first = said(history, said(history, None, "one", "1"), "secret", "Zanzibar")
    fork = history.fork(first)
    take_back(history, fork)
    history.remove(first)
    assert contents(history, fork) == ["one", "1"]
    assert history.read(fork).undone == ()
    assert [file for file in files_of(tmp_path) if b"anzibar" in file] == []


def test_conversations_are_in_the_order_of_writing_even_if_the_clock_goes_back(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_tui.history.store.time.time", lambda: 4e9)
    ahead = said(history, None, "in the future", "1")
    monkeypatch.undo()
    now = said(history, None, "now", "2")
    assert history.last() == now
    assert [summary.id for summary in history.recent()] == [now, ahead]
    take_back(history, ahead)
    assert history.last() == ahead
