"""Shows marks in the input line for characters that reorder or hide text; the message is sent with the originals."""

from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from qwen_tui.terminal.sanitise import mark


class Visible(Processor):
    """Draws each such character as one visible mark, so that the cursor stays in place.

    prompt_toolkit draws control characters as ^[.
    """

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Return the fragments of the line with the marks in them."""
        return Transformation([(style, mark(text), *rest) for style, text, *rest in transformation_input.fragments])  # type: ignore[misc]
