//! The routes of pages. Mails link to pages, and pages to other pages.

/// Requests a link that resets the password.
pub const ASK_TO_RESET: &str = "/api/password_reset/";
/// Resets the password.
pub const RESET: &str = "/api/password_reset/confirm/";
/// "This wasn't me": rejects a change or a login.
pub const DISAVOW: &str = "/api/password_reset/disavow/";
/// Requests a link that verifies the address.
pub const ASK_TO_VERIFY: &str = "/api/users/resend_activation/";
/// Verifies the address, or confirms a change of it.
pub const VERIFY: &str = "/api/users/activation/";

/// Whether the path of a request is this route. The path may lack the trailing slash, and it may begin with the base path of a custom domain.
#[must_use]
pub fn is_at(path: &str, route: &str) -> bool {
    path.trim_end_matches('/').ends_with(route.trim_end_matches('/'))
}
