"""Does an answer have the form that was asked for?"""

import json
import re

from qwen_tui.chat.code_blocks import code_blocks
from qwen_tui.evaluation.compare.sample import Finding, Sample, shown
from qwen_tui.evaluation.compare.units import sentences
from qwen_tui.i18n import gettext as _

_BULLET = re.compile(r"^(?:[-*+•]|\d+[.)、])[ \t]*\S", re.MULTILINE)
_HEADING = re.compile(r"^[ \t]*#{1,6}[ \t]+\S|^[ \t]*\*\*[^*\n]+\*\*[:：]?[ \t]*$", re.MULTILINE)
_LIST = re.compile(r"^[ \t]*(?:[-*+•]|\d+[.)])[ \t]+\S", re.MULTILINE)
_TABLE = re.compile(r"^[ \t]*\|.*\|[ \t]*$", re.MULTILINE)


def bare_json(sample: Sample) -> Finding:
    """Check that the answer is JSON and nothing around it: no sentence, no code block.

    Rule: the task asks for nothing but JSON; a program that reads the answer takes it as it is.
    """
    try:
        json.loads(sample.text)
    except (ValueError, RecursionError):
        return Finding(
            0.0, _("There is more than the JSON, or it is none: “{start}”.").format(start=shown(sample.text))
        )
    return Finding(1.0, _("The answer is JSON and nothing else."))


def one_code_block(sample: Sample) -> Finding:
    """Check that the answer has exactly one code block.

    Rule: the task asks for one complete program, so that it can be copied at once.
    """
    count = len(code_blocks(sample.text))
    if count == 1:
        return Finding(1.0, _("The answer has one code block."))
    return Finding(0.0, _("One code block was asked for; the answer has {count}.").format(count=count))


def bullets(sample: Sample, *, count: int) -> Finding:
    """Check that the answer is a list of `count` items and nothing else.

    Rule: the task asks for that list. Lines that are indented belong to the item above.
    """
    lines = [line for line in sample.text.splitlines() if line.strip() and not line.startswith((" ", "\t"))]
    items = [line for line in lines if _BULLET.match(line)]
    if len(items) != count:
        return Finding(
            0.0, _("{asked} items were asked for; the answer has {count}.").format(asked=count, count=len(items))
        )
    if len(items) < len(lines):
        other = next(line for line in lines if line not in items)
        return Finding(0.0, _("There is more than the list: “{line}”.").format(line=shown(other)))
    return Finding(1.0, _("The answer is a list of {count} items.").format(count=count))


def running_text(sample: Sample, *, title: bool = False) -> Finding:
    """Check that the answer is running text: no lists, tables, code or headings, with `title` but for the first line.

    Rule: CommonMark's marks of those blocks.
    """
    text = sample.text.strip()
    first, _line_end, rest = text.partition("\n")
    body = rest if title else text
    for pattern, what in ((_HEADING, _("headings")), (_LIST, _("lists")), (_TABLE, _("tables"))):
        if found := pattern.search(body):
            sentence = _("Running text was asked for; the answer has {what}: “{line}”.")
            line = body[found.start() :].strip().splitlines()[0]
            return Finding(0.0, sentence.format(what=what, line=shown(line)))
    if code_blocks(body):
        return Finding(0.0, _("Running text was asked for; the answer has code."))
    if title and (len(sentences(first)) > 1 or len(first) > 80 or not rest.strip()):
        return Finding(0.0, _("The title is missing."))
    return Finding(1.0, _("The answer is running text, as it was asked for."))
