"""The manual's snippets run, one after the other in one program."""

from __future__ import annotations

import os
import re
import unittest

import guests
import sandbar

MANUAL = guests.REPOSITORY / "docs" / "python.md"


class Manual(unittest.TestCase):
    def test_snippets_run(self) -> None:
        text = MANUAL.read_text(encoding="utf-8")
        snippets = [(found.start(), found[1]) for found in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S)]
        self.assertGreater(len(snippets), 6)
        before = os.getcwd()
        os.chdir(guests.REPOSITORY)
        self.addCleanup(os.chdir, before)
        names: dict[str, object] = {"sandbar": sandbar}
        for start, snippet in snippets:
            line = text.count("\n", 0, start) + 1
            with self.subTest(line=line):
                exec(compile("\n" * line + snippet, str(MANUAL), "exec"), names)  # noqa: S102


if __name__ == "__main__":
    unittest.main()
