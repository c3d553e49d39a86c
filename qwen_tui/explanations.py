"""Explains each setting, and shows its value, in the language in use."""

import msgspec

from qwen_tui.i18n import gettext as _

# Example values for settings without a default.
EXAMPLES = {"language": "en", "system": "You are a patient teacher.", "threads": 4, "seed": 1, "max_tokens": 2000}


def explanation(name: str) -> str:
    """Return the sentence that says what the setting `name` does."""
    return {
        "model": _("The model that answers: its name, a .gguf file, a server or demo."),
        "language": _("The language of the program: zh or en."),
        "system": _("The system prompt of new conversations: who the model is and what it must heed."),
        "ctx_size": _("The context in tokens: how much text the model sees at once. More takes more memory."),
        "threads": _("How many threads compute."),
        "gpu_layers": _("How many layers the graphics card computes: auto, all, or a number."),
        "temperature": _("How much chance there is in an answer: 0 none, so that it can be repeated; 1 is a lot."),
        "top_p": _("Only the likeliest tokens are drawn from, until together they reach this probability."),
        "top_k": _("Only so many of the likeliest tokens are drawn from; 0 means all."),
        "min_p": _("Tokens are left out that are less likely than this part of the likeliest; 0 leaves out none."),
        "presence_penalty": _("Above 0, the model repeats itself less: tokens that were used become less likely."),
        "seed": _("The number that chance begins with: the same one draws the same answer again."),
        "max_tokens": _("How many tokens an answer may have."),
        "fit": _("What is done with material that is too long: ask, context, select, map, each or error."),
        "ask_above": _("Before a longer wait than so many seconds, you are asked first; 0 never asks."),
        "history": _("Whether conversations are kept on this computer: true or false."),
        "lookup": _("Whether answers that quote the prompt are sped up by drafts from it: true or false."),
        "cache": _("Whether computed prompts are kept on disk, so that nothing is computed twice: true or false."),
        "cache_limit": _("How many GB the computed prompts may take on disk: auto, or a number."),
        "cache_seconds": _("A computed prompt is kept if it took at least so many seconds."),
        "read_ahead": _("Whether the model reads what is attached and typed before it is sent: true or false."),
        "read_ahead_charge": _("On a battery with less charge, in percent, nothing is read before it is sent."),
        "theme": _("The colours of answers, to suit the background of the terminal: auto, dark or light."),
        "ambiguous_width": _("How many columns the characters “ ” … — take in this terminal: 1 or 2."),
        "prose_width": _("How many columns a line of prose may take; code and tables may be wider."),
    }[name]


def shown_value(name: str, value: object) -> str:
    """Return the value of a setting as TOML writes it, or what it means if there is none."""
    if value is not None:
        # TOML writes texts, numbers, true and false as JSON does.
        return msgspec.json.encode(value).decode()
    return {
        "language": _("(as the system's)"),
        "system": _("(none)"),
        "threads": _("(the physical cores)"),
        "seed": _("(random)"),
        "max_tokens": _("(no limit)"),
    }[name]
