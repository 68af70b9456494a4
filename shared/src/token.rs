//! Tokens, which clients have, and their digests, which are stored.
//!
//! A token is a prefix that names its purpose and 48 bytes in base64url: the account's id, so that account and token come back in one read,
//! and 256 random bits, far above the 64 that ASVS 5.0 (7.2.3: 128) and OWASP ask of a session identifier.

use std::{fmt, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{entropy::Entropy, id::AccountId, text::is_invisible};

/// Bytes of an account id in a token.
const ID_BYTES: usize = 16;
/// Bytes of secret: 256 bits.
const SECRET_BYTES: usize = 32;
/// Number of characters after the prefix. Each has six bits, so 48 bytes fill them exactly.
const LENGTH: usize = 8 * (ID_BYTES + SECRET_BYTES) / 6;

/// The purpose of a token. It is part of the type and of the text, so that a token of one purpose never parses as another.
pub trait Purpose {
    /// The prefix of such a token's text, which secret scanners can recognise.
    const PREFIX: &'static str;
}

/// Authenticates requests.
#[derive(Clone, Copy)]
pub enum Session {}
/// Allows a forgotten password to be replaced once.
#[derive(Clone, Copy, Debug)]
pub enum Reset {}
/// Allows an owner to disavow what a notice reports, once.
#[derive(Clone, Copy)]
pub enum Disavow {}
/// Verifies an address once.
#[derive(Clone, Copy, Debug)]
pub enum Verify {}
/// Confirms a change of address once.
#[derive(Clone, Copy, Debug)]
pub enum NewAddress {}

impl Purpose for Session {
    const PREFIX: &'static str = "dws_";
}
impl Purpose for Reset {
    const PREFIX: &'static str = "dwr_";
}
impl Purpose for Disavow {
    const PREFIX: &'static str = "dwn_";
}
impl Purpose for Verify {
    const PREFIX: &'static str = "dwv_";
}
impl Purpose for NewAddress {
    const PREFIX: &'static str = "dwc_";
}

/// A token in plain text. Its `Debug` output does not contain it.
pub struct Token<P> {
    bytes: Zeroizing<[u8; ID_BYTES + SECRET_BYTES]>,
    purpose: PhantomData<P>,
}

impl<P: Purpose> Token<P> {
    /// A new token for `account`.
    ///
    /// It ends in a letter or a digit, because mail programs treat `-` and `_` at the end of a link as punctuation and leave them out. The last byte is
    /// drawn until it fits, so 1 in 32 secrets is never used and 255.95 bits are left.
    #[must_use]
    pub fn generate(account: AccountId, entropy: &Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; ID_BYTES + SECRET_BYTES]);
        let (id, secret) = bytes.split_at_mut(ID_BYTES);
        id.copy_from_slice(account.uuid().as_bytes());
        entropy.fill(secret);
        // The last character has the last six bits; 62 and 63 are `-` and `_`.
        while bytes[ID_BYTES + SECRET_BYTES - 1] & 0b11_1111 >= 62 {
            entropy.fill(&mut bytes[ID_BYTES + SECRET_BYTES - 1..]);
        }
        Self { bytes, purpose: PhantomData }
    }

    /// Parses a token of this purpose.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::decode(text.strip_prefix(P::PREFIX)?)
    }

    /// A token without its prefix.
    fn decode(encoded: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; ID_BYTES + SECRET_BYTES]);
        // 48 bytes are exactly 64 characters, so no two texts mean the same token.
        let length = URL_SAFE_NO_PAD.decode_slice(encoded, bytes.as_mut_slice()).ok()?;
        (length == bytes.len()).then_some(Self { bytes, purpose: PhantomData })
    }

    /// The token of this purpose that a person has typed or pasted.
    ///
    /// White space and invisible characters in and around it are ignored, because long lines are wrapped when they are shown. Its first letter may be a
    /// capital, because the keyboards of phones capitalize the first letter of a field. Anything else is refused, as by the DRF API.
    #[must_use]
    pub fn entered(text: &str) -> Option<Self> {
        let text = without_space(text);
        let (first, rest) = text.split_at_checked(1)?;
        let (expected, others) = P::PREFIX.split_at(1);
        Self::decode(rest.strip_prefix(others).filter(|_| first.eq_ignore_ascii_case(expected))?)
    }

    /// The first token of this purpose in a link that mail programs, address bars or people may have mangled.
    ///
    /// A token has a fixed length, so text around it can be ignored: a full stop, a bracket, a quote, `3D`, `utm_source=…`. Line ends and other white
    /// space in it are ignored too, and it is percent-decoded at most twice.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        let mut text = Zeroizing::new(text.to_owned());
        for _ in 0..2 {
            *text = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        }
        // A line end after "=" is from quoted-printable (RFC 2045, 6.7).
        *text = text.replace("=\r\n", "").replace("=\n", "");
        let text = without_space(&text);
        let mut starts = text.match_indices(P::PREFIX).map(|(start, _)| start + P::PREFIX.len());
        starts.find_map(|start| Self::decode(text.get(start..start + LENGTH)?))
    }

    /// The account that the token claims to belong to. Only the stored digest proves it.
    #[must_use]
    pub fn account(&self) -> AccountId {
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&self.bytes[..ID_BYTES]);
        AccountId::from(Uuid::from_bytes(id))
    }

    /// The token's text, to be sent to its holder only.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}{}", P::PREFIX, &*Zeroizing::new(URL_SAFE_NO_PAD.encode(self.bytes.as_slice()))))
    }

    /// The digest, which is stored instead of the token.
    ///
    /// A plain SHA-256 is enough for 256 random bits, which no dictionary contains (OWASP Forgot Password Cheat Sheet; NIST SP 800-63B-4, 3.1.2.2).
    #[must_use]
    pub fn digest(&self) -> Digest<P> {
        Digest { text: URL_SAFE_NO_PAD.encode(Sha256::digest(self.reveal().as_bytes())), purpose: PhantomData }
    }
}

