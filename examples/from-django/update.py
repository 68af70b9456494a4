# Run by `move back` in the site's shell. `loaddata` would replace whole rows, and with them the names, groups and rights that only the site knows; this
# updates what Doorward knows, and adds the accounts that were made there.
import json

from django.contrib.auth import get_user_model

updated = added = 0
with open("back.json") as file:
    entries = json.load(file)
for entry in entries:
    users, fields = get_user_model().objects, entry["fields"]
    known = users.filter(pk=entry["pk"]) if entry["pk"] is not None else users.filter(username=fields["username"])
    if fields["password"] == "!":
        # An account that has no password in Doorward, or none that Django can verify, keeps what it had.
        fields.pop("password")
    if known.update(**fields):
        updated += 1
    else:
        users.create(**{"pk": entry["pk"], "password": "!"} | fields)
        added += 1
print(f"{updated} users updated, {added} added.")
