"""Makes the PDFs of tests/documents/corpus with real programs, and for each the words that stand in it, in order.

    python -m venv /tmp/typst && /tmp/typst/bin/pip install typst
    apt install chromium qpdf fonts-wqy-zenhei
    /tmp/typst/bin/python scripts/documents/pdf_corpus.py

Typst and Chromium write the files, qpdf protects one. The tests need only what lies in the folder. Other versions of
these programs break lines elsewhere, so the files differ each time they are made.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[2] / "tests" / "documents" / "corpus"
CHINESE_FONT = "WenQuanYi Zen Hei"

ENGLISH = (
    (
        "The garden plan",
        "The council wants to turn the disused railway yard behind the municipal library into a public garden. The "
        "yard has been closed since the freight service ended, and its gravel has been colonised by birch, buddleia "
        "and a surprising number of wild orchids. A survey by volunteers counted one hundred and twelve species of "
        "plants within four afternoons, which is considerably more than the neighbouring park can show.",
        "Three proposals were submitted. The first would level the ground and plant a conventional lawn with flower "
        "beds along the footpath. The second keeps the rails as they are and lays wooden walkways over them. The "
        "third, which the committee recommends, combines both: the southern half becomes a playground, while the "
        "northern half remains largely untouched and is opened to visitors only on guided walks.",
    ),
    (
        "Money and responsibilities",
        "The estimated expenditure is four hundred and eighty thousand over three years. Roughly half of it pays for "
        "decontamination, because the soil around the former engine shed contains residues of lubricating oil. The "
        "remainder is divided between fencing, drainage, lighting and the salaries of two gardeners. An application "
        "to the regional environment fund was approved in spring and covers a third of the total.",
        "Maintenance will be shared. The parks department looks after paths and playground equipment, the botanical "
        "society manages the northern half, and the neighbourhood association organises the guided walks. A written "
        "agreement between the three parties describes who is to be informed when something breaks, who decides about "
        "closing the site after storms, and how disagreements are to be settled before they become expensive.",
    ),
    (
        "Objections",
        "Residents of the adjoining street fear noise in the evening and additional traffic at weekends. The committee "
        "suggests that the gates close at nine, that no parking spaces are created, and that the bus stop moves "
        "seventy metres towards the entrance. A well-known cycling club asked for a through route; this was declined, "
        "since a long-term study of comparable gardens showed that fast through traffic drives away families.",
        "The railway company, finally, reserves the right to reopen one of the tracks within fifteen years. Its "
        "lawyers consider this improbable but refuse to abandon the clause. The committee therefore recommends that "
        "nothing permanent be built within five metres of the easternmost track, and that the orchids growing there "
        "be transplanted gradually, beginning in the second autumn.",
    ),
    (
        "Timetable",
        "Work begins in October with the removal of contaminated soil and should be completed before the first frost. "
        "Planting follows in March. If the weather cooperates, the playground opens at midsummer, and the northern "
        "half welcomes its first visitors a fortnight later. The committee will publish a progress report every three "
        "months and invites everybody to the ceremonial opening of the gates.",
    ),
)
CHINESE = (
    (
        "一、花园的由来",
        "市图书馆后面的旧货运站停用已有十二年。铁轨之间长出了白桦、醉鱼草，还有数量惊人的野生兰花。志愿者用四个下午做了一次调查，"
        "共记录到一百一十二种植物，比旁边的公园还要多。区里打算把这块地改造成对市民开放的花园，为此征集了三个方案。",
        "第一个方案是把地面推平，铺上草坪，沿步道种花。第二个方案保留铁轨，在上面架设木栈道。第三个方案把两者结合起来：南半部分建成儿童"
        "游乐场，北半部分基本保持原样，只在有人带领时开放参观。委员会推荐的是第三个方案。",
    ),
    (
        "二、经费与分工",
        "三年预算共四十八万元，其中约一半用于土壤治理，因为机车库周围的泥土含有润滑油残留。其余用于围栏、排水、照明以及两名园丁的工资。"
        "地区环境基金已在春季批准了申请，承担总额的三分之一。",
        "日常维护由三方分担：园林部门负责道路和游乐设施，植物学会管理北半部分，街道居民会组织参观。三方签订了书面协议，写明设施损坏时通知谁、"
        "暴风雨之后由谁决定是否关闭，以及出现分歧时怎样在花钱之前解决。",
    ),
    (
        "三、不同意见",
        "相邻街道的居民担心晚上吵闹、周末车多。委员会建议晚上九点关门，不设停车位，并把公交站向入口方向移动七十米。一家骑行俱乐部希望开辟"
        "一条穿行路线，没有被采纳，因为对同类花园的长期研究表明，快速穿行的车辆会让带孩子的家庭却步。",
        "铁路公司保留在十五年内恢复其中一条轨道的权利。律师认为这种可能性很小，但不愿意放弃这一条款。因此委员会建议，在最东侧轨道五米以内"
        "不修建任何永久性设施，那里的兰花从第二年秋天起逐步移植。",
    ),
)
COSTS = (("Item", "Year one", "Year two", "Who pays"), ("Soil", "190,000", "50,000", "Fund"))
COSTS += (("Fence", "42,000", "0", "Council"), ("Lighting", "18,500", "21,000", "Council"))
COSTS += (("Gardeners", "60,000", "62,000", "Society"),)

Sections = tuple[tuple[str, ...], ...]


def typst_source(sections: Sections, preamble: str, title: str = "") -> str:
    """Return a Typst document of these sections."""
    parts = [preamble, title]
    for heading, *texts in sections:
        parts += [f"= {heading}", *texts]
    return "\n\n".join(parts)


def words_of(sections: Sections, before: str = "") -> str:
    """Return the text of the sections, a paragraph a line."""
    return "\n".join([*([before] if before else []), *(text for section in sections for text in section)]) + "\n"


def save(name: str, pdf: bytes, words: str = "") -> None:
    """Write a file of the corpus, and beside it its words if it has any."""
    (CORPUS / f"{name}.pdf").write_bytes(pdf)
    if words:
        (CORPUS / f"{name}.txt").write_text(words, encoding="utf-8")


def compiled(source: str) -> bytes:
    """Return what Typst makes of `source`."""
    import typst

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source.typ"
        path.write_text(source, encoding="utf-8")
        return bytes(typst.compile(str(path)))


def printed(body: str, style: str = "") -> bytes:
    """Return what Chromium prints of a page with this body."""
    with tempfile.TemporaryDirectory() as folder:
        page, pdf = Path(folder) / "page.html", Path(folder) / "page.pdf"
        page.write_text(f"<meta charset=utf-8><style>{style}</style>{body}", encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"]
        command = ["chromium", *options, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        return pdf.read_bytes()


def html(sections: Sections) -> str:
    """Return the sections as HTML."""
    return "".join(f"<h2>{heading}</h2>" + "".join(f"<p>{text}</p>" for text in texts) for heading, *texts in sections)


PAGE = (
    "#set page(width: 148mm, height: 210mm, margin: 18mm, header: [Garden committee #h(1fr) Report of the year], "
    'footer: context align(center, counter(page).display()))\n#set text(size: 11pt, lang: "en", hyphenate: true)\n'
    "#set par(justify: true)"
)
CHINESE_PAGE = (
    "#set page(width: 148mm, height: 210mm, margin: 18mm, header: [花园委员会年度报告], "
    "footer: context align(center)[第 #counter(page).display() 页])\n"
    f'#set text(size: 11pt, lang: "zh", region: "cn", font: "{CHINESE_FONT}")\n'
    "#set par(justify: true, first-line-indent: (amount: 2em, all: true))"
)
TITLE = "A garden in the railway yard: what the committee found and what it recommends"
SCAN_PAGE = (
    '#page(header: none, footer: none, margin: 0mm)[#image(bytes("<svg xmlns=\\"http://www.w3.org/2000/svg\\" '
    'width=\\"300\\" height=\\"400\\"><rect width=\\"300\\" height=\\"400\\" fill=\\"#ddd\\"/></svg>"), width: 100%)]'
)


def main() -> None:
    """Make all files."""
    # The interpreter with Typst may lack the program, and with it the other scripts.
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    CORPUS.mkdir(parents=True, exist_ok=True)
    head, head_zh = "Garden committee Report of the year", "花园委员会年度报告"
    save("one-column-en", compiled(typst_source(ENGLISH, PAGE)), words_of(ENGLISH, head))
    save("one-column-zh", compiled(typst_source(CHINESE, CHINESE_PAGE)), words_of(CHINESE, head_zh))
    narrow = PAGE.replace("11pt", "9pt")
    title = f'#place(top + center, scope: "parent", float: true)[#text(16pt)[{TITLE}]]'
    two = narrow + "\n#set page(columns: 2)"
    save("two-columns-en", compiled(typst_source(ENGLISH, two, title)), words_of(ENGLISH, f"{head}\n{TITLE}"))
    two_zh = CHINESE_PAGE + "\n#set page(columns: 2)"
    save("two-columns-zh", compiled(typst_source(CHINESE, two_zh)), words_of(CHINESE, head_zh))
    save(
        "three-columns-en",
        printed(f'<div style="columns:3">{html(ENGLISH)}</div>', "p{font:12px serif}"),
        words_of(ENGLISH),
    )
    save("web-zh", printed(html(CHINESE), f"body{{font:15px '{CHINESE_FONT}'}}"), words_of(CHINESE))
    rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in COSTS)
    table = f"<h1>Costs</h1><p>{ENGLISH[1][1]}</p><table width=90%>{rows}</table><ul><li>{ENGLISH[2][1]}<li>Short.</ul>"
    told = "\n".join(["Costs", ENGLISH[1][1], *(" ".join(row) for row in COSTS), ENGLISH[2][1], "Short.", ""])
    save("table-en", printed(table, "td{border:1px solid}"), told)
    note = "The survey was repeated in autumn, with the same result."
    noted = ((ENGLISH[0][0], ENGLISH[0][1] + f"#footnote[{note}]"), *ENGLISH[2:3])
    plain = words_of(((ENGLISH[0][0], ENGLISH[0][1] + "1"), *ENGLISH[2:3])) + f"1 {note}\n"
    save("footnote-en", compiled(typst_source(noted, PAGE.replace("210mm", "250mm"))), plain)
    pictures = typst_source(ENGLISH[:1], PAGE) + "\n\n" + SCAN_PAGE + SCAN_PAGE
    save("partly-scanned-en", compiled(pictures), words_of(ENGLISH[:1], head))
    save("scanned", compiled(SCAN_PAGE * 2))
    one, locked = CORPUS / "partly-scanned-en.pdf", CORPUS / "locked-en.pdf"
    protect = ["qpdf", "--encrypt", "garden", "owner", "256", "--"]
    subprocess.run([*protect, one, locked], check=True)
    (CORPUS / "locked-en.txt").write_bytes((CORPUS / "partly-scanned-en.txt").read_bytes())
    whole = (CORPUS / "two-columns-en.pdf").read_bytes()
    save("damaged", whole[: len(whole) // 3])


if __name__ == "__main__":
    main()
