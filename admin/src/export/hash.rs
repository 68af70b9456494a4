//! Hashes in the formats of other services. A hash that a service cannot verify is `None`, and its account is exported without a password.

use base64::{
    Engine as _,
    alphabet::STANDARD as ALPHABET,
    engine::{
        DecodePaddingMode,
        general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, STANDARD_NO_PAD},
    },
};
use serde_json::{Value, json};

/// A hash in the format of another service.
pub(super) enum Credential {
    Text(String),
    Json(Value),
}

/// The parsed parts of a stored string.
enum Parts {
    Argon2 { variant: String, version: u32, memory: u32, passes: u32, lanes: u32, salt: Vec<u8>, tag: Vec<u8> },
    Bcrypt(String),
    Pbkdf2 { digest: &'static str, rounds: u32, salt: Vec<u8>, tag: Vec<u8> },
    Scrypt { log_cost: u32, blocks: u32, lanes: u32, salt: Vec<u8>, tag: Vec<u8> },
}

/// Base64 with or without padding.
const ANY_PADDING: GeneralPurpose =
    GeneralPurpose::new(&ALPHABET, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

fn bytes(text: &str) -> Option<Vec<u8>> {
    // passlib writes dots.
    ANY_PADDING.decode(text.replace('.', "+")).ok()
}

impl Parts {
    /// Parses a stored string, which was valid when it was stored.
    fn of(stored: &str) -> Option<Self> {
        let (site, rest) = stored.split_once('$')?;
        match site {
            "" | "argon2" => Self::of_crypt(rest),
            "bcrypt" => Some(Self::Bcrypt(rest.to_owned())),
            "pbkdf2_sha256" | "pbkdf2_sha1" => {
                let [rounds, salt, tag] = split(rest)?;
                let digest = if site == "pbkdf2_sha1" { "sha1" } else { "sha256" };
                Some(Self::Pbkdf2 { digest, rounds: rounds.parse().ok()?, salt: salt.into(), tag: bytes(tag)? })
            }
            "scrypt" => {
                let [cost, salt, blocks, lanes, tag] = split(rest)?;
                let log_cost = cost.parse::<u32>().ok()?.checked_ilog2()?;
                Some(Self::Scrypt {
                    log_cost,
                    blocks: blocks.parse().ok()?,
                    lanes: lanes.parse().ok()?,
                    salt: salt.into(),
                    tag: bytes(tag)?,
                })
            }
            _ => None,
        }
    }

    fn of_crypt(text: &str) -> Option<Self> {
        let (algorithm, rest) = text.split_once('$')?;
        let value =
            |costs: &str, name: &str| costs.split(',').find_map(|cost| cost.strip_prefix(name)?.strip_prefix('=')?.parse::<u32>().ok());
        match algorithm {
            "argon2id" | "argon2i" | "argon2d" => {
                let (version, rest) = match rest.strip_prefix("v=") {
                    Some(versioned) => versioned.split_once('$').and_then(|(version, rest)| Some((version.parse().ok()?, rest)))?,
                    None => (16, rest),
                };
                let [costs, salt, tag] = split(rest)?;
                let (memory, passes, lanes) = (value(costs, "m")?, value(costs, "t")?, value(costs, "p")?);
                let variant = algorithm.trim_start_matches("argon2").to_owned();
                Some(Self::Argon2 { variant, version, memory, passes, lanes, salt: bytes(salt)?, tag: bytes(tag)? })
            }
            "2a" | "2b" | "2y" => Some(Self::Bcrypt(format!("${text}"))),
            "pbkdf2" | "pbkdf2-sha1" | "pbkdf2-sha256" | "pbkdf2-sha512" => {
                let [costs, salt, tag] = split(rest)?;
                let rounds = value(costs, "i").or_else(|| costs.parse().ok())?;
                let digest = match algorithm {
                    "pbkdf2-sha256" => "sha256",
                    "pbkdf2-sha512" => "sha512",
                    _ => "sha1",
                };
                Some(Self::Pbkdf2 { digest, rounds, salt: bytes(salt)?, tag: bytes(tag)? })
            }
            "scrypt" => {
                let [costs, salt, tag] = split(rest)?;
                // Ory Kratos writes the number itself, see `imported::scrypt`.
                let log_cost = value(costs, "ln").map(|cost| if cost < 32 { cost } else { cost.ilog2() })?;
                let (blocks, lanes) = (value(costs, "r")?, value(costs, "p")?);
                Some(Self::Scrypt { log_cost, blocks, lanes, salt: bytes(salt)?, tag: bytes(tag)? })
            }
            _ => None,
        }
    }
}

fn split<const N: usize>(text: &str) -> Option<[&str; N]> {
    text.split('$').collect::<Vec<_>>().try_into().ok()
}

/// Django's string. A string that came from Django is exported unchanged. Django's salts of PBKDF2 and scrypt are text, and its tags have a fixed length.
pub(super) fn django(stored: &str) -> Option<Credential> {
    let text_salt = |salt: Vec<u8>| String::from_utf8(salt).ok().filter(|salt| !salt.is_empty() && !salt.contains('$'));
    let text = match Parts::of(stored) {
        _ if !stored.starts_with('$') => stored.to_owned(),
        Some(Parts::Argon2 { .. }) => format!("argon2{stored}"),
        Some(Parts::Bcrypt(text)) => format!("bcrypt${text}"),
        Some(Parts::Pbkdf2 { digest, rounds, salt, tag }) if matches!((digest, tag.len()), ("sha256", 32) | ("sha1", 20)) => {
            format!("pbkdf2_{digest}${rounds}${}${}", text_salt(salt)?, STANDARD.encode(tag))
        }
        Some(Parts::Scrypt { log_cost, blocks, lanes, salt, tag }) if tag.len() == 64 => {
            format!("scrypt${}${}${blocks}${lanes}${}", 1_u64 << log_cost, text_salt(salt)?, STANDARD.encode(tag))
        }
        _ => return None,
    };
    Some(Credential::Text(text))
}

/// Auth0's `custom_password_hash`.
pub(super) fn auth0(stored: &str) -> Option<Credential> {
    let of = |algorithm: &str, value: String| json!({ "algorithm": algorithm, "hash": { "value": value, "encoding": "utf8" } });
    Some(Credential::Json(match Parts::of(stored)? {
        Parts::Argon2 { variant, version, memory, passes, lanes, salt, tag } => {
            let (salt, tag) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag));
            json!({ "algorithm": "argon2", "hash": { "value": format!("$argon2{variant}$v={version}$m={memory},t={passes},p={lanes}${salt}${tag}") } })
        }
        Parts::Bcrypt(text) => json!({ "algorithm": "bcrypt", "hash": { "value": text } }),
        Parts::Pbkdf2 { digest, rounds, salt, tag } => {
            let (length, salt, tag) = (tag.len(), STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(&tag));
            of("pbkdf2", format!("$pbkdf2-{digest}$i={rounds},l={length}${salt}${tag}"))
        }
        Parts::Scrypt { log_cost, blocks, lanes, salt, tag } => json!({
            "algorithm": "scrypt",
            "hash": { "value": STANDARD.encode(&tag), "encoding": "base64" },
            "salt": { "value": STANDARD.encode(salt), "encoding": "base64" },
            "keylen": tag.len(), "cost": 1_u64 << log_cost, "blockSize": blocks, "parallelization": lanes,
        }),
    }))
}

