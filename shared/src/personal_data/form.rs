//! How each kind of item about an account is shown, attribute by attribute.
//!
//! A kind or an attribute that has no line here is not shown, and the document lists it as unknown. A test then fails. So every new attribute needs a
//! decision here whether its owner sees it.

use super::shown::As::{
    self, AfterKey, Day, Declared, Deliveries, FormerUntil, Instant, Kept, Name, Network, Networks, Never, Number, Second, SessionId, Text,
    Truth,
};
use crate::account::AccountId;

/// The name of an attribute, the name under which it is shown, and how.
type Attribute = (&'static str, &'static str, As);

/// A kind of item.
pub(super) struct Kind {
    /// The prefix of its partition key, up to the `#`.
    partition: &'static str,
    /// Its sort key, or its beginning if that ends with `#`, or `*`.
    sort: &'static str,
    /// The part of the document in which such items are.
    pub(super) section: &'static str,
    /// Data of each item that is not in its attributes.
    pub(super) says: &'static [(&'static str, &'static str)],
    pub(super) attributes: &'static [Attribute],
}

const DIGEST: &str = "a digest of a token, which grants no access and contains no personal data";
const FOLDED: &str = "the same name once more, in the form in which it is looked up";
const RANDOM: &str = "a random number that identifies a repeated write";
const WORKER: &str = "a random number of the process that is at work on the mail";
const WHOSE: &str = "it would reveal whether another account has this address";
const ASKER: &str = "who asked may be somebody else; the mail tells its reader";

const LINK: &[Attribute] = &[
    ("requested_at", "requested_at", Instant),
    ("issued_at", "issued_at", Instant),
    ("valid_until", "valid_until", Instant),
    ("expires_at", "kept_until", Second),
    ("address_no", "email_changes", Number),
    ("sent", "mails", Number),
    ("sent_at", "sent_at", Instant),
    ("pending_issued_at", "next_issued_at", Instant),
    ("pending_valid_until", "next_valid_until", Instant),
    ("digest", "", Never(DIGEST)),
    ("pending_digest", "", Never(DIGEST)),
];

const REQUEST: &[Attribute] = &[
    ("email", "email", Name),
    ("requested_at", "requested_at", Instant),
    ("expires_at", "kept_until", Second),
    ("invites", "invites", Truth),
    ("attempts", "attempts", Number),
    ("lease_until", "in_hand_until", Instant),
    ("done_at", "done_at", Instant),
    ("failed_at", "failed_at", Instant),
    ("outcome", "outcome", Text),
    ("email_folded", "", Never(FOLDED)),
    ("changed_at", "first_requested_at", Instant),
    ("address", "", Never(ASKER)),
    ("browser", "", Never(ASKER)),
    ("language", "", Never(ASKER)),
    ("request_id", "", Never(ASKER)),
    ("worker", "", Never(WORKER)),
];

const WINDOW: &[Attribute] =
    &[("sk", "since", Second), ("hits", "attempts", Number), ("expires_at", "kept_until", Second), ("attempt", "", Never(RANDOM))];

/// The partition of requests for links that confirm a change of address. Its key is the account's id instead of an address.
const OF_ADDRESS: &str = "verify#id";

/// The parts of the document, besides the account itself.
pub(super) const SECTIONS: [&str; 13] = [
    "address_requests",
    "profile",
    "pending_addresses",
    "sessions",
    "imported_tokens",
    "links",
    "former_addresses",
    "mails",
    "mail_rate",
    "notices",
    "requests_for_links",
    "events",
    "counters",
];

