//! Firebase Authentication.

use std::{collections::HashMap, fs, path::Path};

use super::{Known, given::Given};
use crate::{Failure, import::reasons::Reason};

/// The parameters of a project's hashes, which its console shows ("Password hash parameters"). They hold for every account.
#[derive(Debug)]
pub(in crate::import) struct HashConfig {
    signer_key: String,
    salt_separator: String,
    rounds: String,
    mem_cost: String,
}

impl HashConfig {
    /// Reads a file with the parameters that the console shows. They contain a secret, so they are not command-line arguments.
    pub(in crate::import) fn read(path: &Path) -> Result<Self, Failure> {
        let refused = |what: String| Failure::Refused(format!("{}: {what}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        let plain = |text: &str| text.trim_matches(|char: char| char.is_whitespace() || matches!(char, '"' | ',' | ';')).to_owned();
        let mut values: HashMap<String, String> = pairs.map(|(name, value)| (plain(name), plain(value))).collect();
        if values.get("algorithm").is_some_and(|algorithm| algorithm != "SCRYPT") {
            return Err(refused("only SCRYPT, Firebase's own hash, is known".to_owned()));
        }
        let mut take = |name: &str| values.remove(name).ok_or_else(|| refused(format!("there is no {name}")));
        Ok(Self {
            signer_key: take("base64_signer_key")?,
            salt_separator: take("base64_salt_separator")?,
            rounds: take("rounds")?,
            mem_cost: take("mem_cost")?,
        })
    }
}

/// A user of `firebase auth:export`.
pub(super) fn user(given: &mut Given, config: Option<&HashConfig>) -> Result<Known, Reason> {
    let (hash, salt) = (given.text("passwordHash")?, given.text("salt")?);
    let password = match (hash, salt, config) {
        (None, _, _) => None,
        (Some(hash), Some(salt), Some(config)) => {
            // Some versions of the tool write the alphabet of URLs.
            let [hash, salt] = [hash, salt].map(|text| text.replace('-', "+").replace('_', "/"));
            let HashConfig { signer_key, salt_separator, rounds, mem_cost } = config;
            Some(format!("$fbscrypt$v=1,n={mem_cost},r={rounds},p=1,ss={salt_separator},sk={signer_key}${salt}${hash}"))
        }
        (Some(_), None, _) => return Err(Reason::new("salt: there is none")),
        (Some(_), Some(_), None) => {
            return Err(Reason::new("passwordHash: --hash-config FILE is needed, with what the console shows as password hash parameters"));
        }
    };
    Ok(Known {
        username: None,
        email: given.text("email")?,
        password,
        inactive: given.truth("disabled")?.unwrap_or(false),
        created_at: given.millis("createdAt")?,
        external_id: given.text("localId")?,
        verified: given.truth("emailVerified")?,
    })
}
