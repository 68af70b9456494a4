//! Files of other services. The fields of each entry are converted to those that `import` reads, and its hash to a string that can be stored.

mod firebase;
mod given;
mod json;
mod keycloak;
mod tables;

use clap::ValueEnum;
use doorward::clock::Timestamp;
use serde_json::{Map, Value};

pub(super) use self::firebase::HashConfig;
use self::given::Given;
use super::reasons::Reason;

/// The service that a file comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// An export of Doorward, of a Django site, or any file with the fields that `import` reads
    #[default]
    #[value(aliases = ["jsonl", "django", "csv"])]
    Auto,
    /// The export with password hashes that Auth0's support makes (JSON lines)
    Auth0,
    /// `user` joined with `account` (CSV): id, email, password, createdAt
    BetterAuth,
    /// `aws cognito-idp list-users` (JSON), or a CSV with cognito:username and email. There are no hashes
    Cognito,
    /// The table of users (CSV): id, email, `encrypted_password`, `created_at`
    Devise,
    /// `firebase auth:export` (JSON); needs --hash-config
    Firebase,
    /// An export of a realm with its users (JSON)
    Keycloak,
    /// Identities with their password credentials (JSON)
    Kratos,
    /// The table auth.users (CSV)
    Supabase,
    /// The table `wp_users` (CSV)
    Wordpress,
}

/// How a file of a format is laid out.
pub(super) struct Layout {
    /// A JSON object with a list of users under this name.
    pub(super) container: Option<&'static str>,
    /// The columns that CSV must have; the last one may be absent with `--without-password`.
    pub(super) columns: &'static [&'static str],
}

impl Format {
    pub(super) fn layout(self) -> Layout {
        let (container, columns): (Option<&'static str>, &'static [&'static str]) = match self {
            Self::Auto => (None, &["username", "email", "password"]),
            Self::Auth0 | Self::Kratos => (None, &["(no table)"]),
            Self::BetterAuth => (None, &["email", "password"]),
            Self::Cognito => (Some("Users"), &["cognito:username", "email"]),
            Self::Devise | Self::Supabase => (None, &["email", "encrypted_password"]),
            Self::Firebase | Self::Keycloak => (Some("users"), &["(no table)"]),
            Self::Wordpress => (None, &["user_login", "user_email", "user_pass"]),
        };
        Layout { container, columns }
    }
}

/// An entry in the fields that `import` reads.
pub(super) struct Neutral {
    pub(super) fields: Map<String, Value>,
    /// The names of the fields that no account has.
    pub(super) dropped: Vec<String>,
}

/// The data of an account of another service.
#[derive(Default)]
struct Known {
    /// If there is none, the e-mail address becomes the username.
    username: Option<String>,
    email: Option<String>,
    /// The hash, as a string that can be stored. Without one nobody can log in to the account until its owner has chosen a password.
    password: Option<String>,
    inactive: bool,
    created_at: Option<Timestamp>,
    external_id: Option<String>,
    /// Whether the address is verified, if the service says so.
    verified: Option<bool>,
}

/// Turns entries of a file into the fields that `import` reads.
pub(super) struct Converter {
    format: Format,
    firebase: Option<HashConfig>,
    now: Timestamp,
}

impl Converter {
    pub(super) fn new(format: Format, firebase: Option<HashConfig>, now: Timestamp) -> Self {
        Self { format, firebase, now }
    }

    /// An entry in the fields that `import` reads; `None` if it is no user.
    pub(super) fn convert(&self, entry: Map<String, Value>) -> Result<Option<Neutral>, Reason> {
        let mut given = Given::new(entry);
        let known = match self.format {
            Format::Auto => return Ok(Some(Neutral { fields: given.into_fields(), dropped: Vec::new() })),
            Format::Auth0 => json::auth0(&mut given)?,
            Format::BetterAuth => tables::better_auth(&mut given)?,
            Format::Cognito => json::cognito(&mut given)?,
            Format::Devise => tables::devise(&mut given)?,
            Format::Firebase => firebase::user(&mut given, self.firebase.as_ref())?,
            Format::Keycloak => match keycloak::user(&mut given)? {
                Some(known) => known,
                None => return Ok(None),
            },
            Format::Kratos => json::kratos(&mut given)?,
            Format::Supabase => tables::supabase(&mut given, self.now)?,
            Format::Wordpress => tables::wordpress(&mut given)?,
        };
        Ok(Some(Neutral { fields: known.fields(), dropped: given.left() }))
    }
}

impl Known {
    fn fields(self) -> Map<String, Value> {
        let password = self.password.unwrap_or_else(|| doorward::password::UNUSABLE.to_owned());
        let username = self.username.or_else(|| self.email.clone());
        let mut fields =
            Map::from_iter([("password".to_owned(), Value::String(password)), ("is_active".to_owned(), Value::Bool(!self.inactive))]);
        fields.extend(self.verified.map(|verified| ("verified".to_owned(), Value::Bool(verified))));
        let joined = self.created_at.map(|instant| instant.to_string());
        for (name, text) in [("username", username), ("email", self.email), ("date_joined", joined), ("external_id", self.external_id)] {
            fields.extend(text.map(|text| (name.to_owned(), Value::String(text))));
        }
        fields
    }
}
