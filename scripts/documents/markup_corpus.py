"""Makes the web pages, books, OpenDocument and RTF of tests/documents/corpus with real programs, with their words.

    apt install chromium pandoc libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui
    python scripts/documents/markup_corpus.py

Chromium runs the scripts of a page and gives what came of it, pandoc writes the books, LibreOffice the rest.
"""

import subprocess
import tempfile
from pathlib import Path

from scripts.command_line import command_line
from scripts.documents.pdf_corpus import CHINESE, CORPUS, COSTS, ENGLISH, Sections, html, words_of

DAY = "2024-01-01T00:00:00Z"
NOTE = "The survey was repeated in autumn, with the same result."
# What one pandoc element each makes a deletion, an insertion and a comment of Word.
CHANGES = (
    f'It was [proposed]{{.deletion author="A" date="{DAY}"}} [decided]{{.insertion author="A" date="{DAY}"}} '
    f'[Really?]{{.comment-start id="0" author="B" date="{DAY}"}}yesterday[]{{.comment-end id="0"}}.'
)
ITEMS = ("Fences and gates", "Drainage", "Lighting along the paths")
SLIDES = """# The garden

- What the council wants
    - and why
- What it costs

::: notes
Begin with the photographs.
:::

# Costs

"""
# A page that a script completes, between what a website has around all its pages.
PAGE = """<!doctype html><html lang={language}><head><meta charset=utf-8><title>{title}</title>
<style>nav {{ float: left }}</style></head><body>
<nav><ul><li><a href=/>Start</a><li><a href=/all>All reports</a></ul></nav>
<header><h1>{title}</h1></header><article id=article></article><aside>Subscribe to our letter</aside>
<footer>Imprint, privacy</footer><div style="display:none">Are you still there?</div>
<script>document.getElementById("article").innerHTML = {content!r}</script></body></html>"""


def markdown(sections: Sections) -> str:
    """Return the sections as Markdown."""
    return "\n\n".join("\n\n".join((f"# {heading}", *texts)) for heading, *texts in sections)


def table() -> str:
    """Return the costs as a Markdown table."""
    rows = ["|" + "|".join(row) + "|" for row in COSTS]
    return "\n".join([rows[0], "|---" * len(COSTS[0]) + "|", *rows[1:]])


def table_words() -> str:
    """Return the words of the costs, a row a line."""
    return "\n".join(" ".join(row) for row in COSTS)


def save(name: str, data: bytes, words: str) -> None:
    """Write a file of the corpus, and beside it its words."""
    path = CORPUS / name
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(words, encoding="utf-8")


def written(source: str, ending: str, *options: str) -> bytes:
    """Return what pandoc makes of Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f"out.{ending.rstrip('23')}"
        command = ["pandoc", "-f", "markdown", "-t", ending, "-o", str(out), *options]
        subprocess.run(command, input=source.encode(), check=True, timeout=120)
        return out.read_bytes()


def converted(data: bytes, before: str, after: str) -> bytes:
    """Return what LibreOffice makes of a file with the one ending when it saves it with the other."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file.{before}"
        path.write_bytes(data)
        profile = f"-env:UserInstallation={Path(folder).as_uri()}/profile"
        command = ["soffice", profile, "--headless", "--convert-to", after, "--outdir", folder, str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        return path.with_suffix(f".{after}").read_bytes()


def shown(page: str) -> bytes:
    """Return the page as Chromium has it once its scripts have run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(page, encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", "--dump-dom"]
        return subprocess.run(
            ["chromium", *options, path.as_uri()], check=True, capture_output=True, timeout=120
        ).stdout


def spreadsheet() -> str:
    """Return two sheets as flat OpenDocument; LibreOffice computes the sum."""
    names = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = "".join(f' xmlns:{name}="{names}:{name}:1.0"' for name in ("office", "table", "text"))

    def row(cells: tuple[str, ...]) -> str:
        texts = "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>' for cell in cells
        )
        return f"<table:table-row>{texts}</table:table-row>"

    numbers = "".join(
        f'<table:table-row><table:table-cell office:value-type="float" office:value="{number}"/></table:table-row>'
        for number in (12.5, 30)
    )
    total = '<table:table-row><table:table-cell table:formula="of:=SUM([.A1:.A2])"/></table:table-row>'
    sheets = "".join(
        f'<table:table table:name="{name}">{rows}</table:table>'
        for name, rows in (("Costs", "".join(map(row, COSTS))), ("合计", numbers + total))
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document{spaces} xmlns:of="{names}:of:1.2" '
        'office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.spreadsheet">'
        f"<office:body><office:spreadsheet>{sheets}</office:spreadsheet></office:body></office:document>"
    )


def main() -> None:
    """Make all files."""
    command_line(__doc__).parse_args()
    for language, sections in (("en", ENGLISH), ("zh", CHINESE)):
        title = "The garden plan of the year" if language == "en" else "花园计划年度报告"
        page = PAGE.format(language=language, title=title, content=html(sections))
        save(f"page-{language}.html", shown(page), words_of(sections, title))
        book = f"---\ntitle: {title}\nlang: {language}\n---\n\n{markdown(sections)}\n\n{table()}\n"
        words = words_of(sections, title) + table_words()
        save(f"book-{language}.epub", written(book, "epub3" if language == "en" else "epub2"), words)
        items = "\n".join(f"{number}. {item}" for number, item in enumerate(ITEMS, 1))
        report = f"{markdown(sections)}\n\n{items}\n\nNoted.[^1] {CHANGES}\n\n{table()}\n\n[^1]: {NOTE}\n"
        told = f"{words_of(sections)}{' '.join(ITEMS)} Noted It was decided yesterday {NOTE} {table_words()}"
        save(f"report-{language}.odt", converted(written(report, "docx"), "docx", "odt"), told)
        save(f"letter-{language}.rtf", converted(written(report, "docx"), "docx", "rtf"), told)
    talk = converted(written(f"{SLIDES}{table()}\n", "pptx"), "pptx", "odp")
    told = "The garden What the council wants and why What it costs Begin with the photographs. Costs"
    save("talk.odp", talk, f"{told} {table_words()}")
    save("costs.ods", converted(spreadsheet().encode(), "fods", "ods"), f"{table_words()} 12.5 30 42.5")


if __name__ == "__main__":
    main()
