"""`make unit STORE=…` and `make sweep`: the tests of the store on another store than dynoxide, here the emulator's."""

import os
import re
import signal
import subprocess
import time
import unittest

import infra_path
from infra_path import ROOT, environment, make
from test_life import client

# Every operation of the store, and every way in which a test interferes with a call, without what takes minutes.
SUBSET = "proxy:: feedback:: promises::sessions races::of_two_reset races::a_record faults::only_a_failed faults::nobody accounts:: mail::"


def tables() -> list[str]:
    pages = client("dynamodb").get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"] if name.startswith("doorward-test-")]


class Unit(unittest.TestCase):
    def tearDown(self) -> None:
        self.assertEqual(tables(), [])

    def test_the_tests_of_the_store_pass_on_the_emulators_as_well_and_leave_nothing(self) -> None:
        result = make("unit", "STORE=aws", f"ARGS={SUBSET}")
        self.assertEqual(result.returncode, 0, result.stdout[-5000:] + result.stderr[-2000:])
        said = result.stdout
        self.assertRegex(said, r"(?m)^The tests of the store run on DynamoDB at http://127.0.0.1:\d+, in tables of their own, doorward-test-[0-9a-f]{8}-…, which are deleted at the end\.$")
        self.assertRegex(said, r"(?m)^All of them take about [\d,]+ calls, [\d,]+ write and [\d,]+ read units, and up to \d+ tables on demand; ")
        self.assertLess(said.index("All of them take"), said.index("running "), "it says so beforehand")
        self.assertGreater(sum(int(count) for count in re.findall(r"(?m)^test result: ok\. (\d+) passed", said)), 35)
        self.assertRegex(said, r"(?m)^\d+ tables are deleted\. It took [\d,]+ calls, ")

    def test_a_url_is_a_store_too_and_a_run_that_fails_or_is_ended_leaves_nothing(self) -> None:
        url = os.environ["AWS_ENDPOINT_URL"]
        result = make("unit", f"STORE={url}", "ARGS=--no-such-option")
        self.assertEqual((result.returncode != 0, f"the store at {url}" in result.stdout), (True, True), result.stdout)
        process = self.begun(f"STORE={url}")
        process.send_signal(signal.SIGTERM)
        self.assertIn("tables are deleted.", process.communicate(timeout=120)[0])

    def test_what_a_killed_run_left_is_found_and_deleted_when_that_is_confirmed(self) -> None:
        process = self.begun("STORE=aws")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(2)  # what was under way reaches the store
        left = tables()
        self.assertGreater(len(left), 2)
        refused = make("sweep", "STORE=aws", "CONFIRM=no")
        self.assertEqual((refused.returncode != 0, tables()), (True, left), refused.stderr)
        swept = make("sweep", "STORE=aws", "CONFIRM=delete")
        self.assertEqual(swept.returncode, 0, swept.stderr)
        self.assertIn(f"{left[0][:22]}: {len(left)} tables, made ", swept.stdout)
        self.assertIn(f"{len(left)} tables are deleted.", swept.stdout)
        self.assertIn("No tables doorward-test-… are left", make("sweep", "STORE=aws").stdout)

    def test_what_is_no_store_is_refused_in_a_sentence(self) -> None:
        for store, says in [("asw", "STORE=asw is neither aws nor a URL; did you mean aws?"), ("ftp://x", "STORE=ftp://x is neither aws nor a URL")]:
            with self.subTest(store):
                result = make("unit", f"STORE={store}")
                self.assertEqual((result.returncode != 0, result.stderr.strip()), (True, f"unit: {says}"))

    def begun(self, store: str) -> "subprocess.Popen[str]":
        """A run that has made tables."""
        process = subprocess.Popen(
            ["make", "-C", str(ROOT), "--no-print-directory", "unit", store, "ARGS=races::"],
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )
        deadline = time.monotonic() + 300
        while len(tables()) < 3 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        self.addCleanup(process.stdout.close)  # type: ignore[union-attr]
        self.assertIsNone(process.poll(), "it goes on")
        return process


assert infra_path
if __name__ == "__main__":
    unittest.main()
