//! Promise 1: one account per name.

use doorward_kit::{
    App,
    requests::{PASSWORD, login},
};
use serde_json::json;

const USERNAME_TAKEN: &str = "A user with that username already exists.";
const EMAIL_TAKEN: &str = "user with this email already exists.";
const NOT_OWN_ADDRESS: &str = "A username that is an e-mail address must be this account's own.";

#[tokio::test]
async fn a_username_is_one_whatever_its_case_width_or_ligatures() {
    let app = App::start().await;
    for (first, again) in
        [("alice", "ALICE"), ("bob", "ＢＯＢ"), ("straße", "STRASSE"), ("ﬁnn", "FINN"), ("Ǆoko", "ǆOKO"), ("ΣΊΣΥΦΟΣ", "σίσυφος")]
    {
        assert_eq!(app.register(first, &format!("{}@example.com", first.len())).await.status, 201, "{first}");
        let taken = app.register(again, "other@example.com").await;
        assert_eq!((taken.status, taken.json()), (400, json!({ "username": [USERNAME_TAKEN] })), "{again}");
        assert_eq!(app.send(login(again, PASSWORD)).await.status, 200, "{again}");
        app.operator.delete_user(first).await;
    }
}

#[tokio::test]
async fn invisible_characters_do_not_make_another_name() {
    let app = App::start().await;
    assert_eq!(app.register("mara", "mara@example.com").await.status, 201);
    for again in ["mara\u{3164}", "\u{115F}mara", "ma\u{1160}ra", "MARA\u{FFA0}\u{3164}"] {
        let taken = app.register(again, "other@example.com").await;
        assert_eq!((taken.status, taken.json()), (400, json!({ "username": [USERNAME_TAKEN] })), "{again:?}");
        assert_eq!(app.send(login(again, PASSWORD)).await.status, 200, "{again:?}");
    }
    for nothing in ["\u{3164}", "\u{115F}\u{1160}\u{3164}\u{FFA0}", " \u{3164} "] {
        let refused = app.register(nothing, "other@example.com").await;
        let charset = "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";
        assert_eq!((refused.status, refused.json()), (400, json!({ "username": [charset] })), "{nothing:?}");
    }
}

/// Both have the same rule, so that a person who can log in with an address can also request a link with it.
#[tokio::test]
async fn login_and_reset_take_the_same_addresses() {
    let app = App::configured(&[("LOGIN_ACCOUNT_LIMIT", "1000/1m")]).await;
    assert_eq!(app.register("ann", "ann@example.com").await.status, 201);
    // Here the address is the username as well.
    assert_eq!(app.register("bob@example.com", "bob@example.com").await.status, 201);
    let takes = async |address: &str| {
        let logged_in = app.send(login(address, PASSWORD)).await.status;
        let asked = app.send(doorward_kit::requests::reset_request(address)).await.status;
        assert!([(200, 200), (401, 400)].contains(&(logged_in, asked)), "{address:?}: {logged_in} {asked}");
        logged_in == 200
    };
    for name in ["ann", "bob"] {
        for around in
            ["ADDRESS", " ADDRESS\n", "ADDRESS\u{200B}", "\u{FEFF}\u{200E}ADDRESS", "\u{202A}ADDRESS\u{202C} ", "\u{3164}ADDRESS\u{AD}"]
        {
            for address in [format!("{name}@example.com"), format!("{}@EXAMPLE.com", name.to_uppercase())] {
                assert!(takes(&around.replace("ADDRESS", &address)).await, "{around:?}");
            }
        }
        for odd in [
            "N＠example.com",
            "N@example．com",
            "N@example。com",
            "N\u{200B}@example.com",
            "N@exam\u{AD}ple.com",
            "N@@example.com",
            "\u{200B}",
        ] {
            assert!(!takes(&odd.replace('N', name)).await, "{odd:?}");
        }
    }
    // A name of another width is the same name still, as is one in another normalization form.
    assert_eq!(app.register("josé", "jose@example.com").await.status, 201);
    for name in ["ａｎｎ", "JOSE\u{301}"] {
        assert_eq!(app.send(login(name, PASSWORD)).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn an_address_is_one_whatever_its_case_and_the_form_of_its_domain() {
    let app = App::start().await;
    for (first, again) in [("ann@example.com", "ANN@Example.COM"), ("ann@münchen.de", "Ann@xn--mnchen-3ya.DE")] {
        assert_eq!(app.register("ann", first).await.status, 201, "{first}");
        let taken = app.register("other", again).await;
        assert_eq!((taken.status, taken.json()), (400, json!({ "email": [EMAIL_TAKEN] })), "{again}");
        assert_eq!(app.send(login(again, PASSWORD)).await.status, 200, "{again}");
        app.operator.delete_user("ann").await;
    }
}

#[tokio::test]
async fn what_is_taken_is_told_of_both_names_at_once_and_leaves_nothing_behind() {
    let app = App::start().await;
    app.sign_up("ann").await;
    let items = app.everything().await.len();
    let taken = app.register("ANN", "ANN@example.com").await;
    assert_eq!(taken.json(), json!({ "username": [USERNAME_TAKEN], "email": [EMAIL_TAKEN] }));
    let half_taken = app.register("bob", "ann@example.com").await;
    assert_eq!(half_taken.json(), json!({ "email": [EMAIL_TAKEN] }));
    assert_eq!(app.everything().await.len(), items);
    assert_eq!(app.register("bob", "bob@example.com").await.status, 201, "the free name of a refused registration stays free");
}

#[tokio::test]
async fn a_username_that_is_an_address_is_the_accounts_own() {
    let app = App::start().await;
    // Also if it only folds to one: full-width, or with the other form of its domain.
    for username in ["bob@example.com", "Bob@Example.com", "ＢＯＢ@ｅｘａｍｐｌｅ.ｃｏｍ", "bob@münchen.de"] {
        let refused = app.register(username, "eve@example.com").await;
        assert_eq!((refused.status, refused.json()), (400, json!({ "username": [NOT_OWN_ADDRESS] })), "{username}");
    }
    assert_eq!(app.everything().await.len(), 0);
    assert_eq!(app.register("Bob@Example.com", "bob@example.com").await.status, 201);
    assert_eq!(app.register("eve", "BOB@example.com").await.json(), json!({ "email": [EMAIL_TAKEN] }));
}

#[tokio::test]
async fn mail_goes_to_the_address_as_stored_whoever_asks_in_whatever_case() {
    let app = App::start().await;
    assert_eq!(app.register("ann", "Ann.O'Neil@Example.com").await.status, 201);
    app.advance(1);
    app.send(doorward_kit::requests::reset_request("ANN.o'neil@EXAMPLE.COM")).await;
    app.deliver().await;
    let to: Vec<String> = app.mailbox.all().into_iter().map(|mail| mail.to).collect();
    assert_eq!(to, ["Ann.O'Neil@Example.com"], "as given at registration, not as asked for");
}
