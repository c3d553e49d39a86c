"""Turns messages into prompt tokens with our own ChatML. The template inside a model file is never rendered.

    <|im_start|>{role}⏎{content}<|im_end|>⏎ … <|im_start|>assistant⏎

Before it stands the token with which the model's file wants every prompt to begin, if it names one.

Only the marks that this module writes become control tokens; `<|im_end|>` inside a message is ordinary text.
"""

import codecs
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from qwen_tui.engine.worker.model import Vocabulary
from qwen_tui.messages import Message

# When more text follows, the tokenizer may choose other tokens for the last few of a text.
_UNSETTLED = 4
# How many answers are remembered with their tokens. A conversation rarely has more turns within one context.
_REMEMBERED = 256
# A message of at least so many characters is remembered with its tokens, because it is counted before it is asked. All
# that are remembered have at most so many characters together.
_LONG, _MOST_CHARACTERS = 2000, 4_000_000


class ChatML:
    """Builds prompts, and remembers the tokens of the answers.

    A model may write a text in other tokens than the tokenizer would choose. With the tokens that the model wrote, the
    prompt of the next turn begins with exactly what the KV cache holds.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Raises `LoadError` if the vocabulary has no ChatML marks."""
        self._vocabulary = vocabulary
        self._start = vocabulary.special("<|im_start|>")
        self._end = vocabulary.special("<|im_end|>")
        # Some models are named the mark itself as the token to begin with: it stands there anyway.
        self._beginning = [token for token in vocabulary.beginning if token != self._start]
        self._newline = vocabulary.tokenize("\n")
        self._assistant = vocabulary.tokenize("assistant\n")
        self._answers: OrderedDict[str, Sequence[int]] = OrderedDict()
        # The tokens of long messages, the last one used at the end.
        self._long: OrderedDict[str, Sequence[int]] = OrderedDict()
        # The beginning of an unfinished answer, as text and as tokens.
        self._begun: tuple[str, Sequence[int]] = ("", [])
        # Two threads count: the one that reads ahead, and the one that takes the commands.
        self._lock = threading.RLock()

    def tokens(self, messages: Iterable[Message]) -> list[int]:
        """Return the prompt tokens of `messages`, the opening of the answer included."""
        with self._lock:
            return [*self._whole(messages), self._start, *self._assistant]

    def beginning(self, messages: Sequence[Message]) -> list[int]:
        """Return the tokens with which every prompt begins that goes on with `messages`.

        If the last of them is the user's, more text may still follow in it.
        """
        *whole, last = messages
        with self._lock:
            if last.role != "user":
                return self._whole(messages)
            return [*self._whole(whole), self._start, *self._body(last)[:-_UNSETTLED]]

    def _whole(self, messages: Iterable[Message]) -> list[int]:
        prompt = list(self._beginning)
        for message in messages:
            prompt += [self._start, *self._body(message), self._end, *self._newline]
        return prompt

    def remember(self, text: str, tokens: Sequence[int]) -> None:
        """Remember the tokens in which the model wrote the answer `text`."""
        with self._lock:
            self._answers[text] = tokens
            self._answers.move_to_end(text)
            if len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)

    def learn(self, prompt: Sequence[int]) -> None:
        """Remember the answers in `prompt`, which holds the tokens of a conversation up to its last answer.

        The last answer may lack its end: the last sampled token was never decoded.
        """
        opening = [self._start, *self._assistant]
        starts = [at for at, token in enumerate(prompt) if token == self._start]
        for start in starts:
            body = start + len(opening)
            if list(prompt[start:body]) != opening:
                continue
            end = body
            while end < len(prompt) and prompt[end] not in (self._end, self._start):
                end += 1
            tokens = list(prompt[body:end])
            text, _whole = self._text(tokens)
            if text:
                self.remember(text, tokens)
            self._begun = self._begin_with(tokens) if text and end == len(prompt) else ("", [])

    def _text(self, tokens: Sequence[int]) -> tuple[str, bool]:
        """Return the text of an answer as it is shown, and whether its last character is complete.

        The bytes of an incomplete last character are left out, as in the answer itself.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(b"".join(map(self._vocabulary.piece, tokens)))
        return text, not decoder.getstate()[0]

    def _begin_with(self, tokens: Sequence[int]) -> tuple[str, Sequence[int]]:
        """Return the text and tokens of a beginning, without the tokens of an incomplete last character."""
        while not (end := self._text(tokens))[1]:
            tokens = tokens[:-1]
        return end[0], tokens

    def _body(self, message: Message) -> Sequence[int]:
        if message.role == "assistant":
            if message.content in self._answers:
                return [*self._assistant, *self._answers[message.content]]
            text, tokens = self._begun
            if text and message.content.startswith(text):
                return [*self._assistant, *tokens, *self._vocabulary.tokenize(message.content[len(text) :])]
        # Role and content are tokenised together, because the tokenizer joins newlines.
        return self._tokens_of(f"{message.role}\n{message.content}")

    def _tokens_of(self, text: str) -> Sequence[int]:
        if not _LONG <= len(text) <= _MOST_CHARACTERS:
            return self._vocabulary.tokenize(text)
        tokens = self._long.pop(text, None)
        self._long[text] = array("i", self._vocabulary.tokenize(text)) if tokens is None else tokens
        while sum(map(len, self._long)) > _MOST_CHARACTERS:
            self._long.popitem(last=False)
        return self._long[text]
