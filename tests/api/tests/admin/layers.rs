//! `import --layered`: Argon2id over every old hash, from the moment at which its account is there.

use std::{collections::BTreeMap, fs};

use doorward_kit::{
    App,
    app::USUAL_COST,
    requests::{PASSWORD, login},
};
use serde_json::{Value, json};

use crate::{
    done,
    import::{DJANGO, Temporary, user},
    refused,
};

const HASHES: [&str; 4] = [
    include_str!("../../contract/hashes.jsonl"),
    include_str!("../../contract-extra/bcrypt.jsonl"),
    include_str!("../../contract-extra/phc.jsonl"),
    include_str!("../../contract-extra/services.jsonl"),
];

/// How a hash of each algorithm begins that an import takes. `$H$` is `$P$` by another name.
const ALGORITHMS: [&str; 17] = [
    "$2b$",
    "$2y$",
    "$P$",
    "$fbscrypt$",
    "$pbkdf2$",
    "$pbkdf2-sha1$",
    "$pbkdf2-sha256$",
    "$pbkdf2-sha512$",
    "$scrypt$",
    "$scrypt-nfkc$",
    "$wp$",
    "argon2$",
    "bcrypt$",
    "bcrypt_sha256$",
    "pbkdf2_sha1$",
    "pbkdf2_sha256$",
    "scrypt$",
];

/// A hash of each algorithm that has a password shorter than 72 bytes, and the password.
fn one_of_each() -> BTreeMap<String, (String, String)> {
    let mut one = BTreeMap::new();
    for line in HASHES.iter().flat_map(|file| file.lines()) {
        let line: Value = serde_json::from_str(line).unwrap();
        let (password, hash) = (line["password"].as_str().unwrap(), line["encoded"].as_str().unwrap());
        let Some(algorithm) = ALGORITHMS.iter().find(|algorithm| hash.starts_with(**algorithm)) else { continue };
        if password.len() < 72 && !password.trim().is_empty() {
            one.entry((*algorithm).to_owned()).or_insert_with(|| (password.to_owned(), hash.to_owned()));
        }
    }
    one
}

async fn stored(app: &App, name: &str) -> String {
    app.operator.account(name).await["password"].as_s().unwrap().clone()
}

