//! The content of each page.

use serde::Serialize;

use super::Pages;
use crate::{
    clock::Timestamp,
    http::{Complaint, FieldErrors, Reader, StatusCode},
    language::Language,
    password::Violation,
    route::{ASK_TO_RESET, ASK_TO_VERIFY, VERIFY, is_at},
    template::{SCRIPT, TemplateError, render},
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
        /// The kind of link.
        asks: Asks,
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
        /// When the account will be deleted, if that was asked for and this was looked up.
        due_at: Option<Timestamp>,
        /// Whether the account gets a former address back, if this was looked up.
        gives_back: bool,
        /// The complaints: the box was not ticked.
        errors: &'a FieldErrors,
    },
    /// The account is secured.
    Disavowed,
    /// The link does not work.
    DeadDisavowal,
    /// The form that confirms that the address is the account's.
    Verify {
        /// The token, from the link.
        token: &'a str,
        /// The username, so that nobody confirms an account that somebody else has made with their address.
        username: &'a str,
        /// The complaints: the box was not ticked.
        errors: &'a FieldErrors,
    },
    /// Such a link is on its way, if there is an account whose address is not verified.
    AskedToVerify,
    /// The address is verified.
    Verified,
    /// The link does not work.
    DeadVerification,
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

/// The kind of link that a form requests.
#[derive(Clone, Copy)]
pub enum Asks {
    /// One that replaces a password.
    ToReset,
    /// Another one that shows that an address is its account's.
    ToVerify,
}

/// The data of every page.
#[derive(Serialize)]
struct Dressed<'a, T> {
    style: &'a str,
    script: &'a str,
    icon: &'a str,
    logo_url: &'a str,
    /// The same page in each language, unless it cannot be asked for again.
    languages: Vec<Choice>,
    #[serde(flatten)]
    data: T,
}

/// A page in a language.
#[derive(Serialize)]
struct Choice {
    tag: &'static str,
    name: String,
    direction: &'static str,
    address: String,
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
    title: String,
    text: String,
    email: &'a str,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Disavow<'a> {
    token: &'a str,
    /// When the account will be deleted, or nothing.
    due: String,
    gives_back: bool,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Verify<'a> {
    token: &'a str,
    username: &'a str,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Message {
    tone: &'static str,
    title: String,
    paragraphs: Vec<String>,
    /// The page with the form that requests a link, if a link helps.
    again: Option<String>,
    /// The next step: `login`, or `again`, which is the only one or a way out.
    next: &'static str,
}

/// A token of ours is shorter. What was typed in its place is not repeated in every link.
const MAX_TOKEN_LENGTH: usize = 100;

impl Page<'_> {
    /// The status of the page, and its outcome for the log. For the page of a refusal, those of the refusal.
    pub(super) fn outcome(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Reset { errors, .. } | Self::Ask { errors, .. } | Self::Disavow { errors, .. } | Self::Verify { errors, .. } => {
                if errors.is_empty() { (StatusCode::OK, "ok") } else { (StatusCode::BAD_REQUEST, "fields") }
            }
            Self::Done | Self::Asked | Self::Disavowed | Self::AskedToVerify | Self::Verified => (StatusCode::OK, "ok"),
            Self::Dead | Self::DeadDisavowal => (StatusCode::NOT_FOUND, "token"),
            // As programs are answered, in djoser's words.
            Self::DeadVerification => (StatusCode::BAD_REQUEST, "activation"),
            Self::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, "throttled"),
            Self::Foreign => (StatusCode::FORBIDDEN, "origin"),
            Self::Fault => (StatusCode::SERVICE_UNAVAILABLE, "fault"),
        }
    }

    pub(super) fn render(&self, pages: &Pages, reader: &Reader) -> Result<String, TemplateError> {
        let language = reader.language;
        match self {
            Self::Reset { token, username, least, errors } => pages.dress(
                "page/reset.html",
                self,
                reader,
                Form {
                    token,
                    username,
                    least: *least,
                    length: language.count("characters", u64::try_from(*least).unwrap_or(u64::MAX))?,
                    problems: complaints(errors, "password", language)?,
                    again_problems: complaints(errors, "again", language)?,
                },
            ),
            Self::Ask { asks, email, errors } => {
                let (title, text) = match asks {
                    Asks::ToReset => ("page.ask.title", "page.ask.text"),
                    Asks::ToVerify => ("page.verify.title", "page.verify.ask"),
                };
                let (title, text) = (language.say(title, &[])?, language.say(text, &[])?);
                pages.dress("page/ask.html", self, reader, Ask { title, text, email, problems: complaints(errors, "email", language)? })
            }
            Self::Disavow { token, due_at, gives_back, errors } => {
                let problems = unticked(errors, "complaint.tick", language)?;
                let due = due_at.map(|due_at| language.instant(due_at)).transpose()?.unwrap_or_default();
                pages.dress("page/disavow.html", self, reader, Disavow { token, due, gives_back: *gives_back, problems })
            }
            Self::Verify { token, username, errors } => {
                let problems = unticked(errors, "complaint.tick_mine", language)?;
                pages.dress("page/verify.html", self, reader, Verify { token, username, problems })
            }
            _ => pages.dress("page/message.html", self, reader, self.message(reader)?),
        }
    }

    /// The query with which this page, at the same path, is requested in each language. `None` for pages that cannot be requested again, such as that of a
    /// fault.
    fn query(&self) -> Option<Vec<(&'static str, &str)>> {
        match self {
            Self::Reset { token, .. } | Self::Disavow { token, .. } | Self::Verify { token, .. } => {
                (token.len() <= MAX_TOKEN_LENGTH).then(|| vec![("token", *token)])
            }
            Self::Done | Self::Asked | Self::Disavowed | Self::Verified | Self::AskedToVerify => Some(vec![("done", "1")]),
            Self::Ask { .. } | Self::Dead | Self::DeadDisavowal | Self::DeadVerification => Some(Vec::new()),
            Self::Throttled { .. } | Self::Foreign | Self::Fault => None,
        }
    }

    fn languages(&self) -> Result<Vec<Choice>, MissingMessageError> {
        let Some(query) = self.query() else { return Ok(Vec::new()) };
        let choice = |language: Language| {
            let pairs = query.iter().copied().chain([("language", language.tag())]);
            let address = format!("?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish());
            Ok(Choice { tag: language.tag(), name: language.say("language.name", &[])?, direction: language.direction(), address })
        };
        Language::all().map(choice).collect()
    }

    fn message(&self, reader: &Reader) -> Result<Message, MissingMessageError> {
        let language = reader.language;
        // A page after which the user can log in links to the login; every other page links to the form for a new link.
        let (tone, title, paragraphs, next): (_, _, &[&str], _) = match self {
            Self::Done => ("good", "page.done.title", &["page.done.text"], "login"),
            Self::Dead => ("notice", "page.dead.title", &["page.dead.text"], "again"),
            Self::Asked => ("mail", "page.asked.title", &["page.asked.text", "page.asked.not_there"], "wait"),
            Self::Disavowed => ("good", "page.disavowed.title", &["page.disavowed.text", "page.disavowed.kept"], "wait"),
            Self::DeadDisavowal => ("notice", "page.dead.title", &["page.disavow.dead"], "again"),
            Self::Verified => ("good", "page.verified.title", &["page.verified.text"], "login"),
            Self::DeadVerification => ("notice", "page.dead.title", &["page.verify.dead"], "again"),
            Self::AskedToVerify => ("mail", "page.asked.title", &["page.verify.asked", "page.asked.not_there"], "wait"),
            Self::Throttled { .. } => ("notice", "page.throttled.title", &["page.throttled.text"], "wait"),
            Self::Foreign => ("notice", "page.fault.title", &["page.origin.text"], "again"),
            Self::Fault | Self::Reset { .. } | Self::Ask { .. } | Self::Disavow { .. } | Self::Verify { .. } => {
                ("notice", "page.fault.title", &["page.fault.text"], "wait")
            }
        };
        let minutes = match self {
            Self::Throttled { retry_after } => language.count("minutes", retry_after.div_ceil(60))?,
            _ => String::new(),
        };
        let say = |id: &&str| language.say(id, &[("minutes", &minutes)]);
        let again = (next != "login").then(|| ask_again(reader));
        Ok(Message { tone, title: say(&title)?, paragraphs: paragraphs.iter().map(say).collect::<Result<_, _>>()?, again, next })
    }
}

