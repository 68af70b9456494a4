//! Better Auth, Devise, Supabase and WordPress, whose accounts are tables of a database.

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use doorward::clock::Timestamp;

use super::{Known, given::Given};
use crate::import::reasons::Reason;

/// A row of Better Auth's `user` with the password of its `account`.
pub(super) fn better_auth(given: &mut Given) -> Result<Known, Reason> {
    Ok(Known {
        username: given.text("username")?,
        email: given.text("email")?,
        password: given.text("password")?.map(|hash| scrypt_of_better_auth(&hash).unwrap_or(hash)),
        inactive: given.truth("banned")?.unwrap_or(false),
        created_at: given.instant("createdAt")?,
        external_id: given.text("id")?,
        verified: given.truth("emailVerified")?,
    })
}

/// `salt:key`: scrypt with N=16384, r=16 and p=1 of the password in form NFKC. The salt is the hexadecimal text itself. A site can hash otherwise, in a
/// form that says how.
fn scrypt_of_better_auth(hash: &str) -> Option<String> {
    let (salt, key) = hash.split_once(':')?;
    let digits = |text: &str| {
        text.bytes().map(|byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<Vec<_>>>()
    };
    digits(salt)?;
    let key: Vec<u8> = digits(key)?.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    Some(format!("$scrypt-nfkc$ln=14,r=16,p=1${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(key)))
}

/// A row of the users of Devise (Ruby on Rails). A site with a pepper has hashes that nobody else can verify.
pub(super) fn devise(given: &mut Given) -> Result<Known, Reason> {
    Ok(Known {
        username: given.text("username")?,
        email: given.text("email")?,
        password: given.text("encrypted_password")?,
        inactive: false,
        created_at: given.instant("created_at")?,
        external_id: given.text("id")?,
        verified: None,
    })
}

/// A row of Supabase's `auth.users`.
pub(super) fn supabase(given: &mut Given, now: Timestamp) -> Result<Known, Reason> {
    if given.take("deleted_at").is_some() {
        return Err(Reason::new("deleted_at: it was deleted there"));
    }
    let banned = match given.text("banned_until")? {
        Some(text) if text == "infinity" => true,
        Some(text) => crate::import::instant::instant(&text).is_none_or(|until| now < until),
        None => false,
    };
    Ok(Known {
        username: None,
        email: given.text("email")?,
        password: given.text("encrypted_password")?,
        inactive: banned,
        created_at: given.instant("created_at")?,
        external_id: given.text("id")?,
        verified: None,
    })
}

/// A row of WordPress's `wp_users`.
pub(super) fn wordpress(given: &mut Given) -> Result<Known, Reason> {
    Ok(Known {
        username: given.text("user_login")?,
        email: given.text("user_email")?,
        password: given.text("user_pass")?,
        inactive: given.text("user_status")?.is_some_and(|status| status != "0"),
        created_at: given.instant("user_registered")?,
        external_id: given.text("ID")?,
        verified: None,
    })
}
