//! Searching for secrets in everything that was written, in any form.

use std::fmt::Write as _;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use sha2::{Digest as _, Sha256};

/// A secret that must not be found.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Its name, for messages.
    pub name: String,
    /// Every form in which it is searched for.
    pub forms: Vec<String>,
}

/// The number of a token's characters that identify it; that many do not occur by chance.
const TELLING: usize = 16;

impl Secret {
    /// A text: a password, an address, a hash.
    pub fn text(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), forms: forms(text.as_bytes(), Some(text)) }
    }

    /// A token: its text, its bytes, and a part of either.
    pub fn token(name: &str, token: &str) -> Self {
        let bytes = crate::store::token_bytes(token);
        let secret = &bytes[16..];
        let mut all = forms(token.as_bytes(), Some(token));
        all.extend(forms(&bytes, None));
        all.extend(forms(secret, None));
        all.push(token[token.len() - TELLING..].to_owned());
        // After the account's id, at the border of a character.
        all.push(token[4 + 24..4 + 24 + TELLING].to_owned());
        Self { name: name.to_owned(), forms: all }
    }

    /// A token's digest in its stored form.
    pub fn digest(name: &str, token: &str) -> Self {
        let digest = Sha256::digest(token.as_bytes());
        let text = URL_SAFE_NO_PAD.encode(digest);
        let mut all = forms(&digest, None);
        all.extend(forms(text.as_bytes(), Some(&text)));
        Self { name: format!("digest of {name}"), forms: all }
    }
}

/// The secrets that a text contains, with their form.
pub fn found<'a>(text: &str, secrets: &'a [Secret]) -> Vec<(&'a str, &'a str)> {
    secrets.iter().filter_map(|secret| Some((&*secret.name, &**secret.forms.iter().find(|form| text.contains(form.as_str()))?))).collect()
}

/// As it is, in JSON, in a URL, in a form, in HTML, in hexadecimal, and in both alphabets of base64 at any position of a longer text.
fn forms(bytes: &[u8], text: Option<&str>) -> Vec<String> {
    let mut forms = Vec::new();
    if let Some(text) = text {
        forms.push(text.to_owned());
        forms.push(serde_json::to_string(text).expect("JSON").trim_matches('"').to_owned());
        forms.push(
            text.chars().map(|char| if char.is_ascii() { char.to_string() } else { format!("\\u{:04x}", u32::from(char)) }).collect(),
        );
        forms.push(percent(bytes, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
        forms.push(percent(bytes, |byte| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte)).replace("%20", "+"));
        forms.push(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#x27;"));
        forms.push(format!("{text:?}").trim_matches('"').to_owned());
    }
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    forms.push(hex.to_uppercase());
    forms.push(hex);
    forms.push(format!("{bytes:?}").trim_matches(['[', ']']).to_owned());
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
        forms.push(engine.encode(bytes));
    }
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        for skipped in 1..3 {
            // The text before it shifts it by one or two bytes; complete groups of three bytes remain recognisable.
            let from = 3 - skipped;
            let whole = (bytes.len().saturating_sub(from)) / 3 * 3;
            forms.extend(bytes.get(from..from + whole).filter(|bytes| bytes.len() >= 6).map(|bytes| engine.encode(bytes)));
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

fn percent(bytes: &[u8], stays: impl Fn(u8) -> bool) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if stays(*byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}
