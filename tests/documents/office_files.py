"""Documents of Office as small as can be, for what their libraries do not write."""

import io
import zipfile

from tests.documents.zip_files import zipped

NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" '
    'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
)
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"


def changed(data: bytes, changes: dict[str, str | bytes | None]) -> bytes:
    """Return a ZIP with other members, or without those that are None."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members: dict[str, str | bytes] = {name: old.read(name) for name in old.namelist()}
    for name, content in changes.items():
        members.pop(name, None)
        if content is not None:
            members[name] = content
    return zipped(members)


def docx(body: str, main_type: str = f"{_WORD}.document.main+xml", **parts: str) -> bytes:
    """Return a Word document with this XML in its body.

    `parts` are further parts by the last word of their relation: `footnotes`, `numbering`, `chart`. Their relation has
    their name.
    """
    types = relations = ""
    members: dict[str, str | bytes] = {}
    for name, xml in parts.items():
        kind = name.rstrip("0123456789")
        content_type = {"chart": "application/vnd.openxmlformats-officedocument.drawingml.chart+xml"}.get(
            kind, f"{_WORD}.{kind}+xml"
        )
        types += f'<Override PartName="/word/{name}.xml" ContentType="{content_type}"/>'
        relations += f'<Relationship Id="{name}" Type="{_RELATION}/{kind}" Target="{name}.xml"/>'
        members[f"word/{name}.xml"] = xml
    return zipped(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="xml" ContentType="application/xml"/>{types}'
            f'<Override PartName="/word/document.xml" ContentType="{main_type}"/></Types>',
            "_rels/.rels": _relations(
                f'<Relationship Id="rId1" Type="{_RELATION}/officeDocument" Target="word/document.xml"/>'
            ),
            "word/document.xml": f"<w:document {NAMESPACES}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": _relations(relations),
            **members,
        }
    )


def _relations(inner: str) -> str:
    return (
        f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{inner}</Relationships>'
    )


def part(name: str, inner: str) -> str:
    """Return the XML of a part whose root element has that name."""
    return f"<{name} {NAMESPACES}>{inner}</{name}>"


def paragraph(*runs: str, properties: str = "") -> str:
    """Return a paragraph of Word; a run that is no XML is a text."""
    written = "".join(one if one.startswith("<") else f"<w:r><w:t>{one}</w:t></w:r>" for one in runs)
    return f"<w:p><w:pPr>{properties}</w:pPr>{written}</w:p>"