#[tokio::test]
async fn a_hash_of_every_algorithm_is_layered_and_its_owner_logs_in_which_takes_the_layer_off() {
    let app = App::configured(&[USUAL_COST]).await;
    let hashes = one_of_each();
    assert!(ALGORITHMS.iter().all(|algorithm| hashes.contains_key(*algorithm)), "{:?}", hashes.keys());
    let people: Vec<(String, &(String, String))> =
        hashes.values().enumerate().map(|(number, one)| (format!("user{number}"), one)).collect();
    let lines: Vec<String> = people.iter().map(|(name, (_, hash))| user(name, &format!("{name}@example.com"), hash)).collect();
    let file = Temporary::of(&lines);
    let count = lines.len();
    let strong =
        people.iter().filter(|(_, (_, hash))| hash.contains("argon2id$v=19$m=19456") || hash.contains("argon2id$v=19$m=102400")).count();
    let would = done(&app, &["import", "--layered", "--dry-run", file.path()]).await;
    assert!(would.starts_with(&format!("{} hashes would get Argon2id over them: about ", count - strong)), "{would}");
    assert!(app.everything().await.is_empty(), "a dry run writes nothing");

    // Without a flag for weak hashes, since with a layer none is weak.
    let written = done(&app, &["import", "--layered", file.path()]).await;
    let expected =
        format!("{} hashes got Argon2id over them.\n{count} accounts: {count} imported, 0 already there, 0 refused.\n", count - strong);
    assert_eq!(written, expected);
    for (name, (_, hash)) in &people {
        let stored = stored(&app, name).await;
        assert!(
            stored.starts_with("$layered$argon2id$v=19$m=19456,t=2,p=1$") || stored == *hash && hash.contains("argon2id$v=19"),
            "{stored}"
        );
    }
    // Another run changes nothing.
    let items = app.everything().await;
    let again = done(&app, &["import", "--layered", file.path()]).await;
    assert_eq!(again, format!("0 hashes got Argon2id over them.\n{count} accounts: 0 imported, {count} already there, 0 refused.\n"));
    assert_eq!(app.everything().await, items);
    for (name, (password, hash)) in &people {
        assert_eq!(app.send(login(name, "another password")).await.status, 401, "{hash}");
        assert_eq!(app.send(login(name, password)).await.status, 200, "{hash}");
        assert!(stored(&app, name).await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(app.send(login(name, password)).await.status, 200, "{hash}, the second time");
    }
}

#[tokio::test]
async fn a_layered_hash_leaves_in_our_own_form_alone_and_every_other_form_names_its_account() {
    let app = App::start().await;
    let file = Temporary::of(&[user("ann", "ann@example.com", DJANGO), user("sso", "sso@example.com", "!")]);
    done(&app, &["import", "--layered", file.path()]).await;
    let layered = stored(&app, "ann").await;
    let id = app.operator.partition("ann").await.replace("account#", "");
    let first = Temporary::none();
    let told = done(&app, &["export", first.path(), "--with-hashes"]).await;
    assert!(!told.contains("cannot hold"), "{told}");
    let exported = fs::read_to_string(first.path()).unwrap();
    assert!(exported.contains(&json!(layered).to_string()), "{exported}");
    for form in ["django", "auth0", "keycloak"] {
        let file = Temporary::none();
        let told = done(&app, &["export", file.path(), "--with-hashes", "--format", form]).await;
        assert!(
            told.contains(&format!("1 have hashes that this form cannot hold, and go without a password (id:{id}).")),
            "{form}: {told}"
        );
        let text = fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains("layered") && !text.contains("argon2"), "{form}: {text}");
    }
    // In again, with and without the argument, as the same file.
    for arguments in [&["import"][..], &["import", "--layered"]] {
        let other = App::start().await;
        done(&other, &[arguments, &[first.path()]].concat()).await;
        assert_eq!(stored(&other, "ann").await, layered);
        let second = Temporary::none();
        done(&other, &["export", second.path(), "--with-hashes"]).await;
        assert_eq!(fs::read_to_string(second.path()).unwrap(), exported);
        assert_eq!(other.send(login("ann", PASSWORD)).await.status, 200);
    }
}

#[tokio::test]
async fn an_import_of_layers_that_is_cut_off_stores_no_old_hash_and_goes_on() {
    let (app, observer) = App::observed(&[]).await;
    let lines: Vec<String> = (0..24).map(|number| user(&format!("user{number}"), &format!("user{number}@example.com"), DJANGO)).collect();
    let file = Temporary::of(&lines);
    observer.store.fail(|call| (call.number >= 20).then_some((doorward_kit::proxy::When::After, doorward_kit::proxy::Failure::Drops)));
    let (_, told) = refused(&app, &["import", "--layered", "--patience", "0s", file.path()]).await;
    assert!(told.contains("accounts were left. Run it again to go on"), "{told}");
    observer.store.forget();
    let written = done(&app, &["import", "--layered", file.path()]).await;
    assert!(written.contains("24 accounts: ") && written.ends_with("0 refused.\n"), "{written}");
    for number in 0..24 {
        assert!(stored(&app, &format!("user{number}")).await.starts_with("$layered$"));
    }
}

#[tokio::test]
async fn an_account_whose_name_is_taken_is_refused_with_layers_as_without() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let before = app.everything_but_limits().await;
    let file = Temporary::of(&[user("ann", "other@example.com", DJANGO)]);
    let (written, _) = refused(&app, &["import", "--layered", file.path()]).await;
    assert!(written.ends_with("0 hashes got Argon2id over them.\n1 accounts: 0 imported, 0 already there, 1 refused.\n"), "{written}");
    assert_eq!(app.everything_but_limits().await, before);
}
