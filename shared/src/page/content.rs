//! The content of each page.

use serde::Serialize;

use super::{Pages, SCRIPT};
use crate::{
    http::{Complaint, FieldErrors, Reader, StatusCode},
    language::Language,
    password::Violation,
    template::{TemplateError, render},
    wording::MissingMessageError,
};

/// A page.
pub enum Page<'a> {
    /// The form for a new password, with the complaints about the last attempt.
    Reset {
        /// The token, from the link.
        token: &'a str,
        /// The username, for people and for password managers.
        username: &'a str,
        /// Minimum length of the password in characters.
        least: usize,
        /// The complaints.
        errors: &'a FieldErrors,
    },
    /// The password is set. This page can also be opened without a form, like the other two that follow one, so it claims nothing that may be false then.
    Done,
    /// The link does not work: used, expired, unknown and incomplete are the same.
    Dead,
    /// The form that requests a link.
    Ask {
        /// The address as it was typed last.
        email: &'a str,
        /// The complaints about it.
        errors: &'a FieldErrors,
    },
    /// A link is on its way, if there is an account.
    Asked,
    /// The form that confirms "this wasn't me".
    Disavow {
        /// The token, from the link.
        token: &'a str,
        /// The complaints: the box was not ticked.
        errors: &'a FieldErrors,
    },
    /// The account is secured.
    Disavowed,
    /// The link does not work.
    DeadDisavowal,
    /// Too many attempts.
    Throttled {
        /// Seconds until the next attempt is allowed.
        retry_after: u64,
    },
    /// The form was sent from another site's page.
    Foreign,
    /// A service failed.
    Fault,
}

/// The data of every page.
#[derive(Serialize)]
struct Dressed<'a, T> {
    style: &'a str,
    script: &'a str,
    icon: &'a str,
    #[serde(flatten)]
    data: T,
}

#[derive(Serialize)]
struct Form<'a> {
    token: &'a str,
    username: &'a str,
    least: usize,
    length: String,
    problems: Vec<String>,
    again_problems: Vec<String>,
}

#[derive(Serialize)]
struct Ask<'a> {
    email: &'a str,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Disavow<'a> {
    token: &'a str,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Message {
    tone: &'static str,
    title: String,
    paragraphs: Vec<String>,
    again: Option<&'static str>,
}

