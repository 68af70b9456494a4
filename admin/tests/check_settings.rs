//! Runs `check-settings` as a deployment does.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// The exit code, and what was printed on standard output and standard error.
fn checked(input: &str) -> (Option<i32>, String, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_check-settings"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    program.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
    let output = program.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn good_settings_print_nothing() {
    let logout = r#"{"logout": {"ACCOUNTS_TABLE": "accounts", "OUTBOX_TABLE": "outbox", "SESSIONS_NOT_BEFORE": ""}}"#;
    assert_eq!(checked(logout), (Some(0), String::new(), String::new()));
    assert_eq!(checked("{}").0, Some(0));
}

#[test]
fn every_complaint_is_a_line_with_its_function_and_without_the_value() {
    let (code, said, _) =
        checked(r#"{"logout": {"SESSIONS_NOT_BEFORE": "secret"}, "mailer": {"ACCOUNTS_TABLE": "a", "OUTBOX_TABLE": "o"}}"#);
    assert_eq!(code, Some(1));
    let expected = [
        "logout: ACCOUNTS_TABLE is not set",
        "logout: OUTBOX_TABLE is not set",
        "logout: SESSIONS_NOT_BEFORE: must be an instant such as 2026-01-31T12:00:00Z",
        "mailer: SENDER is not set",
        "mailer: LINK_BASE is not set",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn input_of_another_shape_is_refused_and_not_repeated() {
    for input in ["", "[]", "{\"login\": \"secret\"}", "{\"login\": {\"A\": [\"secret\"]}}", "secret"] {
        let (code, out, err) = checked(input);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{input}");
        assert!(err.starts_with("check-settings: line ") && !err.contains("secret"), "{err}");
    }
}

#[test]
fn every_mail_and_page_can_be_rendered_with_the_templates_that_are_compiled_in() {
    let output = Command::new(env!("CARGO_BIN_EXE_check-settings")).env_clear().arg("templates").output().expect("it runs");
    assert_eq!((output.status.code(), output.stdout, output.stderr), (Some(0), Vec::new(), Vec::new()));
}
