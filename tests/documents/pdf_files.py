"""PDFs as small as can be, for what no program writes."""

from collections.abc import Sequence


def pdf(pages: Sequence[str], *, kids: str = "", count: int | None = None, rotate: int = 0) -> bytes:
    """Return a PDF whose pages draw these operators, in Helvetica of 12 points by the name F."""
    first = 4
    numbers = range(first, first + 2 * len(pages), 2)
    named = kids or " ".join(f"{number} 0 R" for number in numbers)
    objects = {
        1: "<</Type/Catalog/Pages 2 0 R>>",
        2: f"<</Type/Pages/Kids[{named}]/Count {len(pages) if count is None else count}>>",
        3: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    }
    for number, drawn in zip(numbers, pages, strict=True):
        objects[number] = (
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Rotate {rotate}"
            f"/Resources<</Font<</F 3 0 R>>>>/Contents {number + 1} 0 R>>"
        )
        objects[number + 1] = f"<</Length {len(drawn)}>>stream\n{drawn}\nendstream"
    body = b"%PDF-1.4\n"
    places = []
    for number, written in sorted(objects.items()):
        places.append(len(body))
        body += f"{number} 0 obj{written}endobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}trailer<</Size {len(places) + 1}/Root 1 0 R>>\n"
    return body + f"{end}startxref\n{len(body)}\n%%EOF\n".encode()


def lines(*texts: str, left: int = 72, top: int = 600, step: int = 14) -> str:
    """Return the operators that write these lines one below the other."""
    rows = "".join(f"1 0 0 1 {left} {top - step * place} Tm ({text}) Tj " for place, text in enumerate(texts))
    return f"BT /F 12 Tf {rows}ET"
