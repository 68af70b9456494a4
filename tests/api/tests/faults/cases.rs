//! The requests whose calls fail.

use doorward_kit::requests::{
    ACTIVATION, NEW_PASSWORD, PASSWORD, Request, change_address, change_me, change_password, confirm_reset, delete_me, end_sessions,
    export, login, logout, logout_all, me, post, register, request, reset_request, sessions, set_username, validate, verification_request,
    verify,
};

use serde_json::json;

use super::World;

/// A request, each of whose calls is made to fail in turn.
pub struct Case {
    pub name: &'static str,
    pub ask: fn(&World) -> Request,
    /// The status if nothing fails.
    pub done: u16,
    /// The status of the same request after it has succeeded.
    pub again: u16,
    /// The items that it changes. Those after the bar may be left undone.
    pub changes: &'static str,
    /// The events that are recorded.
    pub events: &'static str,
}

/// Every request.
pub static CASES: [Case; 27] = [
    Case {
        name: "register",
        ask: |world| register(&format!("new{}", world.person.username), &format!("new{}", world.person.email)),
        done: 201,
        again: 400,
        changes: "+account,+email claim,+event,+request,+username claim",
        events: "account",
    },
    Case {
        name: "login",
        ask: |world| login(&world.person.username, PASSWORD).from("198.51.100.7"),
        done: 200,
        again: 200,
        changes: "+session|~account networks",
        events: "account",
    },
    Case {
        name: "login told",
        ask: |world| login(&world.person.username, PASSWORD).from("198.51.100.7"),
        done: 200,
        again: 200,
        changes: "+event,+session|~account networks",
        events: "all",
    },
    Case { name: "logout", ask: |world| logout(&world.session), done: 200, again: 401, changes: "-session", events: "account" },
    Case { name: "logout told", ask: |world| logout(&world.session), done: 200, again: 401, changes: "+event,-session", events: "all" },
    Case {
        name: "logout_all",
        ask: |world| logout_all(&world.session),
        done: 200,
        again: 401,
        changes: "~account epoch",
        events: "account",
    },
    Case {
        name: "logout_all told",
        ask: |world| logout_all(&world.session),
        done: 200,
        again: 401,
        changes: "+event,~account epoch",
        events: "all",
    },
    Case {
        name: "change",
        ask: |world| change_password(&world.session, PASSWORD, NEW_PASSWORD),
        done: 200,
        again: 400,
        changes: "+event,+notice,-reset,~account epoch networks password password_changed_at,~session epoch",
        events: "account",
    },
    Case {
        name: "reset request",
        ask: |world| reset_request(&world.person.email),
        done: 200,
        again: 200,
        changes: "+request",
        events: "account",
    },
    Case { name: "validate", ask: |world| validate(&world.link), done: 200, again: 200, changes: "", events: "account" },
    Case {
        name: "page",
        ask: |world| request("GET", &format!("/api/password_reset/confirm/?token={}", world.link)),
        done: 200,
        again: 200,
        changes: "",
        events: "account",
    },
    Case {
        name: "confirm",
        ask: |world| confirm_reset(&world.link, NEW_PASSWORD),
        done: 200,
        again: 404,
        changes: "+event,+notice,-reset,~account epoch networks password password_changed_at verified_at",
        events: "account",
    },
    Case { name: "see own account", ask: |world| me(&world.session), done: 200, again: 200, changes: "", events: "account" },
    Case { name: "export own account", ask: |world| export(&world.session), done: 200, again: 200, changes: "", events: "account" },
    Case {
        name: "change a field",
        ask: |world| change_me("PATCH", &world.session, &json!({ "nickname": "Annie" })),
        done: 200,
        again: 200,
        changes: "+event,+profile",
        events: "account",
    },
    Case {
        name: "register fields",
        ask: |world| {
            let (username, email) = (format!("new{}", world.person.username), format!("new{}", world.person.email));
            post("/api/register/", &json!({ "username": username, "email": email, "password": PASSWORD, "nickname": "Annie" }))
        },
        done: 201,
        again: 400,
        changes: "+account,+email claim,+event,+profile,+request,+username claim",
        events: "account",
    },
    Case { name: "see sessions", ask: |world| sessions(&world.session), done: 200, again: 200, changes: "", events: "account" },
    Case {
        name: "end a session",
        ask: |world| end_sessions(&world.session, &[&world.other], PASSWORD),
        done: 200,
        again: 200,
        changes: "-session",
        events: "account",
    },
    Case {
        name: "end a session told",
        ask: |world| end_sessions(&world.session, &[&world.other], PASSWORD),
        done: 200,
        again: 200,
        changes: "+event,-session",
        events: "all",
    },
    Case {
        name: "verify",
        ask: |world| verify(&world.verification),
        done: 204,
        again: 204,
        changes: "+event,-verify,~account verified_at verified_by",
        events: "account",
    },
    Case {
        name: "verification page",
        ask: |world| request("GET", &format!("{ACTIVATION}?token={}", world.verification)),
        done: 200,
        again: 200,
        changes: "",
        events: "account",
    },
    Case {
        name: "verification request",
        ask: |world| verification_request(&world.person.email),
        done: 204,
        again: 204,
        changes: "+request",
        events: "account",
    },
    Case {
        name: "set username",
        ask: |world| set_username(&world.session, &format!("new{}", world.person.username), PASSWORD),
        done: 204,
        again: 400,
        changes: "+event,+notice,+username claim,-username claim,~account username username_folded",
        events: "account",
    },
    Case {
        name: "address asked",
        ask: |world| change_address(&world.session, &format!("o{}", world.person.email), PASSWORD),
        done: 200,
        again: 200,
        changes: "+notice,+request,~address digest email email_folded expires_at issued_at requested_at sent_at valid_until",
        events: "account",
    },
    Case {
        name: "address confirmed",
        ask: |world| verify(&world.change),
        done: 204,
        again: 204,
        changes: "+email claim,+event,+former,+notice,-address,-reset,-verify,~account address_no email email_folded former verified_at verified_by,~email claim expires_at reserved_until",
        events: "account",
    },
    Case {
        name: "address page",
        ask: |world| request("GET", &format!("{ACTIVATION}?token={}", world.change)),
        done: 200,
        again: 200,
        changes: "",
        events: "account",
    },
    Case {
        name: "delete own account",
        ask: |world| delete_me(&world.session, PASSWORD),
        done: 204,
        again: 401,
        changes: "+event,+notice,+sweep,-reset,-session,-verify,~account active delete_after deleted_at epoch",
        events: "account",
    },
];
