"""Web pages: what is read of them, what is left out and said, and what is no page but the source of one."""

import io
import signal

import pytest

from qwen_tui import cancellation
from qwen_tui.documents.document import Document, Options, as_text
from qwen_tui.documents.reading import read
from qwen_tui.documents.text import encoding_called
from qwen_tui.errors import CancelledError, InputError


def read_page(page: str | bytes, name: str = "it.html", options: Options | None = None) -> Document:
    data = page.encode() if isinstance(page, str) else page
    return read(io.BytesIO(data), name, options or Options())


def text_of(page: str | bytes, name: str = "it.html") -> str:
    return as_text(read_page(page, name))


def is_source(page: str | bytes, name: str = "it.html") -> bool:
    """Whether the file stays as it stands."""
    return text_of(page, name).encode() == (page.encode() if isinstance(page, str) else page)


def test_headings_lists_and_code_become_markdown() -> None:
    page = """<!doctype html><title>Garden</title><h1>The
      plan</h1><p>First &amp; <b>bold</b>&nbsp;text.<br>Second line.
      <h2>Lists</h2>
      <ul><li>one<li>two<ul><li>inner<p>more of it</ul><li>three</ul>
      <p>Then:<ol start=3><li>c<li value=7>g<li>h</ol>
      <pre class="language-python"><code>
def f():
    return `a`</code></pre>
      <blockquote>Said.</blockquote><dl><dt>Term<dd>Meaning</dl>
      <p>A <code>name</code>, <q>words</q>, <del>gone</del>, 10<sup>6</sup> m<sup>2</sup> H<sub>2</sub>O."""
    assert text_of(page) == (
        "Garden\n\n# The plan\n\nFirst & bold text.\nSecond line.\n\n## Lists\n\n"
        "- one\n- two\n  - inner\n\n    more of it\n- three\n\nThen:\n\n3. c\n7. g\n8. h\n\n"
        "```python\ndef f():\n    return `a`\n```\n\n> Said.\n\nTerm\n: Meaning\n\n"
        "A `name`, “words”, ~~gone~~, 10⁶ m² H2O."
    )


def test_a_cell_that_reaches_over_others_stands_in_each_row_and_below_each_head() -> None:
    page = """<table><caption>Costs</caption>
      <tr><th rowspan=2>Item<th colspan=2>2024<tr><th>plan<th>real
      <tr><td rowspan=2>Soil<td>1<td>a | b<tr><td>2<td>first<br>second
      <tr><td colspan=3>All in euros</table>"""
    assert text_of(page) == (
        "Costs\n\n|Item|2024|2024|\n|---|---|---|\n|Item|plan|real|\n"
        "|Soil|1|a \\| b|\n|Soil|2|first<br>second|\n|All in euros|||"
    )


def test_tables_that_only_place_things_on_the_page_are_read_cell_by_cell() -> None:
    page = "<table><tr><td>Left<td><h1>News</h1><p>Words.<table><tr><td>a<td>1<tr><td>b<td>2</table></table>"
    assert text_of(page) == "Left\n\n# News\n\nWords.\n\n|a|1|\n|---|---|\n|b|2|"
    assert text_of("<table><tr><td>one<tr><td>two</table>") == "one\n\ntwo"
    assert text_of("<table role=presentation><tr><td>a<td>b<tr><td>c<td>d</table>") == "a\n\nb\n\nc\n\nd"


def test_what_is_not_seen_is_not_read() -> None:
    page = """<html><head><style>p{}</style><script>if (a<b) document.write("<p>no</p>")</script></head><body>
      <!-- no --><p hidden>no</p><div style="display: none"><p>no</p></div><template><p>no</p></template>
      <noscript>no</noscript><svg><title>no</title></svg><select><option>no</select><textarea>no</textarea>
      <p>Yes<span aria-hidden=true>no</span>.</p></body></html>"""
    assert text_of(page) == "Yes."


def test_what_a_website_has_around_its_pages_is_left_out_and_said() -> None:
    around = "<nav>Home</nav><div role=navigation>More</div>{}<aside>Also read</aside><footer>Imprint</footer>"
    document = read_page("<html>" + around.format("<h1>News</h1><article>Words.<aside>A remark.</aside></article>"))
    assert as_text(document) == "# News\n\nWords.\n\nA remark."
    assert "without its menus and the addresses of its links" in document.notes[0]
    assert "name a copy of it that ends in .txt" in document.notes[0]
    # Without anything else, these are what the page says.
    assert text_of("<html><nav><p>Home</nav>") == "Home"


def test_of_a_page_with_a_main_part_that_part_is_read() -> None:
    page = "<html><title>News</title><div>Cookies?</div><main><p>Words enough to be the page.</main><div>Comments</div>"
    assert text_of(page) == "# News\n\nWords enough to be the page."
    assert text_of(f"<html><p>{'Most of it. ' * 20}<main>Little.</main>").startswith("Most of it.")


def test_links_give_their_text_and_addresses_only_to_write_or_call() -> None:
    page = """<html><h2>Us<a href="#us">¶</a></h2><p><a href="https://example.org/a/b/c">Here</a> and
      <a href="mailto:us@example.org?subject=Hi">write</a> or <a href="tel:+4912">call +4912</a>.
      Noted<sup><a href="#n1">1</a></sup>, <a href="#n2"><sup>2</sup></a>."""
    assert text_of(page) == "## Us\n\nHere and write (us@example.org) or call +4912. Noted[1], [2]."


def test_pictures_and_formulas_give_their_descriptions() -> None:
    page = """<html><p><img alt="A map of the yard"> <img alt="IMG_7.jpg"> <img> <img alt="😀">
      <math alttext="x^2"><mi>x</mi></math>
      <math><semantics><mi>y</mi><annotation encoding="application/x-tex">y_1</annotation></semantics></math>"""
    assert text_of(page) == "[picture: A map of the yard] 😀 $x^2$ $y_1$"


