"""The export of an account on a deployed stack: the route, its file, and the permissions for all that it reads."""

import json
import os
import unittest
import urllib.request

from test_life import login, post, register

from routes import EXPORT, LOGIN, RESET


class Export(unittest.TestCase):
    def test_an_owner_gets_everything_that_is_stored_about_the_account_as_a_file(self) -> None:
        name = register()
        session = login(name)["token"]
        self.assertEqual(post(LOGIN, username=name, password="Wrong-Horse-13")[0], 401)
        self.assertEqual(post(RESET, email=f"{name}@example.com")[0], 200)
        request = urllib.request.Request(os.environ["API_URL"] + EXPORT, headers={"Authorization": f"Token {session}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.assertEqual(answer.headers["Content-Disposition"], 'attachment; filename="account.json"')
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            file = json.load(answer)
        self.assertEqual((file["account"]["username"], file["account"]["email"]), (name, f"{name}@example.com"))
        self.assertNotIn("not_known", file)
        self.assertEqual([one["is_current"] for one in file["sessions"]], [True])
        self.assertEqual({asked["purpose"] for asked in file["requests_for_links"]}, {"confirmation of the address", "new password"})
        self.assertLessEqual({"logins", "exports"}, {counter["of"] for counter in file["counters"]})
        self.assertIn("account.password", file["left_out"])

    def test_it_needs_a_session(self) -> None:
        self.assertEqual(post(EXPORT, method="GET")[0], 401)


if __name__ == "__main__":
    unittest.main()
