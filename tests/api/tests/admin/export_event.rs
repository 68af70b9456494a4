//! The event of an export: it is there before the file has anything in it, and says what was exported and by whom.

use std::path::Path;

use clap::Parser as _;
use doorward::{config::Settings, entropy::Entropy};
use doorward_admin::{Admin, Arguments, Terminal};
use doorward_kit::{
    App,
    proxy::{Failure, When},
};
use serde_json::{Value, json};

use crate::{done, import::Temporary, refused};

/// The data of the only event of an export since the last look.
async fn told(app: &App) -> Value {
    let before = app.bus.details().len();
    app.publish().await;
    let new = app.bus.details().split_off(before);
    let [event] = &new[..] else { panic!("one event: {new:?}") };
    assert_eq!(event["type"], "accounts.exported");
    event["data"].clone()
}

#[tokio::test]
async fn an_export_leaves_one_event_that_says_how_many_accounts_in_which_form_and_whether_with_hashes() {
    let app = App::configured(&[("EVENTS", "account")]).await;
    for name in ["ann", "ben"] {
        app.sign_up(name).await;
    }
    app.publish().await;
    let said = done(&app, &["export", Temporary::none().path(), "--with-hashes"]).await;
    assert!(!said.contains("No event"), "{said}");
    assert_eq!(told(&app).await, json!({ "count": 2, "format": "jsonl", "with_hashes": true }));
    let ann = app.store.account_by_login_name("ann").await.unwrap().unwrap().id.to_string();
    done(&app, &["export", Temporary::none().path(), "--format", "csv", "--who", "ann"]).await;
    assert_eq!(told(&app).await, json!({ "account_id": ann, "count": 1, "format": "csv", "with_hashes": false }));
    // What is refused before it has read anything is no event.
    refused(&app, &["export", Temporary::none().path(), "--who", "nobody"]).await;
    refused(&app, &["export", Temporary::none().path(), "--format", "csv", "--with-hashes"]).await;
    assert_eq!(app.waiting_events().await, [""; 0]);
}

#[tokio::test]
async fn an_export_says_who_exported_if_that_is_known() {
    let app = App::configured(&[("EVENTS", "account")]).await;
    let caller = "arn:aws:sts::111122223333:assumed-role/support/eve";
    let mut settings = Settings::from_pairs([("CALLER_ARN".to_owned(), caller.to_owned())]);
    let admin = Admin::new(&mut settings, app.store.clone(), app.clock.clock(), Entropy::system());
    let file = Temporary::none();
    let arguments = Arguments::try_parse_from(["doorward-admin", "export", file.path()]).unwrap();
    let (mut out, mut ask) = (Vec::new(), |_: &str| Err(std::io::Error::other("no terminal")));
    admin.run(arguments.command, Terminal { out: &mut out, ask: &mut ask, json: false }).await.unwrap();
    assert_eq!(told(&app).await["caller"], caller);
}

#[tokio::test]
async fn an_export_whose_event_is_not_written_is_refused_and_leaves_no_file() {
    let (app, observer) = App::observed(&[("EVENTS", "account")]).await;
    app.sign_up("ann").await;
    app.publish().await;
    let file = Temporary::none();
    for when in [When::Before, When::After] {
        observer.store.fail(move |call| (call.operation == "PutItem").then(|| (when, Failure::code(400, "AccessDeniedException"))));
        let (_, reason) = refused(&app, &["export", file.path(), "--with-hashes"]).await;
        assert!(reason.starts_with("the event of this export was not written, so nothing was exported: "), "{reason}");
        let part = format!("{}.part", file.path());
        assert!(!Path::new(file.path()).exists() && !Path::new(&part).exists());
        observer.store.forget();
    }
    done(&app, &["export", file.path(), "--with-hashes"]).await;
    assert!(Path::new(file.path()).exists());
}
