//! The URLs of links in mails, and whether mails show a token outside its link. Both come from configuration, never from a request.

use crate::{
    config::Settings,
    route::{ASK_TO_RESET, DISAVOW, RESET, VERIFY},
    token::{Disavow, NewAddress, Purpose, Reset, Token, Verify},
    url::{host_and_rest, is_plain},
};

/// The placeholder for the token in a link's template.
const TOKEN: &str = "{token}";

/// The URLs of the links in mails.
#[derive(Clone, Debug)]
pub struct LinkUrls {
    base: String,
    reset: Option<String>,
    disavow: Option<String>,
    verify: Option<String>,
    shows_reset_token: bool,
}

impl LinkUrls {
    /// `LINK_BASE`, the URL of our own pages, and `RESET_LINK`, `DISAVOW_LINK` and `VERIFY_LINK`, pages of another front-end: URLs that contain
    /// `{token}` and whose hosts are among `RESET_LINK_HOSTS`. `RESET_TOKEN`: `link` (default), or `shown` for front-ends that ask people to enter the token.
    pub fn configured(settings: &mut Settings) -> Self {
        let base = settings.text("LINK_BASE");
        if !base.is_empty() && !is_base(&base) {
            settings.complain("LINK_BASE: must be a URL such as https://accounts.example.com, without query or fragment".to_owned());
        }
        let hosts = settings.list("RESET_LINK_HOSTS");
        let mut template = |name| settings.parsed(name, None, |text| read_template(text, &hosts).map(Some));
        let (reset, disavow, verify) = (template("RESET_LINK"), template("DISAVOW_LINK"), template("VERIFY_LINK"));
        let shows_reset_token = settings.parsed("RESET_TOKEN", false, |text| match text {
            "link" => Ok(false),
            "shown" => Ok(true),
            _ => Err("must be link or shown".to_owned()),
        });
        Self { base: base.trim_end_matches('/').to_owned(), reset, disavow, verify, shows_reset_token }
    }

    /// The link that opens the form for a new password.
    #[must_use]
    pub fn reset(&self, token: &Token<Reset>) -> String {
        self.link(self.reset.as_deref(), RESET, token)
    }

    /// Our own page on which a reset link is requested. It is no secret and gives access to nothing.
    #[must_use]
    pub fn ask(&self) -> String {
        format!("{}{ASK_TO_RESET}", self.base)
    }

    /// The token itself, if mails show it.
    #[must_use]
    pub fn shown(&self, token: &Token<Reset>) -> Option<String> {
        self.shows_reset_token.then(|| token.reveal().to_string())
    }

    /// The "this wasn't me" link.
    #[must_use]
    pub fn disavow(&self, token: &Token<Disavow>) -> String {
        self.link(self.disavow.as_deref(), DISAVOW, token)
    }

    /// The link that verifies an address.
    #[must_use]
    pub fn verify(&self, token: &Token<Verify>) -> String {
        self.link(self.verify.as_deref(), VERIFY, token)
    }

    /// The link that confirms a change of address. It leads to the same page as the links that verify an address.
    #[must_use]
    pub fn new_address(&self, token: &Token<NewAddress>) -> String {
        self.link(self.verify.as_deref(), VERIFY, token)
    }

    fn link<P: Purpose>(&self, template: Option<&str>, route: &str, token: &Token<P>) -> String {
        match template {
            Some(template) => template.replace(TOKEN, &token.reveal()),
            None => format!("{}{route}?token={}", self.base, *token.reveal()),
        }
    }
}

