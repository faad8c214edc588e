"""The manual's snippets run, those of a page one after the other in one program."""

from __future__ import annotations

import os
import re
import unittest

import guests
import sandbar

#: Pages, and how many snippets there are at least.
PAGES = {"python.md": 7, "extism.md": 1}


class Manual(unittest.TestCase):
    def test_snippets_run(self) -> None:
        before = os.getcwd()
        os.chdir(guests.REPOSITORY)
        self.addCleanup(os.chdir, before)
        for page, least in PAGES.items():
            text = (guests.REPOSITORY / "docs" / page).read_text(encoding="utf-8")
            snippets = [(found.start(), found[1]) for found in re.finditer(r"^```python\n(.*?)^```$", text, re.M | re.S)]
            self.assertGreaterEqual(len(snippets), least)
            names: dict[str, object] = {"sandbar": sandbar}
            for start, snippet in snippets:
                line = text.count("\n", 0, start) + 1
                with self.subTest(page=page, line=line):
                    exec(compile("\n" * line + snippet, page, "exec"), names)  # noqa: S102


if __name__ == "__main__":
    unittest.main()
