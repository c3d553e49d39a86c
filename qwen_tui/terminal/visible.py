"""Characters that reorder or hide what is typed or pasted, shown as marks in the input line and sent as they are."""

from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from qwen_tui.terminal.sanitise import mark


class Visible(Processor):
    """Draws each of them as one visible character, so that the cursor stays where it is; controls are drawn as ^[."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """Return the line as it is drawn."""
        return Transformation([(style, mark(text), *rest) for style, text, *rest in transformation_input.fragments])  # type: ignore[misc]
