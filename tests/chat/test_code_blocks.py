"""Which code an answer holds."""

import pytest

from qwen_tui.chat.code_blocks import first_code_block


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("Here:\n\n```python\nprint(1)\n```\n\nand\n\n```\nother\n```\n", "print(1)\n"),
        ("- item\n\n  ~~~\n  a\n    b\n  ~~~\n", "a\n  b\n"),
        ("````\n```\n````\n", "```\n"),
        ("```\ncut off", "cut off"),
        ("no code, only `inline`", None),
        ("代码如下：```python\nprint(1)\n```\n就这样。", "print(1)\n"),
        ("Use `x`, then: ``` sh\nls\n```\n", "ls\n"),
        ("1. Run this:```sh\nls \\\n  -l\n```\n2. Done.", "ls \\\n  -l\n"),
        ("- Run this:```py\n  if x:\n      y\n  ```\n- Done.", "if x:\n    y\n"),
        ("> So:```py\n> x\n> ```\n\nyes", "x\n"),
        ("YAML:```yaml\n---\na: 1\n===\n```\n", "---\na: 1\n===\n"),
        ("```python\nprint(1)\n```.\nAnd more.", "print(1)\n"),
        ("Run it:\n\n    ```python\n    print(1)\n    ```\n", "print(1)\n"),
        ("```python\nprint(1)\n``` This prints one.\n\n```\nother\n```\n", "print(1)\n"),
        ("```python\nprint(1)\n```这会打印一。", "print(1)\n"),
        ("```python\nprint(1)\n``` Now:```sh\nls\n```\n", "print(1)\n"),
        ("```md\n``` python\n``` x ```\n```\n", "``` python\n``` x ```\n"),
        ("    Here is what you want:\n\n```python\nprint(1)\n```\n", "print(1)\n"),
        ("Here:\n\n    print(1)\n\nThat is all.", "print(1)\n"),
        ("```\n```\n\n```sh\nls\n```\n", "ls\n"),
        ("```python\r\nprint(1)\r\n```\r\n", "print(1)\n"),
        ("```\n```\n", None),
        ("Write ```code``` or ```more```", None),
        ("好的~~~\n谢谢", None),
    ],
)
def test_the_first_code_block(answer: str, code: str | None) -> None:
    block = first_code_block(answer)
    assert (block.code if block else None) == code


@pytest.mark.parametrize(
    ("answer", "closed"),
    [
        ("```\na\n```", True),
        ("```\na", False),
        ("````\na\n```\n", False),
        ("so:```\na\n", False),
        ("- ```\n  a\n\nprose", True),
        ("- ```\n  a\n", False),
        ("```\na\n``` That is all.", True),
    ],
)
def test_a_code_block_that_the_answer_ends_in_is_not_closed(answer: str, closed: bool) -> None:
    block = first_code_block(answer)
    assert block is not None
    assert block.closed == closed