/// Keycloak's `credentials`: Argon2 and PBKDF2, whose parameters are JSON in a text.
pub(super) fn keycloak(stored: &str) -> Option<Credential> {
    let (algorithm, rounds, more, salt, tag) = match Parts::of(stored)? {
        Parts::Argon2 { variant, version, memory, passes, lanes, salt, tag } => {
            let version = if version == 16 { "1.0" } else { "1.3" };
            let more = json!({
                "hashLength": [tag.len().to_string()], "memory": [memory.to_string()], "type": [variant], "version": [version],
                "parallelism": [lanes.to_string()],
            });
            ("argon2".to_owned(), passes, more, salt, tag)
        }
        Parts::Pbkdf2 { digest: "sha1", rounds, salt, tag } => ("pbkdf2".to_owned(), rounds, json!({}), salt, tag),
        Parts::Pbkdf2 { digest, rounds, salt, tag } => (format!("pbkdf2-{digest}"), rounds, json!({}), salt, tag),
        Parts::Bcrypt(_) | Parts::Scrypt { .. } => return None,
    };
    let data = json!({ "hashIterations": rounds, "algorithm": algorithm, "additionalParameters": more });
    let secret = json!({ "value": STANDARD.encode(tag), "salt": STANDARD.encode(salt), "additionalParameters": {} });
    Some(Credential::Json(json!([{ "type": "password", "credentialData": data.to_string(), "secretData": secret.to_string() }])))
}
