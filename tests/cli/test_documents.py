"""Documents on the command line and in the REPL: `-f`, stdin, `--password-file`, the question for a password."""

import json
from pathlib import Path

import pexpect
import pytest

from tests.conftest import COMMAND, Run
from tests.documents.pdf_files import lines, pdf

CORPUS = Path(__file__).parent.parent / "documents" / "corpus"


def asked(qwen: Run) -> str:
    """Return what the model was asked in the latest conversation."""
    exported = qwen("logs", "export", "--format", "json")
    return str(json.loads(exported.stdout))


def test_a_pdf_is_material_from_a_file_and_from_a_pipe(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    short = pdf([lines("The gate closes at nine."), "0 0 m 9 9 l S", lines("Bring your own spade.")])
    done = qwen("ask", "-m", tiny, "-o", "max_tokens=3", "When?", stdin=short)
    assert done.returncode == 0
    assert b"page 2 has no text" in done.stderr
    assert "[p. 1]\\nThe gate closes at nine.\\n\\n[p. 3]\\nBring your own spade." in asked(qwen)
    (tmp_path / "plan").write_bytes(short)
    assert qwen("ask", "-m", tiny, "-o", "max_tokens=3", "-f", tmp_path / "plan", "When?").returncode == 0


def test_a_protected_pdf_is_opened_by_the_password_in_a_file(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    locked = CORPUS / "locked-en.pdf"
    (tmp_path / "right").write_text("garden\n")
    (tmp_path / "wrong").write_text("gardn\n")
    command = ("ask", "-m", tiny, "-o", "max_tokens=3", "-f", locked, "Who pays?")
    assert qwen(*command, "--password-file", tmp_path / "right").returncode == 0
    wrong = qwen(*command, "--password-file", tmp_path / "wrong")
    assert (wrong.returncode, b"does not open" in wrong.stderr) == (1, True)
    none = qwen(*command)
    assert (none.returncode, b"--password-file FILE" in none.stderr) == (1, True)
    missing = qwen(*command, "--password-file", tmp_path / "none")
    assert (missing.returncode, b"cannot be read" in missing.stderr) == (2, True)


@pytest.mark.skipif("sys.platform == 'win32'")
def test_on_a_terminal_the_password_is_asked_for_and_not_shown(tiny: Path) -> None:
    arguments = ["ask", "-n", "-m", str(tiny), "-o", "max_tokens=3", "-f", str(CORPUS / "locked-en.pdf"), "Who?"]
    program = pexpect.spawn(COMMAND[0], [*COMMAND[1:], *arguments], timeout=60, encoding="utf-8")
    program.expect("Password of .*locked-en.pdf:")
    program.waitnoecho()
    program.sendline("gardn")
    program.expect("That password is wrong")
    program.waitnoecho()
    program.sendline("garden")
    program.expect("pages 2–3 have no text")
    program.expect(pexpect.EOF)
    program.close()
    assert program.exitstatus == 0
    assert "gard" not in str(program.before)