/// Every kind of item about an account.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        partition: "account",
        sort: "account",
        section: "account",
        says: &[],
        attributes: &[
            ("pk", "id", AfterKey),
            ("username", "username", Name),
            ("email", "email", Name),
            ("external_id", "external_id", Name),
            ("active", "active", Truth),
            ("created_at", "created_at", Instant),
            ("password_changed_at", "password_changed_at", Instant),
            ("disavowed_at", "password_disavowed_at", Instant),
            ("disavowals_before", "notices_over_before", Instant),
            ("verified_at", "email_verified_at", Instant),
            ("address_no", "email_changes", Number),
            ("former", "emails_kept", Kept),
            ("undeliverable", "email_undeliverable", Text),
            ("undeliverable_at", "email_undeliverable_at", Instant),
            ("language", "language", Text),
            ("networks", "networks", Networks),
            ("epoch", "session_epoch", Number),
            ("deleted_at", "deletion_asked_at", Instant),
            ("delete_after", "deletion_due_at", Instant),
            ("deleting", "deletion_begun_at", Instant),
            ("password", "", Never("a hash of the password, against which it could be guessed")),
            ("verified_by", "", Never(DIGEST)),
            ("username_folded", "", Never(FOLDED)),
            ("email_folded", "", Never(FOLDED)),
        ],
    },
    Kind {
        partition: "account",
        sort: "profile",
        section: "profile",
        says: &[],
        attributes: &[("changed_at", "changed_at", Instant), ("f_*", "", Declared)],
    },
    Kind {
        partition: "account",
        sort: "address",
        section: "pending_addresses",
        says: &[],
        attributes: &[
            ("email", "email", Name),
            ("requested_at", "requested_at", Instant),
            ("valid_until", "valid_until", Instant),
            ("expires_at", "kept_until", Second),
            ("epoch", "", Never("it only decides whether the request is over")),
            ("email_folded", "", Never(FOLDED)),
            ("digest", "", Never(DIGEST)),
            ("issued_at", "", Never(WHOSE)),
            ("sent_at", "", Never(WHOSE)),
        ],
    },
    Kind {
        partition: "account",
        sort: "session#",
        section: "sessions",
        says: &[],
        attributes: &[
            ("sk", "id", SessionId),
            ("browser", "user_agent", Text),
            ("network", "ip", Text),
            ("created_at", "created_at", Instant),
            ("seen_on", "last_seen_on", Day),
            ("valid_until", "expires_at", Instant),
            ("expires_at", "kept_until", Second),
            ("epoch", "", Never("it only decides whether the session is over, which is shown")),
        ],
    },
    Kind {
        partition: "account",
        sort: "token#",
        section: "imported_tokens",
        says: &[("purpose", "a session of another site, which became one here")],
        attributes: &[("sk", "", Never(DIGEST))],
    },
    Kind { partition: "account", sort: "reset", section: "links", says: &[("purpose", "new password")], attributes: LINK },
    Kind { partition: "account", sort: "verify", section: "links", says: &[("purpose", "confirmation of the address")], attributes: LINK },
    Kind { partition: "account", sort: "disavow#", section: "links", says: &[("purpose", "this wasn't me")], attributes: LINK },
    Kind {
        partition: "account",
        sort: "former#",
        section: "former_addresses",
        says: &[],
        attributes: &[
            ("sk", "until", FormerUntil),
            ("email", "email", Name),
            ("expires_at", "kept_until", Second),
            ("email_folded", "", Never(FOLDED)),
        ],
    },
    Kind {
        partition: "account",
        sort: "mail",
        section: "mails",
        says: &[],
        attributes: &[("entries", "record", Deliveries), ("version", "entries_ever", Number), ("expires_at", "kept_until", Second)],
    },
    Kind {
        partition: "account",
        sort: "mail-rate",
        section: "mail_rate",
        says: &[],
        attributes: &[
            ("revision", "changes_ever", Number),
            ("notices", "notices", Number),
            ("noticed_at", "last_notice_at", Instant),
            ("permitted", "last_notice", Text),
            ("resets", "reset_mails", Number),
            ("reset_at", "last_reset_mail_at", Instant),
            ("due_at", "waiting_until", Instant),
            ("email", "waiting_email", Name),
            ("change", "waiting_change", Text),
            ("changed_at", "waiting_changed_at", Instant),
            ("changes", "waiting_changes", Number),
            ("first_changed_at", "waiting_first_changed_at", Instant),
            ("signed_in", "waiting_signed_in", Truth),
            ("address", "waiting_ip", Network),
            ("browser", "waiting_user_agent", Text),
            ("language", "waiting_language", Text),
            ("request_id", "waiting_request_id", Text),
            ("expires_at", "kept_until", Second),
        ],
    },
    Kind {
        partition: "notice",
        sort: "*",
        section: "notices",
        says: &[],
        attributes: &[
            ("sk", "id", Text),
            ("email", "email", Name),
            ("change", "change", Text),
            ("changed_at", "changed_at", Instant),
            ("changes", "changes", Number),
            ("first_changed_at", "first_changed_at", Instant),
            ("signed_in", "signed_in", Truth),
            ("requested_at", "requested_at", Instant),
            ("expires_at", "kept_until", Second),
            ("address", "ip", Network),
            ("browser", "user_agent", Text),
            ("language", "language", Text),
            ("request_id", "request_id", Text),
            ("attempts", "attempts", Number),
            ("lease_until", "in_hand_until", Instant),
            ("done_at", "done_at", Instant),
            ("failed_at", "failed_at", Instant),
            ("outcome", "outcome", Text),
            ("worker", "", Never(WORKER)),
        ],
    },
    Kind { partition: "reset", sort: "*", section: "requests_for_links", says: &[("purpose", "new password")], attributes: REQUEST },
    Kind {
        partition: OF_ADDRESS,
        sort: "*",
        section: "address_requests",
        says: &[("purpose", "confirmation of another address")],
        attributes: &[
            ("requested_at", "requested_at", Instant),
            ("changed_at", "first_requested_at", Instant),
            ("expires_at", "", Never(WHOSE)),
            ("attempts", "", Never(WHOSE)),
            ("lease_until", "", Never(WHOSE)),
            ("done_at", "", Never(WHOSE)),
            ("failed_at", "", Never(WHOSE)),
            ("outcome", "", Never(WHOSE)),
            ("address", "", Never(ASKER)),
            ("browser", "", Never(ASKER)),
            ("language", "", Never(ASKER)),
            ("request_id", "", Never(ASKER)),
            ("worker", "", Never(WORKER)),
        ],
    },
    Kind {
        partition: "verify",
        sort: "*",
        section: "requests_for_links",
        says: &[("purpose", "confirmation of the address")],
        attributes: REQUEST,
    },
    Kind {
        partition: "event",
        sort: "*",
        section: "events",
        says: &[],
        attributes: &[
            ("sk", "key", Text),
            ("id", "id", Text),
            ("type", "type", Text),
            ("at", "at", Instant),
            ("stored_at", "stored_at", Instant),
            ("expires_at", "kept_until", Second),
            ("all", "all", Truth),
            ("network", "network", Text),
            ("count", "count", Number),
            ("format", "format", Text),
            ("with_hashes", "with_hashes", Truth),
            ("given_up_at", "given_up_at", Instant),
            ("reason", "reason", Text),
            ("caller", "", Never("the operator who exported the account")),
        ],
    },
    Kind { partition: "login-account", sort: "*", section: "counters", says: &[("of", "logins")], attributes: WINDOW },
    Kind {
        partition: "change-account",
        sort: "*",
        section: "counters",
        says: &[("of", "passwords asked for once more")],
        attributes: WINDOW,
    },
    Kind { partition: "rename-account", sort: "*", section: "counters", says: &[("of", "changes of the username")], attributes: WINDOW },
    Kind { partition: "address-account", sort: "*", section: "counters", says: &[("of", "changes of the address")], attributes: WINDOW },
    Kind { partition: "export-account", sort: "*", section: "counters", says: &[("of", "exports")], attributes: WINDOW },
];

impl Kind {
    /// The kind of an item with this key.
    pub(super) fn of(partition: &str, sort: &str) -> Option<&'static Self> {
        let start = match partition.split_once('#') {
            Some(("verify", id)) if id.parse::<AccountId>().is_ok() => OF_ADDRESS,
            Some((start, _)) => start,
            None => partition,
        };
        let is_like = |form: &str| form == "*" || form == sort || form.ends_with('#') && sort.starts_with(form);
        KINDS.iter().find(|kind| kind.partition == start && is_like(kind.sort))
    }
}

/// The line of an attribute, and the name under which it is shown.
pub(super) fn of_attribute<'a>(kind: &'static Kind, name: &'a str) -> Option<(&'a str, &'static As)> {
    kind.attributes.iter().find_map(|(stored, called, form)| match stored.strip_suffix('*') {
        Some(start) => name.strip_prefix(start).map(|called| (called, form)),
        None => (*stored == name).then_some((*called, form)),
    })
}
