"""`make dev` sees every change of what is compiled into a function, and nothing that an editor leaves beside it."""

import os
import re
import tempfile
import unittest
import unittest.mock
from pathlib import Path

import infra_path
from infra_path import ROOT
from watch import SOURCES, Sources

# The files that cargo records for a program: its sources and everything that they include.
NOTED = ROOT / "target" / "debug"


class Watch(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        for folder in ("shared/src", "functions", "templates/language", "templates/page", "infra/local"):
            (self.root / folder).mkdir(parents=True)
        self.write("templates/language/en.json")
        self.sources = Sources(self.root)

    def write(self, name: str, text: str = "x") -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def saw(self) -> bool:
        """Whether it was told, once all was quiet."""
        return any([self.sources.changed() for _ in range(3)])

    def test_whatever_a_file_is_called_its_change_is_seen_once(self) -> None:
        for name in (
            "templates/language/en.json", "templates/page/page.css", "templates/page/page.js", "templates/email/new/body.html.j2", "shared/data/roots.pem",
            "shared/src/lib.rs", "functions/src/bin/new.rs", "functions/README", "infra/template.yaml", "infra/local/parameters", "infra/local/inbox/inbox.js",
            "Cargo.lock", ".cargo/config.toml", "rust-toolchain.toml", "shared/data/with blank ü.bin", "templates/.hidden", "shared/tmp/x.tmpl",
        ):
            with self.subTest(name):
                self.write(name, "longer")
                self.assertTrue(self.saw())
                self.assertFalse(self.saw())
        (self.root / "templates/language/en.json").unlink()
        self.assertTrue(self.saw(), "a file that went")

    def test_a_folder_of_ones_own_is_watched_too(self) -> None:
        with tempfile.TemporaryDirectory() as own, unittest.mock.patch.dict(os.environ, BRANDING=own):
            self.sources = Sources(self.root)
            (Path(own) / "language").mkdir()
            (Path(own) / "language" / "en.json").write_text("{}")
            self.assertTrue(self.saw())

    def test_what_an_editor_leaves_is_not(self) -> None:
        for name in (
            "shared/src/.lib.rs.swp", "shared/src/.lib.rs.swx", "shared/src/4913", "shared/src/lib.rs~", "shared/src/#lib.rs#", "shared/src/.#lib.rs",
            "shared/src/lib.rs___jb_tmp___", "shared/src/.goutputstream-8RT4", "shared/src/lib.rs.orig", "shared/src/.DS_Store", "templates/en.json.tmp",
        ):
            with self.subTest(name):
                self.write(name)
                self.assertFalse(self.saw())
        (self.root / "shared/src/dangling").symlink_to("/nowhere")
        self.assertFalse(self.saw())

    def test_a_change_is_told_when_the_files_are_quiet_again(self) -> None:
        self.write("shared/src/lib.rs", "1")
        self.assertFalse(self.sources.changed())
        self.write("shared/src/lib.rs", "12")
        self.assertFalse(self.sources.changed(), "it is still being written")
        self.assertTrue(self.sources.changed())

    def test_every_file_that_cargo_read_for_a_function_is_watched(self) -> None:
        programs = [path.stem for path in (ROOT / "functions" / "src" / "bin").glob("*.rs")]
        noted = [NOTED / f"{program}.d" for program in programs if (NOTED / f"{program}.d").exists()]
        self.assertTrue(noted, "nothing was built yet")
        read = {Path(name.replace("\\ ", " ")) for file in noted for name in re.split(r"(?<!\\) ", file.read_text().split(": ", 1)[1].strip())}
        watched = [ROOT / name for name in SOURCES] + [ROOT / "target"]  # what a build script wrote, of sources
        self.assertGreater(len(read), 50)
        self.assertEqual([name for name in read if not any(name == each or each in name.parents for each in watched)], [])


assert infra_path
if __name__ == "__main__":
    unittest.main()
