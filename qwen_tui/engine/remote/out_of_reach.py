"""What an engine on this computer can do and nobody can from here with a server: its memory, its cache, its clock."""

from collections.abc import Iterator, Sequence

from qwen_tui.engine.protocol import LargerContext, Request
from qwen_tui.errors import EngineError
from qwen_tui.i18n import gettext as _
from qwen_tui.messages import Event, Message


class OutOfReach:
    """The part of `Engine` that answers for a server: it cannot be done, or there is nothing to do."""

    def loading(self) -> None:
        """Nothing is loaded on this computer."""

    def larger(self, ctx_size: int) -> LargerContext:
        """The context of a server is set where it runs."""
        return LargerContext(ctx_size, obstacle=_("The context of a server is set where it runs."))

    def resize(self, ctx_size: int) -> None:  # noqa: ARG002
        """Raise `EngineError`; see `larger`."""
        raise EngineError(_("The context of a server is set where it runs."))

    def cached(self, messages: Sequence[Message]) -> int:  # noqa: ARG002
        """A server tells what it had cached only after the answer."""
        return 0

    def try_out(self, messages: Sequence[Message]) -> Iterator[Event]:  # noqa: ARG002
        """A server computes for answers alone: others wait for it, or somebody pays."""
        yield from ()

    def batch_seconds(self, sizes: Sequence[int], depth: int = 0) -> tuple[float, ...]:  # noqa: ARG002
        """A server computes no single batches on demand; raises `EngineError`."""
        raise EngineError(
            _("A server does not let its batches be measured."), _("Measure it where it runs, with its own tools.")
        )

    def read_ahead(self, request: Request | None, place: int = 0) -> None:
        """Nothing is sent ahead: a server gets a question when the person sends it, and not before."""

    def reading_ahead(self) -> tuple[int, int] | None:
        """Nothing is read ahead."""
        return None

    def pause(self) -> None:
        """A server goes on while the program is suspended: what comes meanwhile waits in the connection."""

    def resume(self) -> None:
        """The time of the suspension does not count as silence; nothing else is to be done."""
