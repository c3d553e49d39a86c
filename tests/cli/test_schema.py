"""`qwen ask --schema`: the printed answer follows the schema, or the exit code says that it does not."""

import json
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pexpect
import pytest

from tests.conftest import COMMAND, Run
from tests.program import call

# Random weights write what no real model would, and even then the answer must follow every schema.
FOLLOWED: dict[str, Any] = {
    "a backslash": {"const": "C:\\temp"},
    "an emoji": {"const": "😀"},
    "backslashes and line breaks": {"enum": ["a\\b", "two\nlines", '"quoted"', "\ttab"]},
    "bounds": {"type": "integer", "minimum": 1, "maximum": 5},
    "bounds of a fraction": {"type": "number", "exclusiveMinimum": -0.5, "maximum": 0.25, "multipleOf": 0.05},
    "several types and null": {"type": ["string", "null"], "enum": ["S", "M", None]},
    "a multiple": {"type": "integer", "multipleOf": 7, "minimum": 8, "maximum": 700},
    "a pattern": {"type": "string", "pattern": r"^[A-Z]{2}-\d{3}$"},
    "a date": {"type": "string", "format": "date"},
    "an address": {"type": "string", "format": "ipv4"},
    "Chinese names and words": {
        "type": "object",
        "properties": {"城市": {"enum": ["北京", "上海"]}, "温度": {"type": "integer", "minimum": -40, "maximum": 50}},
        "required": ["城市", "温度"],
        "additionalProperties": False,
    },
    "a list that refers to itself": {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "value": {"type": "integer", "minimum": 0, "maximum": 9},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["value", "next"],
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/node",
    },
    "names with signs of their own": {
        "$defs": {"a/b ~ %": {"const": 1}},
        "properties": {'a"b\\c': {"$ref": "#/$defs/a~1b%20~0%20%25"}},
        "required": ['a"b\\c'],
        "type": "object",
        "additionalProperties": False,
    },
    "draft 7": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "array",
        "items": [{"type": "boolean"}, {"enum": [1, 2]}],
        "additionalItems": False,
        "minItems": 2,
    },
    "annotations": {
        "type": "boolean",
        "x-note": {"not": "a schema"},
        "title": "t",
        "format": "yes-or-no",
        "examples": [1],
    },
    "one of several": {"oneOf": [{"type": "null"}, {"const": "x"}]},
    "what is never asked": {"type": "boolean", "uniqueItems": False, "if": {"type": "string"}, "not": False},
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_printed_answer_follows_the_schema(qwen: Run, tiny: Path, name: str) -> None:
    schema = FOLLOWED[name]
    # Every second schema is tried with the demonstration model, which strongly prefers its learned answers.
    model, option = ("demo", "temperature=0") if list(FOLLOWED).index(name) % 2 else (tiny, "seed=1")
    done = qwen(
        "ask", "-n", "-m", model, "--schema", json.dumps(schema), "-o", option, "-o", "max_tokens=1500", "Say it."
    )
    assert done.returncode == 0, done.stderr.decode()
    jsonschema.validate(json.loads(done.stdout), schema)


def test_numbers_are_compared_as_they_are_written(qwen: Run, tiny: Path) -> None:
    # 4.35 / 0.01 is 434.99999999999994 in floating-point numbers.
    schema = '{"type": "number", "multipleOf": 0.01, "minimum": 4.35, "maximum": 4.35}'
    done = qwen("ask", "-n", "-m", tiny, "--schema", schema, "-o", "seed=1", "x")
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == 4.35


def test_a_terminal_shows_the_json_as_it_is(tiny: Path) -> None:
    schema = json.dumps({"const": "C:\\new_dir\\*a*_b_"})
    shown = pexpect.run(
        shlex.join([*COMMAND, "ask", "-n", "-m", str(tiny), "--schema", schema, "x"]), timeout=60, encoding="utf-8"
    )
    assert json.dumps("C:\\new_dir\\*a*_b_") in shown


