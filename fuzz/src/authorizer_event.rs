//! Any JSON as an event of the authorizer. Without something that parses as a session token it denies, and does not call the store.

use std::sync::LazyLock;

use doorward_functions::{Authorizer, Function as _, Question};

use crate::{RUNTIME, wiring};

static AUTHORIZER: LazyLock<Authorizer> = LazyLock::new(|| Authorizer::new(&mut wiring(&[])));

/// Holds what the module says.
pub fn check(data: &[u8]) {
    let Ok(question) = serde_json::from_slice::<Question>(data) else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    // The store decides about anything that may be a token.
    if text.contains("dws") || text.contains('\\') {
        return;
    }
    let answer = RUNTIME.block_on(AUTHORIZER.decide(&question)).expect("an answer without the store");
    let passes = answer["isAuthorized"] == true || answer["policyDocument"]["Statement"][0]["Effect"] == "Allow";
    assert!(!passes, "{answer}");
    assert!(answer.get("context").is_none(), "{answer}");
}
