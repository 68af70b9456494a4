//! Placeholder accounts (`Registration=silent`) get no mail and go nowhere else, whatever an operator does.

use doorward_kit::{
    App,
    place::Place,
    requests::{address_of, register},
};
use serde_json::Value;

use crate::{done, import::Temporary, refused};

const SILENT: [(&str, &str); 2] = [("REGISTRATION", "silent"), ("ADDRESS_VERIFICATION", "mandatory")];

#[tokio::test]
async fn a_placeholder_account_is_in_no_file_for_others_and_is_never_invited() {
    let app = App::over(&Place::fresh().await, &SILENT).await;
    assert_eq!(app.send(register("ann", &address_of("ann"))).await.status, 201);
    assert_eq!(app.send(register("nobody", &address_of("ann"))).await.status, 201);
    app.deliver().await;
    for form in ["django", "auth0", "keycloak", "csv"] {
        let file = Temporary::none();
        let told = done(&app, &["--json", "export", file.path(), "--format", form]).await;
        let told: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        assert_eq!((&told["exported"], &told["for_nobody"]), (&Value::from(1), &Value::from(1)), "{form}");
        let written = std::fs::read_to_string(file.path()).unwrap();
        assert!(written.contains("ann@example.com") && !written.contains("registered.invalid"), "{form}: {written}");
    }
    let (_, reason) = refused(&app, &["reset", "nobody"]).await;
    assert_eq!(reason, "it is a placeholder account (Registration=silent), to which no mail arrives");

    // A copy has it, with its name and without an invitation.
    let file = Temporary::none();
    done(&app, &["export", file.path()]).await;
    let copy = App::start().await;
    done(&copy, &["import", "--without-password", "--invite", "1000", file.path()]).await;
    copy.advance(1);
    copy.deliver().await;
    let mails = copy.mailbox.all();
    assert!(mails.len() == 1 && copy.mailbox.to(&address_of("ann")).len() == 1, "{mails:?}");
    let nobody = copy.store.account_by_login_name("nobody").await.unwrap().unwrap();
    assert!(nobody.usable_password().is_none());
    copy.assert_sound().await;
}
