"""Downloads one model file: the sources fill a partial file in turn, and only the right hash gives it its name."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from qwen_tui import cancellation
from qwen_tui.errors import DownloadError, InvalidModelError
from qwen_tui.files import private_folder
from qwen_tui.i18n import gettext as _
from qwen_tui.i18n import in_a_row, listed
from qwen_tui.models.disk import check_room, write_error
from qwen_tui.models.fetching import hub
from qwen_tui.models.fetching.events import Arrived, Checking, Fetching, Remark, Steps
from qwen_tui.models.fetching.partial import Notes, PartialFile, adopt
from qwen_tui.models.fetching.responses import NoRangesError, accept, check_beginning
from qwen_tui.models.fetching.rotation import PATIENCE, Candidate, Patience, Rotation
from qwen_tui.models.fetching.source import Source, WantedModel
from qwen_tui.models.gguf import read_header
from qwen_tui.models.hashing import reading
from qwen_tui.network.request import RequestError
from qwen_tui.network.stream import Stream
from qwen_tui.quoting import quoted

# Status codes of responses that contain a file, though perhaps the wrong one.
_WITH_FILE = (200, 206)
# While another process downloads the same file, this one tries the lock this often, in seconds.
_LOCK_EVERY = 0.05


class Download:
    """Fetches `wanted` from `sources` into the file `target`. First `learn`, then `run`; both raise `DownloadError`.

    A present file that cannot be read raises `InvalidModelError`, a folder that cannot be written `WriteError`.
    """

    def __init__(
        self, wanted: WantedModel, sources: Sequence[Source], target: Path, *, patience: Patience = PATIENCE
    ) -> None:
        self.wanted = wanted
        self.target = target
        self._patience = patience
        self._rotation = Rotation(sources, patience)
        self._fetched = 0
        self._last: Candidate | None = None
        self._asked: tuple[str, ...] = ()
        # The hash is from an earlier download, not from the catalogue.
        self._remembered = bool(wanted.sha256) and not wanted.pinned

    @property
    def kept(self) -> int:
        """How many bytes an earlier attempt has left."""
        return self._partial().kept

    def learn(self) -> Steps[None]:
        """Ask the hubs for hash and size if the hash is unknown; it stays unknown if no hub has it."""
        while not self.wanted.sha256:
            candidate = yield from self._rotation.next(lambda c: bool(c.source.endpoint) and not c.asked)
            if candidate is None:
                break
            try:
                self._ask_hub(candidate)
            except RequestError as error:
                yield from self._rotation.after(candidate, error)
        if not self._rotation.live:
            raise self._failure()

    def run(self, *, replace: bool = False, asked: Sequence[str] = ()) -> Steps[None]:
        """Fetch the missing bytes; the last event is `Arrived`.

        If the target exists and is the right file, nothing is fetched. If it is another file, this raises
        `DownloadError`, or with `replace` the download replaces it. `asked` are the arguments of `qwen pull` that
        resume this download if it stops, without anything secret.
        """
        folder = self.target.parent
        self._asked = tuple(asked)
        try:
            private_folder(folder)
            with contextlib.ExitStack() as stack:
                yield from self._locked(stack)
                if not (yield from self.check()):
                    if self.target.exists() and not replace:
                        raise self._in_the_way()
                    part = self._partial()
                    if self.wanted.sha256:
                        # Bytes fetched before the hash was known can be verified now.
                        adopt(part, PartialFile(folder, self._unproven()))
                    stack.enter_context(part.opened())
                    yield from self._complete(part, replace=replace)
        except OSError as error:
            raise write_error(folder, error, then=_repeat()) from error

    def check(self, file: Path | None = None) -> Steps[bool]:
        """Return whether `file`, by default the target, has the right hash; if so, the last event is `Arrived`."""
        file, wanted = file or self.target, self.wanted
        if not (wanted.sha256 and file.is_file()):
            return False
        with reading(file) as reader:
            if wanted.size not in (None, reader.size):
                return False
            for done in reader.steps():
                yield Checking(done, reader.size)
            sha256 = reader.finish()
        if sha256 != wanted.sha256:
            return False
        yield self._arrived(file, sha256, reader.size)
        return True

    def _locked(self, stack: contextlib.ExitStack) -> Steps[None]:
        """Lock the download of this file, until `stack` ends; if another process has the lock, wait for it."""
        from filelock import FileLock, Timeout

        part = self._partial()
        lock = FileLock(part.lock, mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield Remark(_("Another qwen is fetching the same file; waiting for it …"))
            while not lock.is_locked:
                cancellation.current().sleep(_LOCK_EVERY)
                with contextlib.suppress(Timeout):
                    lock.acquire(timeout=0)
        stack.callback(lock.release)
        stack.callback(part.remove_lock)

    def _complete(self, part: PartialFile, *, replace: bool) -> Steps[None]:
        """Fill the partial file, verify it, and rename it to the target."""
        kept = part.kept
        for done in part.hashed(self.wanted.size):
            yield Checking(done, kept)
        mismatches = 0
        while True:
            yield from self._fill(part)
            if self.wanted.sha256 in (None, part.sha256):
                break
            mismatches += 1
            part.restart()
            if mismatches >= max(2, len(self._rotation.all)) or not self._rotation.live:
                part.remove()
                raise self._wrong()
            yield Remark(_("What came is not the right file; it is fetched once more."))
            self._rotation.afresh(self._last)
        if self.wanted.sha256 is None:
            # No hash to compare with, but the file must at least be a complete model.
            try:
                read_header(part.path)
            except InvalidModelError as error:
                part.remove()
                # The partial file is deleted, and the person does not know its name.
                message = error.message.replace(str(part.path), self.target.name)
                raise InvalidModelError(message, self._was_deleted()) from error
        sha256, size = part.sha256, part.size
        if self.target.exists() and not replace:
            # Another process has put a file there in the meantime.
            raise self._in_the_way()
        part.finish(self.target)
        yield self._arrived(self.target, sha256, size)

    def _fill(self, part: PartialFile) -> Steps[None]:
        """Fetch from one source after the other until the file is complete."""
        self._check_room(part, self.wanted.size)
        complete = part.size == self.wanted.size
        while not complete:
            candidate = yield from self._rotation.next()
            if candidate is None:
                raise self._failure(part)
            before = part.size
            try:
                complete = yield from self._attempt(candidate, part)
                if not complete:
                    raise RequestError(_("the file ends too early"), again=True)
            except RequestError as error:
                if part.size > before:
                    candidate.failures = 0
                yield from self._rotation.after(candidate, error)

    def _attempt(self, candidate: Candidate, part: PartialFile) -> Steps[bool]:
        """Append what the source sends, and return whether the file is complete then; raises `RequestError`."""
        source = candidate.source
        if source.endpoint and not candidate.asked:
            self._ask_hub(candidate)
        if candidate.from_start and part.size:
            yield Remark(_("{host} cannot go on in the middle of a file: from the start.").format(host=source.host))
            part.restart()
        if part.size and not self.wanted.sha256 and part.notes.begun != source.key:
            yield Remark(_("The SHA-256 is not known in advance, so what other sources sent is not used."))
            part.restart()
        mark, token = part.notes.marks.get(source.key), hub.token(source.endpoint) if source.endpoint else None
        with contextlib.closing(Stream(source.url, self._patience, offset=part.size, mark=mark, token=token)) as stream:
            candidate.responded = True
            try:
                accepted = accept(stream.head, part.size, self.wanted.size, longest_wait=self._patience.longest_wait)
            except RequestError as error:
                if stream.head.status in _WITH_FILE and not error.again:
                    error.remedy = error.remedy or self._if_replaced()
                raise
            if accepted.start != part.size:
                if self._rotation.others(candidate):
                    raise NoRangesError
                part.restart()
            if self.wanted.sha256 is None:
                # Without a hash, the size is all that can show whether another source has the same file.
                self.wanted = msgspec.structs.replace(self.wanted, size=accepted.total)
            self._check_room(part, accepted.total)
            marks = part.notes.marks | ({source.key: stream.mark} if stream.mark else {})
            begun = part.notes.begun if part.size else source.key
            name, asked = self.wanted.name, self._asked
            part.note(Notes(name=name, asked=asked, total=accepted.total, begun=begun, marks=marks))
            self._last = candidate
            # After a 416 the file is complete, and the response has no bytes of it.
            pieces = stream.pieces() if part.size != accepted.total else ()
            for piece in pieces:
                if not part.size:
                    check_beginning(piece)
                candidate.delivered = True
                room = len(piece) if accepted.total is None else accepted.total - part.size
                part.append(piece[:room])
                self._fetched += len(piece)
                yield Fetching(part.size, accepted.total)
                if part.size == accepted.total:
                    break
        return accepted.total in (None, part.size)

    def _ask_hub(self, candidate: Candidate) -> None:
        """Get the hash and size from a hub, and check that it has the wanted file; raises `RequestError`."""
        assert candidate.source.endpoint is not None
        found = hub.metadata(candidate.source.endpoint, self.wanted, self._patience)
        candidate.asked = candidate.responded = True
        known = self.wanted.sha256
        if known and found.sha256 and known != found.sha256:
            raise RequestError(
                _("it has another file under this name (SHA-256 {found}…, not {known}…)").format(
                    found=found.sha256[:12], known=known[:12]
                ),
                self._if_replaced(),
            )
        if found.sha256:
            size = found.size or self.wanted.size
            self.wanted = msgspec.structs.replace(self.wanted, sha256=found.sha256, size=size)

    def _check_room(self, part: PartialFile, size: int | None) -> None:
        """Raise `WriteError` if the disk has too little space for the rest of the file."""
        if size is not None:
            check_room(self.target.parent, size - part.size, then=_repeat())

    def _in_the_way(self) -> DownloadError:
        return DownloadError(
            _("{path} is there already, and is not the file that was asked for.").format(path=self.target),
            _("Move it away, or have it replaced: {command}").format(
                command=f"qwen pull --repair {self.wanted.pullable}"
            ),
        )

    def _wrong(self) -> DownloadError:
        hosts = dict.fromkeys(candidate.source.host for candidate in self._rotation.all)
        return DownloadError(
            _("What came from {hosts} is not the file that was asked for: its SHA-256 differs.").format(
                hosts=listed(hosts)
            ),
            in_a_row(self._was_deleted(), self._if_replaced()),
        )

    def _if_replaced(self) -> str:
        """Say how to fetch a file that its publisher has replaced since the first download; "" without such a one."""
        if not self._remembered:
            return ""
        return _("If its publisher replaced it: qwen models rm {name}, then qwen pull {model}").format(
            name=quoted(self.wanted.name), model=self.wanted.pullable
        )

    def _failure(self, part: PartialFile | None = None) -> DownloadError:
        """Return the error for when no source is left, with similar file names if a hub has some."""
        near: list[str] = []
        for candidate in self._rotation.all:
            endpoint, error = candidate.source.endpoint, self._rotation.failed.get(candidate.source)
            if endpoint and error and error.absent and not near:
                names = hub.near(endpoint, self.wanted, self._patience)
                near = [f"{self.wanted.repository}:{name}" for name in names]
        return self._rotation.failure(self.wanted.name, part.size if part else 0, near, self._from_elsewhere())

    def _from_elsewhere(self) -> str:
        """Return the command that fetches the same from a source that the person names."""
        return f"qwen pull --source WHERE {self.wanted.pullable}"

    def _was_deleted(self) -> str:
        return _("It was deleted. Try another source: {command}").format(command=self._from_elsewhere())

    def _partial(self) -> PartialFile:
        return PartialFile(self.target.parent, self.wanted.sha256 or self._unproven())

    def _unproven(self) -> str:
        """Return the key of the partial file while the hash is unknown."""
        return f"unknown-{self._rotation.all[0].source.key}"

    def _arrived(self, file: Path, sha256: str, size: int) -> Arrived:
        return Arrived(
            path=file,
            size=size,
            sha256=sha256,
            fetched=self._fetched,
            source=self._last.source.host if self._last else "",
            expected=self.wanted.sha256 is not None,
        )


def _repeat() -> str:
    return _("Then repeat the command: what came so far is kept.")
