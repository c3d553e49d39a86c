"""Documents that are ZIPs, as small as can be, for what no program writes."""

import io
import zipfile


def zipped(members: dict[str, str | bytes]) -> bytes:
    """Return a ZIP with these members."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()
