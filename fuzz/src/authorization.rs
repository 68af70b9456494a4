//! Any bytes as an Authorization header give a token without white space or a refusal, and no two texts are the same token.

use doorward::{
    http::{Refusal, credentials_of},
    token::{Disavow, Purpose, Reset, Session, Token},
};

fn spells_itself<P: Purpose>(text: &str) -> bool {
    Token::<P>::parse(text).is_none_or(|token| token.reveal().as_str() == text)
}

/// Holds what the module says.
pub fn check(data: &[u8]) {
    match credentials_of(data) {
        Ok(token) => {
            assert!(!token.is_empty() && !token.bytes().any(|byte| byte.is_ascii_whitespace() || byte == 0x0b));
            assert!(spells_itself::<Session>(token) && spells_itself::<Reset>(token) && spells_itself::<Disavow>(token));
            let purposes = [
                Token::<Session>::parse(token).is_some(),
                Token::<Reset>::parse(token).is_some(),
                Token::<Disavow>::parse(token).is_some(),
            ];
            assert!(purposes.iter().filter(|is| **is).count() <= 1);
        }
        Err(Refusal::Unauthenticated(_)) => {}
        Err(other) => panic!("{}", other.code()),
    }
}
