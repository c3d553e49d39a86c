"""Makes pasted texts of any length: prose, lists, logs, code and tables that no answer was learned for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from . import other_prompts
from .patterns import expand

_CODE = [
    "def {noun}_{verb}(value):",
    "    return {noun}.{verb}({digit})",
    "for {noun} in range({digit}):",
    "    if {noun} > {digit}:",
    "        print({noun}, {digit})",
    "import {noun}",
    "class {noun}:",
    "# the {adjective} {noun} must not {verb}",
    "const {noun} = {digit};",
    "function {verb}({noun}) {",
    "}",
    "let {noun} = await {verb}({noun});",
    "int {verb}(const char *{noun});",
    "SELECT {noun} FROM {noun}s",
    "WHERE {noun} = {digit} AND {noun} IS NOT NULL;",
    "    {noun}s.append({noun})",
    "while {noun}:",
    "    raise ValueError('{noun}')",
    "#include <{noun}.h>",
    "public void {verb}() throws Exception",
    "    // TODO: {verb} the {adjective} {noun}",
    "except KeyError:",
    "",
    "total = total + {noun}[{digit}]",
    "    assert {verb}({digit}) == {digit}",
    '<div class="{noun}">{adjective}</div>',
    "return None",
]
_ENGLISH_SENTENCES = [
    "The {adjective} {noun} near {place} [has been|was|will be] closed because of the {noun}.",
    "{number} people [came|wrote|complained|asked about {topic}] last [week|month|year], more than in {place}.",
    "According to the [report|council|teacher|company], {topic} [is|remains|became] [important|expensive|"
    "difficult] for {receiver}.",
    "We [bought|repaired|lost|painted] {thing} and then [talked about {topic}|went to {place}|decided to {verb}].",
    "It is not clear why {topic} [should|would] change the {adjective} {noun}.",
    "- {noun}: {number} {unit}, {adjective}",
    "- {receiver}: {request}",
    "{digit}:{digit}0 {noun} {verb} {number}",
    "On [Monday|Tuesday|Sunday] the {noun} was {adjective}, so we could not {verb}.",
    "Please {verb} the {noun} before you {verb}.",
    "{person} once said that {topic} and {topic} have little in common.",
    "Item {number}: {adjective} {noun}, {number} euros.",
]
_CHINESE_SENTENCES = [
    "{place}的{noun}因为{noun}[暂时关闭|重新开放|推迟了两周]。",
    "去年有 {number} 人[写信|投诉|报名|询问{topic}]，比{place}多。",
    "据[报告|老师|公司|居民]说，{topic}[很重要|越来越贵|不容易]。",
    "我们[买了|修好了|弄丢了]{thing}，然后[谈到{topic}|去了{place}|决定{verb}]。",
    "至于{topic}为什么会影响{noun}，目前还不清楚。",
    "- {noun}：{number} {unit}，{adjective}",
    "- {receiver}：{request}",
    "[周一|周二|周日]那天{noun}[坏了|不见了]，大家只好{verb}。",
    "请在{verb}之前检查{noun}。",
    "{person}说过，{topic}和{topic}没有多少共同点。",
    "第 {number} 条：{adjective}{noun}，{number} 元。",
    "{digit}:{digit}0 {noun}{verb} {number}",
]


class MaterialMaker:
    """Builds texts out of the listed sentences, the learned answers' lines, generated sentences and other prompts."""

    def __init__(self, sentences: Mapping[str, Sequence[str]], lines: Mapping[str, Sequence[str]]) -> None:
        self._sentences = sentences
        self._lines = lines

    def text(self, language: str, characters: int, random: Random) -> str:
        """Returns a text of about so many characters, usually in the given language."""
        makers: list[Callable[[str, Random], str]] = [
            self._prose,
            self._prose,
            self._prose,
            self._list,
            self._code,
            self._mixture,
        ]
        only = random.choice(makers) if random.random() < 0.7 else None
        paragraphs: list[str] = []
        length = 0
        repeats = random.random() < 0.15
        while length < characters:
            if repeats and len(paragraphs) > 2 and random.random() < 0.6:
                paragraph = random.choice(paragraphs)
            else:
                paragraph = (only or random.choice(makers))(language, random)
            paragraphs.append(paragraph)
            length += len(paragraph)
        return random.choice(["\n\n", "\n\n", "\n"]).join(paragraphs)[: max(characters, 20)].strip()

    def _sentence(self, language: str, random: Random) -> str:
        if random.random() < 0.5:
            sentence = random.choice(self._sentences[language])
        else:
            patterns = _CHINESE_SENTENCES if language == "zh" else _ENGLISH_SENTENCES
            sentence = expand(random.choice(patterns), other_prompts.WORDS[language], random)
        return other_prompts.with_unseen_words(sentence, language, random) if random.random() < 0.35 else sentence

    def _prose(self, language: str, random: Random) -> str:
        separator = "" if language == "zh" else " "
        return separator.join(self._sentence(language, random) for _ in range(random.randint(2, 7)))

    def _list(self, language: str, random: Random) -> str:
        mark = random.choice(["- ", "* ", "", "1. ", "| ", "> "])
        return "\n".join(mark + self._sentence(language, random) for _ in range(random.randint(3, 8)))

    def _code(self, language: str, random: Random) -> str:
        words = other_prompts.WORDS["en"]
        lines = [expand(random.choice(_CODE), words, random) for _ in range(random.randint(4, 14))]
        if random.random() < 0.4:
            lines = ["# " + self._sentence(language, random) for _ in range(3)] + lines
        return "\n".join(lines)

    def _mixture(self, language: str, random: Random) -> str:
        kind = random.randrange(4)
        if kind == 0:
            return "\n".join(random.choices(self._lines[language], k=random.randint(1, 5)))
        if kind == 1:
            return "\n".join(other_prompts.general(language, random) for _ in range(random.randint(2, 6)))
        if kind == 2:
            return "\n".join(other_prompts.junk(random) for _ in range(random.randint(1, 5)))
        return self._prose("zh" if language == "en" else "en", random)
