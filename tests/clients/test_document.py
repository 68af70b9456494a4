"""docs/openapi.json as programs in Python read it."""

import json
import re
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMPONENTS = json.loads((HERE.parents[1] / "docs" / "openapi.json").read_text())["components"]


def pattern(name: str) -> str:
    """The pattern of a schema, of a property of a schema (`Schema/property`), or of a header."""
    component, _, field = name.partition("/")
    if field:
        return str(COMPONENTS["schemas"][component]["properties"][field]["pattern"])
    return str((COMPONENTS["schemas"].get(component) or COMPONENTS["headers"][component]["schema"])["pattern"])


class Patterns(unittest.TestCase):
    def test_every_pattern_accepts_and_refuses_the_same_texts_as_in_other_languages(self) -> None:
        for name, texts in json.loads((HERE / "patterns.json").read_text()).items():
            for fits in (True, False):
                for text in texts["fits" if fits else "not"]:
                    with self.subTest(name=name, text=text):
                        self.assertEqual(bool(re.search(pattern(name), text)), fits)


if __name__ == "__main__":
    unittest.main()
