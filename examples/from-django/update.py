# Run by `move back` in the site's shell. `loaddata` would replace whole rows, and with them the names, groups and rights that only the site knows; this
# updates the fields that Doorward has, and adds the accounts that were created in Doorward. All of it is one transaction.
import json

from django.contrib.auth import get_user_model
from django.db import transaction

users = get_user_model().objects
updated = added = 0
left = []
with open("back.json") as file:
    entries = json.load(file)
# Those that came from this site have its primary keys. The others get new ones, which must not be the key of one that is still to come.
with transaction.atomic():
    for entry in sorted(entries, key=lambda entry: entry["pk"] is None):
        pk, fields = entry["pk"], entry["fields"]
        namesake = users.filter(username=fields["username"])
        # The same name alone is not the same person: the site may have a user who was refused because the name was taken in Doorward.
        known = users.filter(pk=pk) if pk is not None else namesake.filter(email__iexact=fields["email"])
        if fields["password"] == "!" and known.exists():
            # An account that has no password in Doorward, or none that Django can verify, keeps what it had.
            del fields["password"]
        if known.update(**fields):
            updated += 1
        elif namesake.exists():
            left.append(fields["username"])
        else:
            users.create(**({} if pk is None else {"pk": pk}), **fields)
            added += 1
print(f"{updated} users updated, {added} added.")
if left:
    print(f"Left as they are, because the site has other users of these names: {', '.join(left)}")
