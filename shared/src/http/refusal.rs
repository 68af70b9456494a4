//! Refusals: the answers to requests that fail. Their texts are those of the DRF API, and are only here and in [`Complaint`].

use serde_json::{Value, json};

use super::{FieldErrors, HeaderValue, StatusCode};
use crate::fault::Fault;

/// Every way a request is refused.
#[derive(Debug)]
pub enum Refusal {
    /// No or no valid credentials (RFC 9110, 15.5.2). The text says which.
    Unauthenticated(&'static str),
    /// A wrong username or password. The answer has no `WWW-Authenticate`, as in the DRF API.
    Credentials,
    /// The route does not have this method; `Allow` lists those that it has.
    Method {
        /// The requested method.
        method: String,
        /// The methods there are, as `Allow` lists them.
        allow: HeaderValue,
    },
    /// A body of an unsupported media type.
    MediaType(String),
    /// A body above the limit.
    TooLarge,
    /// A body that is not valid JSON.
    Unreadable(String),
    /// A body that is no multipart form.
    NoMultipart(&'static str),
    /// A form with too many fields.
    TooManyFields,
    /// A JSON body that is not an object.
    NoObject(&'static str),
    /// Fields that are wrong.
    Fields(FieldErrors),
    /// The old password is wrong.
    OldPassword,
    /// The current password, which a request asks for once more, is wrong. The wording is djoser's.
    CurrentPassword,
    /// The reset token is unknown, expired, used, or its account cannot be opened.
    Token,
    /// The verification token is unknown, expired, replaced, or its account cannot be opened. The wording is djoser's.
    Activation,
    /// The password is right, but the address is not verified and this deployment requires that. The text is dj-rest-auth's.
    Unverified,
    /// The client has exceeded a limit.
    Throttled {
        /// Seconds until it may try again.
        retry_after: u64,
    },
    /// The request comes from a page of another site.
    Origin,
    /// The request did not come through the proxy.
    Proxy,
    /// Registration is closed by configuration.
    RegistrationClosed,
    /// A service that we depend on failed. The cause goes to the log.
    Fault(Fault),
}

impl Refusal {
    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated(_) | Self::Credentials | Self::Unverified => StatusCode::UNAUTHORIZED,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unreadable(_)
            | Self::NoMultipart(_)
            | Self::TooManyFields
            | Self::NoObject(_)
            | Self::Fields(_)
            | Self::OldPassword
            | Self::CurrentPassword
            | Self::Activation => StatusCode::BAD_REQUEST,
            Self::Token => StatusCode::NOT_FOUND,
            Self::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Origin | Self::Proxy | Self::RegistrationClosed => StatusCode::FORBIDDEN,
            Self::Fault(Fault::Unreadable { .. } | Fault::Internal(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Fault(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> Value {
        match self {
            Self::Unauthenticated(detail) => json!({ "detail": detail }),
            Self::Credentials => json!({ "error": "Invalid credentials" }),
            Self::Method { method, .. } => json!({ "detail": format!("Method \"{method}\" not allowed.") }),
            Self::MediaType(media_type) => json!({ "detail": format!("Unsupported media type \"{media_type}\" in request.") }),
            Self::TooLarge => json!({ "detail": "Request body too large." }),
            Self::Unreadable(reason) => json!({ "detail": format!("JSON parse error - {reason}") }),
            Self::NoMultipart(reason) => json!({ "detail": format!("Multipart form parse error - {reason}") }),
            Self::TooManyFields => json!({ "detail": "Too many fields." }),
            Self::NoObject("null") => json!({ "non_field_errors": ["No data provided"] }),
            Self::NoObject(kind) => json!({ "non_field_errors": [format!("Invalid data. Expected a dictionary, but got {kind}.")] }),
            Self::Fields(errors) => json!(errors),
            Self::OldPassword => json!({ "error": "Incorrect old password." }),
            Self::CurrentPassword => json!({ "current_password": ["Invalid password."] }),
            Self::Token => json!({ "detail": "The OTP password entered is not valid. Please check and try again." }),
            Self::Activation => json!({ "token": ["Invalid token for given user."] }),
            Self::Unverified => json!({ "error": "E-mail is not verified." }),
            Self::Throttled { retry_after } => {
                let unit = if *retry_after == 1 { "second" } else { "seconds" };
                json!({ "detail": format!("Request was throttled. Expected available in {retry_after} {unit}.") })
            }
            Self::Origin => json!({ "detail": "Origin not allowed." }),
            Self::Proxy => json!({ "detail": "Request was refused." }),
            Self::RegistrationClosed => json!({ "detail": "Registration is closed." }),
            Self::Fault(Fault::Unreadable { .. } | Fault::Internal(_)) => json!({ "detail": "Internal server error." }),
            Self::Fault(_) => json!({ "detail": "Service temporarily unavailable, try again later." }),
        }
    }

    /// A stable word for logs and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated(_) => "unauthenticated",
            Self::Credentials => "credentials",
            Self::Method { .. } => "method",
            Self::MediaType(_) => "media_type",
            Self::TooLarge => "too_large",
            Self::Unreadable(_) | Self::NoMultipart(_) => "unreadable",
            Self::TooManyFields => "too_many_fields",
            Self::NoObject(_) => "no_object",
            Self::Fields(_) => "fields",
            Self::OldPassword => "old_password",
            Self::CurrentPassword => "current_password",
            Self::Token => "token",
            Self::Activation => "activation",
            Self::Unverified => "unverified",
            Self::Throttled { .. } => "throttled",
            Self::Origin => "origin",
            Self::Proxy => "proxy",
            Self::RegistrationClosed => "registration_closed",
            Self::Fault(_) => "fault",
        }
    }
}

impl Refusal {
    /// Whether somebody may be guessing: the refusals after a wrong password or token, and over a limit.
    #[must_use]
    pub fn may_be_a_guess(&self) -> bool {
        matches!(
            self,
            Self::Credentials | Self::OldPassword | Self::CurrentPassword | Self::Token | Self::Activation | Self::Throttled { .. }
        )
    }

    /// The complaints of the password rules about a new password in `field`.
    #[must_use]
    pub fn violations(field: &'static str, violations: &[crate::password::Violation]) -> Self {
        let mut errors = FieldErrors::default();
        for violation in violations {
            errors.add(field, *violation);
        }
        Self::Fields(errors)
    }
}

impl From<crate::password::HashingError> for Refusal {
    fn from(_: crate::password::HashingError) -> Self {
        Self::Fault(Fault::Internal("hashing"))
    }
}

impl From<crate::template::TemplateError> for Refusal {
    fn from(_: crate::template::TemplateError) -> Self {
        Self::Fault(Fault::Internal("template"))
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