def test_ruby_and_tasks_can_be_read() -> None:
    assert text_of("<html><ruby>汉<rp>(</rp><rt>hàn</rt><rp>)</rp></ruby>") == "汉(hàn)"
    assert text_of("<ul><li><input type=checkbox checked>a<li><input type=checkbox>b</ul>") == "- [x] a\n- [ ] b"


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("gb2312", "gb18030"),
        ("GBK", "gbk"),
        ("big5", "cp950"),
        ("shift_jis", "cp932"),
        ("utf-8", "utf-8"),
        ("x-gbk", "gbk"),
    ],
)
def test_the_declared_encoding_is_taken_without_a_guess(declared: str, codec: str) -> None:
    page = f'<html><meta http-equiv="Content-Type" content="text/html; charset={declared}"><p>公園'.encode(codec)
    document = read_page(page)
    assert as_text(document) == "公園"
    assert not any("read as GB" in note or "may be" in note for note in document.notes)


def test_a_declaration_that_cannot_be_right_is_not_taken() -> None:
    assert text_of("<html><meta charset=gbk><p>公园的计划，很长的一段话。".encode()) == "公园的计划，很长的一段话。"
    assert (
        text_of("<html><meta charset=utf-8><p>公园的计划，很长的一段话。".encode("gbk")) == "公园的计划，很长的一段话。"
    )
    assert text_of("\ufeff<html><meta charset=gbk><p>公园".encode("utf-16")) == "公园"


def test_the_encoding_that_the_person_names_counts_most() -> None:
    page = "<html><meta charset=big5><p>公园".encode("gbk")
    assert as_text(read_page(page, options=Options(encoding_called("gbk")))) == "公园"


def test_xhtml_is_read_as_a_browser_reads_it() -> None:
    page = """<?xml version="1.0" encoding="utf-8"?>
      <!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
      <html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="x"/></head>
      <body><p>a<a id="x"/> b<br/>c</p></body></html>"""
    assert text_of(page) == "a b\nc"


@pytest.mark.parametrize("tag", ["div", "b", "ul><li", "table><tr><td", "blockquote", "pre", "main", "a href='#'"])
def test_ten_thousand_nested_elements_are_read(tag: str) -> None:
    assert "deep" in text_of("<html>" + f"<{tag}>" * 10_000 + "deep")


def test_broken_markup_keeps_its_words() -> None:
    assert text_of("<html><p>a<b>b<i>c</b>d</i></p></div></td>e<p") == "abcd\n\ne"
    assert text_of("<html><p>1 < 2 &zzz; &amp &#xD800;3") == "1 < 2 &zzz; & \ufffd3"


def test_no_control_character_comes_through() -> None:
    text = text_of("<html><p>a&#27;[31mb&#7;&#155;c&shy;d&#8203;e")
    assert all(character.isprintable() for character in text)
    assert text.endswith("cde")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("page.txt", "<!doctype html><html><p>x"),
        ("readme.md", "<html><p>x</p></html>"),
        ("page.py", "page = '<html><p>x'"),
        ("view.html", '{% extends "base.html" %}\n<p>x'),
        ("view.html", "<!doctype html><title>{{ title }}</title><p>x"),
        ("view.html", '<!doctype html><a href="{{ url }}">x</a>'),
        ("view.html", "<!doctype html><div {% if x %}class=y{% endif %}>x</div>"),
        ("view.html", "<!doctype html><p><?php echo $x ?></p>"),
        ("index.php", "<?php x(); ?><html><p>x"),
        ("app.vue", "<template><p>x</p></template>"),
        ("app.jsx", "<div>{x}</div>"),
        ("logo.svg", '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><text>x</text></svg>'),
        ("feed", '<?xml version="1.0"?><feed><title>x</title></feed>'),
        ("stdin", "How do I centre a <div>?\n<html>"),
        ("notes.html", "Only text, with < and >."),
    ],
)
def test_sources_and_templates_stay_as_they_stand(name: str, source: str) -> None:
    assert is_source(source, name)


@pytest.mark.parametrize("name", ["stdin", "www.example.org", "index.php?id=3", "PAGE.HTM", "page"])
def test_a_page_is_known_by_its_beginning(name: str) -> None:
    assert text_of("\n<!-- saved from url=(0022)http://example.org/ -->\n<!DOCTYPE HTML>\n<p>Words.", name) == "Words."


def test_a_page_without_text_says_what_to_do() -> None:
    with pytest.raises(InputError, match="a web page without text; perhaps its scripts fetch it") as refused:
        read_page("<!doctype html><div id=root></div><script>start()</script>")
    assert "save it from there" in refused.value.remedy


def test_pages_that_would_grow_are_refused() -> None:
    high = f"<td rowspan=60000>{'word ' * 39}" * 20
    wide = f"<html><table><tr>{high}" + "<tr><td>y" * 3_000
    with pytest.raises(InputError, match="more than 8 MB of text"):
        read_page(wide)
    assert len(text_of("<html><table>" + ("<tr>" + "<th colspan=1000>x" * 50) * 2)) < 110_000


def test_elements_that_never_end_are_refused_before_they_fill_the_memory() -> None:
    with pytest.raises(InputError, match="more than 8 MB of text"):
        read_page("<html>" + "<b>" * 110_000)


def test_reading_can_be_cancelled() -> None:
    with cancellation.operation() as running, pytest.raises(CancelledError):
        running.cancel(signal.SIGINT)
        read_page("<html>" + "<p>x" * 100_000)
