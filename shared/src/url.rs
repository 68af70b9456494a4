//! URLs that an operator configures for links in mails and on pages.

/// Maximum length of a link in bytes. All variables of a function together have 4 KiB (Lambda quotas).
const MAX_URL_BYTES: usize = 200;

/// The host of a URL that may be used in a mail, and the rest after it. Plain http is allowed on this machine only.
pub(crate) fn host_and_rest(text: &str) -> Option<(&str, &str)> {
    let (secure, rest) = match text.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix("http://")?),
    };
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let is_name = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let is_port = port.parse::<u16>().is_ok();
    let is_local = ["localhost", "127.0.0.1"].contains(&host) || host.ends_with(".localhost");
    (is_name && is_port && (secure || is_local)).then_some((host, rest))
}

/// Whether the rest after the host has only characters that mean the same in a mail, in HTML and in a browser (RFC 3986, 2).
pub(crate) fn is_plain(rest: &str) -> bool {
    rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-/_~?#=&%!+,:@".contains(&byte))
}

/// Whether this is the URL of a page, short enough for configuration.
pub(crate) fn is_page(text: &str) -> bool {
    text.len() <= MAX_URL_BYTES && host_and_rest(text).is_some_and(|(_, rest)| is_plain(rest))
}

/// Whether this is a `mailto:` URL of one address (RFC 6068).
pub(crate) fn is_mailbox(text: &str) -> bool {
    let address = text.strip_prefix("mailto:").and_then(|address| address.split_once('@'));
    text.len() <= MAX_URL_BYTES
        && address.is_some_and(|(local, domain)| {
            let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte));
            is_word(local) && is_word(domain)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_a_short_https_url_without_anything_that_could_end_it() {
        assert!(is_page("https://app.example.com/login?from=mail#top") && is_page("http://localhost:5173/"));
        for wrong in [
            "http://app.example.com/",
            "app.example.com",
            "javascript:alert(1)",
            "https://app.example.com/\"><script>",
            "https://app.example.com/a b",
            "https://you@app.example.com/",
            "data:text/html,x",
        ] {
            assert!(!is_page(wrong), "{wrong}");
        }
        assert!(!is_page(&format!("https://app.example.com/{}", "a".repeat(MAX_URL_BYTES))));
        assert!(is_mailbox("mailto:help@example.com"));
        for wrong in ["mailto:", "mailto:help", "mailto:a@b?bcc=c@d", "help@example.com", "mailto:a@b@c"] {
            assert!(!is_mailbox(wrong), "{wrong}");
        }
    }
}