/// The text without white space and invisible characters at any position.
fn without_space(text: &str) -> Zeroizing<String> {
    let mut kept = Zeroizing::new(text.to_owned());
    kept.retain(|char| !char.is_whitespace() && !is_invisible(char));
    kept
}

impl<P> fmt::Debug for Token<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// The SHA-256 digest of a token, in base64url.
pub struct Digest<P> {
    text: String,
    purpose: PhantomData<P>,
}

impl<P> Digest<P> {
    /// Reads a stored digest.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self { text, purpose: PhantomData }
    }

    /// The digest in its stored form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<P> Clone for Digest<P> {
    fn clone(&self) -> Self {
        Self::stored(self.text.clone())
    }
}

/// Compares in constant time.
impl<P> PartialEq for Digest<P> {
    fn eq(&self, other: &Self) -> bool {
        self.text.as_bytes().ct_eq(other.text.as_bytes()).into()
    }
}

impl<P> fmt::Debug for Digest<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Digest(…)")
    }
}

/// The digest under which a name or an address that a stranger typed is counted, so that no key contains it.
pub(crate) fn subject_digest(subject: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(subject.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> AccountId {
        AccountId::from(Uuid::from_u128(7))
    }

    #[test]
    fn a_token_survives_its_text_and_names_its_account() {
        let token = Token::<Session>::generate(account(), &Entropy::system());
        let text = token.reveal();
        let read = Token::<Session>::parse(&text).expect("own text parses");
        assert_eq!(read.account(), account());
        assert!(read.digest() == token.digest());
        assert!(text.len() >= 20 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte)));
    }

    #[test]
    fn a_session_token_does_not_parse_as_a_reset_token() {
        let text = Token::<Session>::generate(account(), &Entropy::system()).reveal();
        assert!(Token::<Reset>::parse(&text).is_none());
        let forged = text.replacen("dws_", "dwr_", 1);
        let forged = Token::<Reset>::parse(&forged).expect("the right shape");
        assert!(forged.digest().as_str() != Token::<Session>::parse(&text).expect("own text").digest().as_str());
    }

    #[test]
    fn nothing_but_the_exact_text_parses() {
        let text = Token::<Reset>::generate(account(), &Entropy::system()).reveal();
        for wrong in [
            format!("{}X", *text),
            format!("x{}", *text),
            text[..text.len() - 1].to_owned(),
            text.to_uppercase(),
            "%".to_owned(),
            String::new(),
        ] {
            assert!(Token::<Reset>::parse(&wrong).is_none());
        }
    }

    #[test]
    fn no_token_ends_in_what_mail_programs_leave_out_of_a_link() {
        for _ in 0..500 {
            let text = Token::<Reset>::generate(account(), &Entropy::system()).reveal();
            assert_eq!(text.len(), "dwr_".len() + 64);
            assert!(text.ends_with(|char: char| char.is_ascii_alphanumeric()), "it ends in punctuation");
        }
    }

    #[test]
    fn a_token_has_one_spelling() {
        let text = Token::<Reset>::generate(account(), &Entropy::system()).reveal();
        let (rest, last) = text.split_at(text.len() - 1);
        for other in ('!'..='~').filter(|other| !last.starts_with(*other)) {
            let spelt = Token::<Reset>::parse(&format!("{rest}{other}"));
            assert!(spelt.is_none_or(|spelt| spelt.digest() != Token::parse(&text).expect("own text").digest()), "{other}");
        }
    }

    /// A token of version 0.1.0, with its digest as other code computes it.
    #[test]
    fn a_token_that_was_made_before_and_ends_in_punctuation_is_still_known() {
        let old = "dws_AAAAAAAAAAAAAAAAAAAAB-_-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw_";
        let token = Token::<Session>::parse(old).expect("an old token");
        assert_eq!(*token.reveal(), old);
        assert_eq!(token.digest().as_str(), "j1Bedc1bRtRx84XoMiklpQG3jbbM6whL5H0eNL-_OG0");
    }

    #[test]
    fn a_token_is_found_in_whatever_became_of_its_link() {
        let token = Token::<Reset>::generate(account(), &Entropy::system());
        let text = token.reveal();
        let (start, end) = text.split_at(40);
        let found = |text: &str| Token::<Reset>::find(text).map(|token| token.reveal().to_string());
        for around in [
            "T",
            "T ",
            " T\r\n",
            "T.",
            "T).",
            "<T>",
            "\"T\"",
            "3DT",
            "T,",
            "T?utm_source=x",
            "T&x=y",
            "T%20",
            "%22T%22",
            "T%0D%0A",
            "T\u{200B}",
            "T-",
            "T_",
            "Tabc",
            "https://a.example/?token=T",
            "\u{FEFF}T\u{A0}",
        ] {
            assert_eq!(found(&around.replace('T', &text)).as_deref(), Some(&**text), "{around}");
        }
        for broken in [format!("{start}\r\n{end}"), format!("{start}=\r\n{end}"), format!("{start}%20{end}"), format!("{start} {end}")] {
            assert_eq!(found(&broken).as_deref(), Some(&**text));
        }
        let encoded = text.bytes().fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02X}"));
        assert_eq!(found(&encoded).as_deref(), Some(&**text));
        assert_eq!(found(&encoded.replace('%', "%25")).as_deref(), Some(&**text));
        for nothing in [&text[..60], &text.to_uppercase(), &text.replace("dwr_", "dws_"), "dwr_", "%", ""] {
            assert_eq!(found(nothing), None);
        }
    }

    #[test]
    fn a_token_is_read_as_people_type_and_paste_it_and_not_out_of_other_text() {
        let token = Token::<Reset>::generate(account(), &Entropy::system());
        let text = token.reveal();
        let (start, end) = text.split_at(40);
        let read = |text: &str| Token::<Reset>::entered(text).map(|token| token.reveal().to_string());
        let capital = text.replacen('d', "D", 1);
        for entered in
            [&**text, &capital, &format!(" {capital}\r\n"), &format!("\u{FEFF}{start}\n{end}\u{200B}"), &format!("{start} {end}\u{A0}")]
        {
            assert_eq!(read(entered).as_deref(), Some(&**text));
        }
        for wrong in
            [&format!("{}.", *text), &format!("<{}>", *text), &format!("x{}", *text), &text.to_uppercase(), &text.replace("dwr_", "DWR_")]
        {
            assert_eq!(read(wrong), None);
        }
        for wrong in [&text[..60], &text[1..], &text[4..], &text.replace("dwr_", "dws_"), "dwr_", "é", "d", " ", ""] {
            assert_eq!(read(wrong), None);
        }
    }

    #[test]
    fn a_token_and_its_digest_never_print_themselves() {
        let token = Token::<Session>::generate(account(), &Entropy::system());
        assert_eq!(format!("{token:?} {:?}", token.digest()), "Token(…) Digest(…)");
    }
}