fn is_base(text: &str) -> bool {
    host_and_rest(text).is_some_and(|(_, rest)| rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-/_~".contains(&byte)))
}

fn read_template(text: &str, hosts: &[String]) -> Result<String, String> {
    let parsed = host_and_rest(text).filter(|(_, rest)| rest.matches(TOKEN).count() == 1 && is_plain(&rest.replace(TOKEN, "")));
    let Some((host, _)) = parsed else {
        return Err("must be a URL such as https://app.example.com/reset?token={token}, with {token} once, after the host".to_owned());
    };
    if hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        Ok(text.to_owned())
    } else {
        Err("its host is not one of RESET_LINK_HOSTS".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{account::AccountId, entropy::Entropy};

    fn configured(pairs: &[(&str, &str)]) -> Result<LinkUrls, String> {
        let base = [("LINK_BASE", "https://accounts.example.com/v1/")];
        let mut settings = Settings::from_pairs(base.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let links = LinkUrls::configured(&mut settings);
        settings.finish().map(|()| links).map_err(|complaint| complaint.to_string())
    }

    fn token() -> Token<Reset> {
        Token::generate(AccountId::from(uuid::Uuid::from_u128(7)), &Entropy::system())
    }

    #[test]
    fn links_lead_to_our_pages_unless_a_front_end_has_its_own() {
        let token = token();
        let text = token.reveal();
        let ours = configured(&[]).unwrap().reset(&token);
        assert_eq!(ours, format!("https://accounts.example.com/v1/api/password_reset/confirm/?token={}", *text));
        let hosts = ("RESET_LINK_HOSTS", "app.example.com, app.example.org");
        let theirs = configured(&[hosts, ("RESET_LINK", "https://app.example.org/#/reset/{token}?from=mail")]).unwrap().reset(&token);
        assert_eq!(theirs, format!("https://app.example.org/#/reset/{}?from=mail", *text));
    }

    #[test]
    fn a_notice_leads_to_a_front_end_only_where_that_is_configured() {
        let token = Token::<Disavow>::generate(AccountId::from(uuid::Uuid::from_u128(7)), &Entropy::system());
        let text = token.reveal();
        let (hosts, page) = (("RESET_LINK_HOSTS", "app.example.com"), ("DISAVOW_LINK", "https://app.example.com/not-me/{token}"));
        let reset = ("RESET_LINK", "https://app.example.com/reset/{token}");
        assert_eq!(configured(&[hosts, page]).unwrap().disavow(&token), format!("https://app.example.com/not-me/{}", *text));
        let ours = configured(&[hosts, reset]).unwrap().disavow(&token);
        assert_eq!(ours, format!("https://accounts.example.com/v1/api/password_reset/disavow/?token={}", *text));
        let token = Token::<Verify>::generate(AccountId::from(uuid::Uuid::from_u128(7)), &Entropy::system());
        let text = token.reveal();
        let ours = format!("https://accounts.example.com/v1/api/users/activation/?token={}", *text);
        assert_eq!(configured(&[hosts, reset]).unwrap().verify(&token), ours);
        let own = ("VERIFY_LINK", "https://app.example.com/activate/{token}");
        assert_eq!(configured(&[hosts, own]).unwrap().verify(&token), format!("https://app.example.com/activate/{}", *text));
        assert_eq!(configured(&[page]).unwrap_err(), "DISAVOW_LINK: its host is not one of RESET_LINK_HOSTS");
    }

    #[test]
    fn a_token_is_shown_outside_its_link_only_where_that_is_configured() {
        let token = token();
        for (pairs, shown) in [(&[][..], None), (&[("RESET_TOKEN", "link")], None), (&[("RESET_TOKEN", "shown")], Some(token.reveal()))] {
            let links = configured(pairs).unwrap();
            assert_eq!(links.shown(&token).as_deref(), shown.as_ref().map(|text| text.as_str()));
            assert!(links.reset(&token).ends_with(token.reveal().as_str()), "the link has it in any case");
        }
        for wrong in ["Shown", "yes", "link,shown"] {
            assert_eq!(configured(&[("RESET_TOKEN", wrong)]).unwrap_err(), "RESET_TOKEN: must be link or shown");
        }
    }

    #[test]
    fn a_front_end_that_is_not_on_the_list_is_refused() {
        let hosts = ("RESET_LINK_HOSTS", "app.example.com,localhost");
        for wrong in [
            "http://app.example.com/{token}",
            "https://evil.example/{token}",
            "https://app.example.com@evil.example/{token}",
            "https://app.example.com.evil.example/{token}",
            "https://{token}.app.example.com/",
            "https://app.example.com/reset",
            "https://app.example.com/{token}/{token}",
            "https://app.example.com/{token} and more",
            "https://app.example.com/\"><a href={token}",
            "javascript:alert({token})",
        ] {
            assert!(configured(&[hosts, ("RESET_LINK", wrong)]).is_err(), "{wrong}");
        }
        assert!(configured(&[hosts, ("RESET_LINK", "http://localhost:5173/reset/{token}")]).is_ok());
        let nowhere = configured(&[("RESET_LINK", "https://app.example.com/{token}")]).unwrap_err();
        assert_eq!(nowhere, "RESET_LINK: its host is not one of RESET_LINK_HOSTS");
    }

    #[test]
    fn only_a_url_without_query_is_a_base() {
        for wrong in
            ["http://accounts.example.com", "https://accounts.example.com/?a=b", "accounts.example.com", "https://", "https://a b/"]
        {
            let mut settings = Settings::from_pairs([("LINK_BASE".to_owned(), wrong.to_owned())]);
            LinkUrls::configured(&mut settings);
            assert!(settings.finish().is_err(), "{wrong}");
        }
    }
}
