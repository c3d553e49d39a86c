"""Time `qwen logs search` in a history of 100,000 messages in both languages, and show what it finds.

    python scripts/bench/search.py [--messages 100000] [--seed 0] [--database FILE]

The messages are 200 to 600 characters long, and consist of words from lists, a few of which are far more frequent than
the rest. They are written to the program's own tables and index in one transaction. FILE is kept and used again;
without it the database is deleted at the end. The script also times the removal of a conversation, in a copy.
"""

import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from qwen_tui import grams
from qwen_tui.columns import markdown_table
from qwen_tui.history.database import connect
from qwen_tui.history.records import title_of
from qwen_tui.history.store import History
from scripts.command_line import command_line, report_progress

MESSAGES_A_CONVERSATION = 20
REPEATS = 5


def split(words: str) -> list[str]:
    """Return the words of a list."""
    return words.split()


CHINESE = split("""
    我们 你们 今天 明天 工作 项目 会议 邮件 文件 报告 学生 老师 时间 问题 方案 客户 公司 部门 数据 系统 电脑
    电话 合同 预算 计划 同事 领导 经理 产品 设计 测试 代码 程序 网络 账号 密码 通知 安排 资料 表格 图片 视频
    文章 标题 内容 修改 意见 建议 讨论 决定 完成 提交 检查 整理 发送 收到 回复 打印 下载 安装 更新 保存 删除
    学习 复习 考试 作业 课程 教室 学期 成绩 家长 假期 旅行 城市 天气 健康 医院 运动 音乐 电影 图书 历史 地理
    数学 物理 化学 生物 语文 英语 翻译 摘要 总结 提纲 演讲 邮箱 邮局 火车 机票 酒店 早餐 午饭 晚餐 咖啡 面条
    蔬菜 水果 价格 发票 付款 银行 工资 税务 保险 房子 家具 搬家 装修 花园 宠物 小猫 小狗 孩子 父母 朋友
""")
CHINESE_JOINTS = split("的 和 在 把 要 已经 还没有 可以 应该 需要 关于 因为 所以 但是")
ENGLISH = split("""
    the report meeting email project team budget please review change customer schedule office teacher
    student class paper homework summary draft question answer document table figure result server network
    password account update install backup folder program function variable error test release version design
    plan deadline invoice payment contract price market product service support manager colleague department
    holiday travel hotel train ticket weather garden kitchen coffee bread dinner music film library history
    geography physics chemistry biology language translation grammar essay lesson exercise exam grade parent
    child friend doctor hospital health sport running bicycle river mountain island bridge
""")
ENGLISH_JOINTS = split("and of in for with to is we should about because that on from")
RARE = {"zh": "鹦鹉", "en": "parrot"}
# Sentences.
RARE_ONE_IN = 20_000

SEARCHES = (
    ("one character", "邮"),
    ("two characters in a sentence", "邮件"),
    ("a phrase, two words joined", "邮件已经"),
    ("a phrase of frequent pairs", "我们的我们的我们的"),
    ("an English word", "email"),
    ("the most frequent English word", "the"),
    ("one English letter", "e"),
    ("two words together", "邮件 合同"),
    ("two English words", "budget invoice"),
    ("a rare word", "鹦鹉"),
    ("a rare English word", "parrot"),
    ("both languages in one message", "邮件 email"),
    ("a word that is not there", "蜥蜴"),
    ("an English word that is not there", "lizard"),
)


def main() -> None:
    """Create the database if necessary, search it, and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("--messages", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the texts (default: %(default)s)")
    parser.add_argument("--database", type=Path, help="a file to keep it in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.database or Path(folder) / "history.db"
        if not path.exists():
            build(path, arguments.messages, arguments.seed)
        print(f"{arguments.messages} messages, {path.stat().st_size / 1e6:.0f} MB, SQLite {sqlite3.sqlite_version}\n")
        search_all(History(path))
        copy = Path(folder) / "copy.db"
        shutil.copyfile(path, copy)
        history = History(copy)
        last = history.last()
        assert last is not None
        started = time.perf_counter()
        history.remove(last)
        print(f"\nRemoving a conversation for good took {time.perf_counter() - started:.2f} s.")


def build(path: Path, messages: int, seed: int) -> None:
    """Create a history of so many messages at `path`; every second conversation is Chinese."""
    rng, started = random.Random(seed), time.perf_counter()
    connection = connect(path)
    connection.execute("BEGIN")
    for number in range(messages // MESSAGES_A_CONVERSATION):
        language = "zh" if number % 2 else "en"
        now = 1_700_000_000.0 + number * 3600
        texts = [message(language, rng) for _ in range(MESSAGES_A_CONVERSATION)]
        conversation = f"{number:06d}"
        connection.execute(
            "INSERT INTO conversations VALUES (?, ?, 'm', NULL, ?, ?, NULL)",
            (conversation, title_of(texts[0]), now, now),
        )
        parent = None
        for index, text in enumerate(texts):
            parent = connection.execute(
                "INSERT INTO messages(parent, role, content, created) VALUES (?, ?, ?, ?)",
                (parent, "assistant" if index % 2 else "user", text, now),
            ).lastrowid
            connection.execute("INSERT INTO grams(rowid, body) VALUES (?, ?)", (parent, grams.grams(text)))
        connection.execute("UPDATE conversations SET head = ? WHERE id = ?", (parent, conversation))
    connection.execute("COMMIT")
    connection.close()
    report_progress(f"made in {time.perf_counter() - started:.0f} s")


def message(language: str, rng: random.Random) -> str:
    """Return a text of 200 to 600 characters, in sentences; some Chinese ones contain an English word."""
    return "".join(sentences(language, rng.randint(200, 600), rng))


def sentences(language: str, length: int, rng: random.Random) -> Iterator[str]:
    """Yield sentences until there are `length` characters."""
    words, joints = (CHINESE, CHINESE_JOINTS) if language == "zh" else (ENGLISH, ENGLISH_JOINTS)
    weights = [1 / rank for rank in range(1, len(words) + 1)]
    written = 0
    while written < length:
        parts = []
        for word in rng.choices(words, weights, k=rng.randint(4, 9)):
            parts += [word, rng.choice(joints)]
        if rng.random() < 1 / RARE_ONE_IN:
            parts.append(RARE[language])
        if language == "zh" and rng.random() < 0.05:
            parts.append(rng.choice(ENGLISH[:20]))
        sentence = "".join(parts) + "。" if language == "zh" else " ".join(parts).capitalize() + ". "
        if rng.random() < 0.2:
            sentence += "\n"
        written += len(sentence)
        yield sentence


def search_all(history: History) -> None:
    """Run all searches, and print how long each took and its first match."""
    rows = []
    for name, words in SEARCHES:
        seconds = []
        for _repeat in range(REPEATS):
            started = time.perf_counter()
            found = history.search(words)
            seconds.append(time.perf_counter() - started)
        for summary in found:
            assert summary.hit is not None and grams.found_in(words, summary.hit.line), f"{words}: {summary.hit}"
        line = found[0].hit.line if found and found[0].hit else ""
        shown = line if len(line) <= 40 else line[:40] + "…"
        rows.append((name, words, f"{statistics.median(seconds):.3f}", f"{max(seconds):.3f}", len(found), shown))
    print(markdown_table(["search", "words", "median s", "worst s", "conversations", "first line found"], rows))


if __name__ == "__main__":
    main()
