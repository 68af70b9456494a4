use super::*;

fn item(partition: &str, sort: &str, attributes: &str) -> ((String, String), Item) {
    let keys = [("pk", partition), ("sk", sort)].map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
    let attributes = attributes.split_whitespace().map(|attribute| {
        let (name, value) = attribute.split_once('=').expect("name=value");
        let value = match value {
            "true" | "false" => AttributeValue::Bool(value == "true"),
            "{}" => AttributeValue::M(Item::new()),
            _ if value.parse::<i64>().is_ok() => AttributeValue::N(value.to_owned()),
            _ => AttributeValue::S(value.to_owned()),
        };
        (name.to_owned(), value)
    });
    ((partition.to_owned(), sort.to_owned()), attributes.chain(keys).collect())
}

const ID: &str = "01941f29-7c00-7000-8000-000000000000";
const OTHER: &str = "01941f29-7c00-7000-8000-000000000001";

/// An account with a session, a link with its successor, the link of a notice, mail and a window.
fn whole() -> Items {
    let account = format!("account#{ID}");
    let mail = "browser=b requested_at=1 expires_at=2";
    Items::from([
        item(
            &account,
            "account",
            "username=Ann username_folded=ann email=a@b email_folded=a@b epoch=3 active=true created_at=1 password_changed_at=5 networks={}",
        ),
        item("username#ann", "claim", &format!("account_id={ID}")),
        item("email#a@b", "claim", &format!("account_id={ID}")),
        item(&account, "session#x", "epoch=3 created_at=1 valid_until=2000 expires_at=2"),
        item(
            &account,
            "reset",
            "digest=x issued_at=1 valid_until=1 expires_at=2 requested_at=1 sent=0 pending_digest=y pending_issued_at=1 pending_valid_until=2000",
        ),
        item(&account, "disavow#x", "issued_at=1 valid_until=2000 expires_at=2"),
        item("reset#x", "10", &format!("email=a@b email_folded=a@b address=x {mail}")),
        item(&format!("notice#{ID}"), OTHER, &format!("email=a@b address=x change=reset changed_at=1 {mail}")),
        item(&format!("notice#{ID}"), ID, &format!("change=reset changed_at=1 {mail} attempts=1 done_at=3 outcome=handled")),
        item("login-client#x", "300", "hits=1 attempt=x expires_at=5"),
    ])
}

#[test]
fn what_the_functions_write_is_whole() {
    assert_eq!(broken(&Items::new(), &whole()), [""; 0]);
    assert_eq!(broken(&whole(), &whole()), [""; 0]);
}

#[test]
fn whatever_is_lost_left_over_or_undone_is_found() {
    let account = format!("account#{ID}");
    type Change = Box<dyn Fn(&mut Items)>;
    let gone = |partition: &str, sort: &str| -> Change {
        let key = (partition.to_owned(), sort.to_owned());
        Box::new(move |items| drop(items.remove(&key).expect("an item")))
    };
    let set = |sort: &str, attributes: &str| -> Change {
        let (key, new) = item(&account, sort, attributes);
        Box::new(move |items| items.entry(key.clone()).or_default().extend(new.clone()))
    };
    let cases: Vec<(Change, &str)> = vec![
        (gone("username#ann", "claim"), "has no claim on it"),
        (set("account", "deleted_at=1 delete_after=5"), "is active or in no list"),
        (Box::new(|items| items.extend([item("sweep#0", &format!("2026-01-01T00:00:00.000Z#{ID}"), "")])), "not to be deleted then"),
        (gone("email#a@b", "claim"), "has no claim on it"),
        (gone(&account, "account"), "its account is gone"),
        (set("account", "username_folded=eve"), "an account that has it not"),
        (set("account", "epoch=2"), "epoch has fallen"),
        (set("account", "password_changed_at=4"), "password_changed_at has fallen"),
        (set("account", "pin=1234"), "pin:N is too much"),
        (set("account", "verified_by=x"), "verified an address that is not verified"),
        (set("account", "active=1"), "active:BOOL"),
        (set("account", "undeliverable=bounced"), "something is missing"),
        (set("session#x", "epoch=4"), "still to come"),
        (set("session#x", "valid_until=2001"), "removed before it ends"),
        (set("session#new", "epoch=3"), "something is missing"),
        (set("reset", "pending_digest=x"), "its own successor"),
        (set("reset", "pending_valid_until=2001"), "removed before it ends"),
        (set("reset#1", "digest=x"), "no item has such a key"),
        (Box::new(|items| items.extend([item("username#eve", "claim", &format!("account_id={ID}"))])), "an account that has it not"),
        (
            Box::new(|items| drop(items.get_mut(&("reset#x".to_owned(), "10".to_owned())).expect("an item").remove("email"))),
            "exactly while it is open",
        ),
    ];
    for (change, told) in cases {
        let mut items = whole();
        change(&mut items);
        let broken = broken(&whole(), &items);
        assert!(broken.iter().any(|line| line.contains(told)), "{told}: {broken:#?}");
    }
}

#[test]
fn a_name_that_is_too_long_for_a_key_is_claimed_by_its_digest() {
    let (long, longer) = ("x".repeat(1024), "x".repeat(1025));
    assert_eq!(claim_of("username", &long).0, format!("username#{long}"));
    assert!(claim_of("username", &longer).0.starts_with("username#sha256:"));
}