/// The form that requests a link of the kind that this page is about. Links between pages are relative, so that they work under any base path.
fn ask_again(reader: &Reader) -> String {
    let here = |route| is_at(&reader.path, route);
    let up = match (here(ASK_TO_RESET) || here(ASK_TO_VERIFY), reader.path.ends_with('/')) {
        (true, _) => "",
        (false, true) => "../",
        (false, false) => "./",
    };
    let form = if here(VERIFY) { "resend_activation/" } else { "" };
    format!("{up}{form}?language={}", reader.language.tag())
}

impl Pages {
    fn dress(&self, template: &str, page: &Page<'_>, reader: &Reader, data: impl Serialize) -> Result<String, TemplateError> {
        let languages = page.languages()?;
        let dressed = Dressed { style: &self.style, script: SCRIPT, icon: &self.icon, logo_url: &self.logo, languages, data };
        render(template, reader.language, &self.product, &dressed)
    }
}

/// The complaint about a form whose only field is a box, which was not ticked.
fn unticked(errors: &FieldErrors, id: &str, language: Language) -> Result<Vec<String>, MissingMessageError> {
    if errors.is_empty() { Ok(Vec::new()) } else { Ok(vec![language.say(id, &[])?]) }
}

/// The complaints about a field, in a language. A password that is too short is reported before one that is too common, because lengthening it usually
/// solves both. Complaints about fields that the page does not show are listed under its first field.
fn complaints(errors: &FieldErrors, field: &str, language: Language) -> Result<Vec<String>, MissingMessageError> {
    let here = errors.iter().filter(|(name, _)| *name == field || (field != "again" && *name != "again"));
    let mut said = Vec::new();
    let mut here: Vec<&Complaint> = here.flat_map(|(_, complaints)| complaints).collect();
    here.sort_by_key(|complaint| match complaint {
        Complaint::Password(Violation::Common) => 1,
        Complaint::Password(Violation::Numeric) => 2,
        Complaint::Password(Violation::LikeUsername | Violation::LikeFirstName | Violation::LikeLastName | Violation::LikeEmail) => 3,
        _ => 0,
    });
    for complaint in here {
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
            Violation::LikeFirstName | Violation::LikeLastName => language.say("complaint.like_name", &[]),
            Violation::LikeEmail => language.say("complaint.like_email", &[]),
            Violation::TooShort(least) => language.say("complaint.too_short", &[("length", &characters(*least)?)]),
            Violation::Common => language.say("complaint.common", &[]),
            Violation::Numeric => language.say("complaint.numeric", &[]),
        },
        // No page has a field that can get one of these complaints.
        Complaint::NoChoice(_) | Complaint::Other(_) => Ok(complaint.in_english().into_owned()),
    }
}
