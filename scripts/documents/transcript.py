"""Writes the transcript of a meeting of an hour, with decisions and tasks at known places, to try minutes on.

    python scripts/documents/transcript.py [--minutes 60] [--seed 0] > meeting.txt

One speaks about 150 words a minute, so an hour has some 15,000 tokens. What was decided and who does what is printed on
stderr: that is what minutes have to contain.
"""

import random
import sys

from scripts.command_line import command_line, report_progress

PEOPLE = ("Anna", "Ben", "Chloe", "David", "Emma")
TOPICS = {
    "the new library": ("open it on Saturdays", "ask three builders for offers", "Emma", "12 May"),
    "the summer fair": ("hold it on 21 June", "rent twelve tents", "Ben", "1 June"),
    "the school bus": ("keep the stop at the mill", "write to the parents", "Chloe", "3 May"),
    "the heating": ("replace the boiler in autumn", "measure the flow temperature", "David", "30 April"),
    "the website": ("move it to the town's server", "collect the old pictures", "Anna", "15 May"),
}
TALK = (
    "I have looked at {topic} again, and I am not sure that the figures of last year still hold.",
    "When we talked about {topic} in March, somebody said that it would cost more than we think.",
    "Let me say one thing about {topic}: people ask me about it in the street every week.",
    "We should not hurry with {topic}. A month more or less changes nothing for anybody.",
    "The letter of the council says little about {topic}, but it does not say no either.",
    "My sister's town has done the same with {topic}, and they would do it differently today.",
)


def transcript(minutes: int, dice: random.Random) -> list[str]:
    """Return the lines of the meeting: each has the time, who speaks, and what is said."""
    lines, share = [], max(1, minutes // len(TOPICS))
    for number, (topic, (decision, task, person, due)) in enumerate(TOPICS.items()):
        for minute in range(number * share, (number + 1) * share):
            # Five turns of thirty words are what people say in a minute.
            for turn in range(5):
                said = " ".join(sentence.format(topic=topic) for sentence in dice.sample(TALK, 2))
                lines.append(f"[00:{minute:02}:{12 * turn:02}] {dice.choice(PEOPLE)}: {said}")
        last = (number + 1) * share - 1
        lines.append(f"[00:{last:02}:58] {person}: Then it is decided about {topic}: we {decision}.")
        lines.append(f"[00:{last:02}:59] {person}: And I will {task} until {due}.")
        report_progress(f"{topic}: {decision}; {person} will {task} until {due}")
    return lines


def main() -> int:
    """Print the transcript."""
    parser = command_line(__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("\n".join(transcript(options.minutes, random.Random(options.seed))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