# The encodings that editors, the Windows shell and older Chinese systems write.
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_a_schema_comes_from_a_file_of_any_editor(qwen: Run, tiny: Path, tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "模式.json"
    file.write_bytes('{\r\n  "enum": ["甲", "乙"]\r\n}\r\n'.encode(encoding))
    done = qwen("ask", "-n", "-m", tiny, "--schema", file, "x", "--json", "-o", "seed=2")
    assert json.loads(json.loads(done.stdout)["answer"]) in ("甲", "乙")


@pytest.mark.parametrize("schema", ["true", "{}"])
def test_an_empty_schema_allows_any_json(qwen: Run, tiny: Path, schema: str) -> None:
    done = qwen("ask", "-n", "-m", tiny, "--schema", schema, "-o", "seed=3", "-o", "max_tokens=30", "x")
    if done.returncode == 0:
        json.loads(done.stdout)
    else:
        assert b"max_tokens" in done.stderr


@pytest.mark.parametrize(
    ("schema", "named", "place"),
    [
        ({"properties": {"tags": {"type": "array", "uniqueItems": True}}}, "uniqueItems", "#/properties/tags"),
        ({"items": {"not": {"type": "null"}}}, "not", "#/items"),
        ({"if": {"type": "null"}, "then": False}, "if", "#"),
        ({"propertyNames": {"maxLength": 3}}, "propertyNames", "#"),
        ({"contains": {"const": 1}}, "contains", "#"),
        ({"allOf": [True, {"unevaluatedProperties": False}]}, "unevaluatedProperties", "#/allOf/1"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"dependentRequired": {"b": ["c"]}}}}, "dependentRequired", "#/$defs/a"),
        ({"properties": {"a": {"pattern": "^(?=.*[0-9])"}}}, "pattern: ^(?=.*[0-9])", "#/properties/a"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"pattern": "a(?!b)"}}}}, "pattern: a(?!b)", "#/$defs/a/items"),
        ({"patternProperties": {"^a": True, "z$": True}}, "patternProperties", "#"),
        ({"minProperties": 2, "properties": {"a": True, "b": True}}, "minProperties", "#"),
        ({"$ref": "https://example.org/person.json"}, "$ref", "https://example.org/person.json"),
        ({"$ref": "#/$defs/missing"}, "$ref", "#/$defs/missing"),
        ({"$ref": "#"}, "$ref", "#"),
        ({"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "$ref", "#"),
        ({"const": 12345678901234567890}, "const", "#"),
        ({"format": "iri"}, "format: iri", "#"),
        ({"dependencies": {"a": ["b"]}}, "dependencies", "#"),
    ],
)
def test_keywords_that_cannot_be_followed_are_named_before_the_model_is_looked_for(
    schema: Any, named: str, place: str
) -> None:
    code, _out, error = call("ask", "-m", "none.gguf", "--schema", json.dumps(schema), "x")
    assert code == 2
    assert f"“{named}” at " in error
    assert place in error
    assert "none.gguf" not in error


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ('{"properties": {"a": {"type": "strin"}}}', "#/properties/a/type"),
        ('{"properties": {"a/b": {"minLength": -1}}}', "#/properties/a~1b/minLength"),
        ('{"type": "string", "enum": [1]}', "Nothing can follow"),
        ("false", "Nothing can follow"),
        ('{"items": [{"type": "null"}]}', "draft-07"),
        ('{"maximum": NaN}', "not valid JSON"),
        ('{"const": "\\ud800"}', "not valid JSON"),
        ('{"$schema": "http://json-schema.org/draft-03/schema#"}', "draft-03"),
        ('{"$schema": 7}', "$schema"),
        ('{"items":' * 400 + "true" + "}" * 400, "nested too deeply"),
        ('{"items":' * 100000 + "true" + "}" * 100000, ""),
        ("", "The schema is empty"),
        ("[1]", "not a JSON object"),
    ],
)
def test_an_invalid_schema_is_wrong_usage_and_its_place_is_named(tmp_path: Path, schema: str, said: str) -> None:
    file = tmp_path / "schema.json"
    file.write_text(schema)
    code, _out, error = call("ask", "-m", "none.gguf", "--schema", file, "x")
    assert code == 2
    assert said in error
    assert "none.gguf" not in error


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("", "The schema is empty"),
        ("[1, 2]", "not a JSON object"),
        ('"a text"', "not a JSON object"),
        ('[{"type": "null"}', "not valid JSON"),
        ("no-such-file.json", "no-such-file.json cannot be read"),
    ],
)
def test_input_that_is_not_a_schema_is_named_as_what_it_is(schema: str, said: str) -> None:
    done = call("ask", "-m", "none.gguf", "--schema", schema, "x")
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"oneOf": [{"enum": ["x"]}, {"const": "x"}]}, "At #"),
        ({"const": "2023-02-29T00:00:00Z", "format": "date-time"}, "At #"),
        ({"type": "array", "minItems": 1, "items": {"enum": ["no"], "format": "idn-email"}, "maxItems": 2}, "At #/"),
    ],
)
def test_an_answer_that_does_not_follow_is_printed_and_fails(qwen: Run, tiny: Path, schema: Any, said: str) -> None:
    # A grammar cannot enforce all of a schema. The check of the answer finds the rest.
    done = qwen("ask", "-n", "-m", tiny, "--schema", json.dumps(schema), "-o", "seed=1", "x")
    assert done.returncode == 1
    json.loads(done.stdout)
    assert said in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 2


def test_an_answer_that_is_cut_fails_once(qwen: Run, tiny: Path) -> None:
    schema = '{"type": "array", "minItems": 100, "items": {"type": "integer"}}'
    done = qwen("ask", "-n", "-m", tiny, "--schema", schema, "-o", "max_tokens=5", "numbers")
    assert done.returncode == 1
    assert done.stderr.count(b"max_tokens") == 1


def test_the_other_options_keep_their_meaning(qwen: Run, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("material")
    given = ("-m", tiny, "--schema", '{"enum": ["yes", "no"]}', "-o", "seed=4")
    for options in (("-x",), ("-f", "notes.txt"), ("-t", "summary"), ("-c",), ("-q",)):
        done = qwen("ask", *given, *options, "which?")
        assert done.returncode == 0, (options, done.stderr)
        assert json.loads(done.stdout) in ("yes", "no")
    assert json.loads(qwen("ask", *given, stdin=b"which?").stdout) in ("yes", "no")