impl Page<'_> {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Reset { errors, .. } | Self::Ask { errors, .. } | Self::Disavow { errors, .. } if !errors.is_empty() => {
                StatusCode::BAD_REQUEST
            }
            Self::Reset { .. } | Self::Ask { .. } | Self::Done | Self::Asked | Self::Disavow { .. } | Self::Disavowed => StatusCode::OK,
            Self::Dead | Self::DeadDisavowal => StatusCode::NOT_FOUND,
            Self::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Fault => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The outcome of the page for the log.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Reset { errors, .. } | Self::Ask { errors, .. } | Self::Disavow { errors, .. } if !errors.is_empty() => "fields",
            Self::Reset { .. } | Self::Ask { .. } | Self::Done | Self::Asked | Self::Disavow { .. } | Self::Disavowed => "ok",
            Self::Dead | Self::DeadDisavowal => "token",
            Self::Throttled { .. } => "throttled",
            Self::Foreign => "origin",
            Self::Fault => "fault",
        }
    }

    pub(super) fn render(&self, pages: &Pages, reader: &Reader) -> Result<String, TemplateError> {
        let language = reader.language;
        match self {
            Self::Reset { token, username, least, errors } => pages.dress(
                "page/reset.html",
                language,
                Form {
                    token,
                    username,
                    least: *least,
                    length: language.count("characters", u64::try_from(*least).unwrap_or(u64::MAX))?,
                    problems: complaints(errors, "password", language)?,
                    again_problems: complaints(errors, "again", language)?,
                },
            ),
            Self::Ask { email, errors } => {
                pages.dress("page/ask.html", language, Ask { email, problems: complaints(errors, "email", language)? })
            }
            Self::Disavow { token, errors } => {
                // The only complaint is that the box was not ticked.
                let problems = if errors.is_empty() { Vec::new() } else { vec![language.say("complaint.tick", &[])?] };
                pages.dress("page/disavow.html", language, Disavow { token, problems })
            }
            _ => pages.dress("page/message.html", language, self.message(reader)?),
        }
    }

    fn message(&self, reader: &Reader) -> Result<Message, MissingMessageError> {
        let language = reader.language;
        // Links between pages are relative, so that they work under any base path.
        let ask = Some(if reader.path.ends_with('/') { "../" } else { "./" });
        let (tone, title, paragraphs, again): (_, _, &[&str], _) = match self {
            Self::Done => ("good", "page.done.title", &["page.done.text"], None),
            Self::Dead => ("notice", "page.dead.title", &["page.dead.text"], ask),
            Self::Asked => ("mail", "page.asked.title", &["page.asked.text", "page.asked.not_there"], None),
            Self::Disavowed => ("good", "page.disavowed.title", &["page.disavowed.text"], None),
            Self::DeadDisavowal => ("notice", "page.dead.title", &["page.disavow.dead"], ask),
            Self::Throttled { .. } => ("notice", "page.throttled.title", &["page.throttled.text"], None),
            Self::Foreign => ("notice", "page.fault.title", &["page.origin.text"], None),
            Self::Fault | Self::Reset { .. } | Self::Ask { .. } | Self::Disavow { .. } => {
                ("notice", "page.fault.title", &["page.fault.text"], None)
            }
        };
        let minutes = match self {
            Self::Throttled { retry_after } => language.count("minutes", retry_after.div_ceil(60))?,
            _ => String::new(),
        };
        let say = |id: &&str| language.say(id, &[("minutes", &minutes)]);
        Ok(Message { tone, title: say(&title)?, paragraphs: paragraphs.iter().map(say).collect::<Result<_, _>>()?, again })
    }
}

impl Pages {
    fn dress(&self, template: &str, language: Language, data: impl Serialize) -> Result<String, TemplateError> {
        let dressed = Dressed { style: &self.style, script: SCRIPT, icon: &self.icon, data };
        render(template, language, &self.product, &dressed)
    }
}

/// The complaints about a field, in a language. Complaints about fields that the page does not show are listed under its first field.
fn complaints(errors: &FieldErrors, field: &str, language: Language) -> Result<Vec<String>, MissingMessageError> {
    let here = errors.iter().filter(|(name, _)| *name == field || (field != "again" && *name != "again"));
    let mut said = Vec::new();
    for complaint in here.flat_map(|(_, complaints)| complaints) {
        let words = in_language(complaint, language)?;
        if !said.contains(&words) {
            said.push(words);
        }
    }
    Ok(said)
}

fn in_language(complaint: &Complaint, language: Language) -> Result<String, MissingMessageError> {
    let characters = |count: usize| language.count("characters", u64::try_from(count).unwrap_or(u64::MAX));
    match complaint {
        Complaint::Required | Complaint::Null | Complaint::Blank | Complaint::NotText => language.say("complaint.required", &[]),
        Complaint::Email => language.say("complaint.email", &[]),
        Complaint::TooLong(most) => language.say("complaint.too_long", &[("length", &characters(*most)?)]),
        Complaint::NullCharacter => language.say("complaint.null_character", &[]),
        Complaint::Mismatch => language.say("complaint.mismatch", &[]),
        Complaint::Password(violation) => match violation {
            Violation::LikeUsername => language.say("complaint.like_username", &[]),
            Violation::LikeEmail => language.say("complaint.like_email", &[]),
            Violation::TooShort(least) => language.say("complaint.too_short", &[("length", &characters(*least)?)]),
            Violation::Common => language.say("complaint.common", &[]),
            Violation::Numeric => language.say("complaint.numeric", &[]),
        },
        // No page has a field that can get this complaint.
        Complaint::Other(message) => Ok(message.to_string()),
    }
}
