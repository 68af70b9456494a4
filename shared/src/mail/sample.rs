//! Mails with sample data, for previews and snapshots.

use super::{AddressMail, AddressStep, ByOwner, ChangedMail, DeletionMail, RegisteredMail, RenamedMail, ResetMail, SignInMail, VerifyMail};
use crate::{
    brand::Product,
    caller::Caller,
    clock::{Timestamp, after, before},
    config::span,
    language::Language,
    outbox::ChangeKind,
};

/// The instant of samples.
fn sample_instant() -> Timestamp {
    Timestamp::from_second(1_767_273_000).unwrap_or_default()
}

/// A caller at this address with this browser.
fn sample_caller(address: &str, agent: &str, language: Option<Language>) -> Caller {
    Caller { address: address.parse().ok(), agent: agent.parse().ok(), language, request_id: None }
}

impl ResetMail {
    /// Samples: the usual mail, one that shows its token, an invitation, and one with an unknown browser and a product with a difficult name.
    #[must_use]
    pub fn samples(language: Language) -> Vec<(&'static str, Self)> {
        let usual = Self {
            product: Product::default(),
            language,
            link: "https://accounts.example.com/api/password_reset/confirm/?token=dwr_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB".to_owned(),
            token: None,
            lifetime: span::hours(1),
            caller: sample_caller("203.0.113.7", "Firefox on Android", Some(language)),
            requested_at: sample_instant(),
            invites: false,
        };
        let invitation = Self { invites: true, caller: Caller::default(), ..usual.clone() };
        let shown =
            Self { token: Some("dwr_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB".to_owned()), ..usual.clone() };
        let difficult = Self {
            product: Product { name: "Tom's <Bits+Bobs>".to_owned(), ..Product::default() },
            link: "https://app.example.com/welcome/#/reset/dwr_a'b+c?d=<e>&f=\"g\"".to_owned(),
            lifetime: span::minutes(90),
            caller: sample_caller("2001:db8:85a3::8a2e:370:7334", "", None),
            ..usual.clone()
        };
        vec![("usual", usual), ("shown", shown), ("invitation", invitation), ("difficult", difficult)]
    }
}

impl ChangedMail {
    /// Samples: after a change, after a reset, after several of both, after a login from a new place, and with difficult characters.
    #[must_use]
    pub fn samples(language: Language) -> Vec<(&'static str, Self)> {
        let changed = Self {
            product: Product::default(),
            language,
            kind: ChangeKind::Changed,
            link: "https://accounts.example.com/api/password_reset/disavow/?token=dwn_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB".to_owned(),
            lifetime: span::days(7),
            caller: sample_caller("203.0.113.7", "Safari on iPhone", Some(language)),
            changed_at: sample_instant(),
            changes: 1,
            first_changed_at: sample_instant(),
            signed_in: false,
        };
        let after_sign_in = Self { signed_in: true, ..changed.clone() };
        let several = Self { changes: 7, first_changed_at: before(sample_instant(), span::minutes(50)), ..changed.clone() };
        let several_resets = Self { kind: ChangeKind::Reset, changes: 2, ..several.clone() };
        let reset = Self { kind: ChangeKind::Reset, ..changed.clone() };
        let difficult = Self {
            product: Product { name: "Tom's <Bits+Bobs>".to_owned(), ..Product::default() },
            caller: sample_caller("2001:db8:85a3::8a2e:370:7334", "", None),
            ..reset.clone()
        };
        vec![
            ("changed", changed),
            ("reset", reset),
            ("several", several),
            ("several-resets", several_resets),
            ("after-sign-in", after_sign_in),
            ("difficult", difficult),
        ]
    }
}

impl RenamedMail {
    /// Samples: another address, another username, another username by its owner, and a product with a difficult name.
    #[must_use]
    pub fn samples(language: Language) -> Vec<(&'static str, Self)> {
        let email = Self { product: Product::default(), language, is_email: true, changed_at: sample_instant(), by: None };
        let username = Self { is_email: false, ..email.clone() };
        let by = ByOwner {
            caller: sample_caller("203.0.113.7", "Firefox on Windows", Some(language)),
            link: "https://accounts.example.com/api/password_reset/disavow/?token=dwn_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB".to_owned(),
            lifetime: span::days(7),
        };
        let by_owner = Self { by: Some(by), ..username.clone() };
        let difficult = Self { product: Product { name: "Tom's <Bits+Bobs>".to_owned(), ..Product::default() }, ..email.clone() };
        vec![("email", email), ("username", username), ("by-owner", by_owner), ("difficult", difficult)]
    }
}

impl SignInMail {
    /// Samples: one login, several, and an unknown browser and a product with a difficult name.
    #[must_use]
    pub fn samples(language: Language) -> Vec<(&'static str, Self)> {
        let one = Self {
            product: Product::default(),
            language,
            link: "https://accounts.example.com/api/password_reset/disavow/?token=dwn_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB".to_owned(),
            lifetime: span::days(7),
            caller: sample_caller("203.0.113.7", "Firefox on Windows", Some(language)),
            at: sample_instant(),
            times: 1,
        };
        let several = Self { times: 2, ..one.clone() };
        let difficult = Self {
            product: Product { name: "Tom's <Bits+Bobs>".to_owned(), ..Product::default() },
            caller: sample_caller("2001:db8:85a3::8a2e:370:7334", "", None),
            ..one.clone()
        };
        vec![("one", one), ("several", several), ("difficult", difficult)]
    }
}

impl DeletionMail {
    /// Samples: the usual one, and an unknown browser and a product with a difficult name.
    #[must_use]
    pub fn samples(language: Language) -> Vec<(&'static str, Self)> {
        let usual = Self {
            product: Product::default(),
            language,
            link: "https://accounts.example.com/api/password_reset/disavow/?token=dwn_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB".to_owned(),
            caller: sample_caller("203.0.113.7", "Firefox on Windows", Some(language)),
            asked_at: sample_instant(),
            due_at: after(sample_instant(), span::days(3)),
        };
        let difficult = Self {
            product: Product { name: "Tom's <Bits+Bobs>".to_owned(), ..Product::default() },
            caller: sample_caller("2001:db8:85a3::8a2e:370:7334", "", None),
            ..usual.clone()
        };
        vec![("usual", usual), ("difficult", difficult)]
    }
}

impl VerifyMail {
    /// Samples: the usual mail, and one with difficult names.
    #[must_use]
    pub fn samples(language: Language) -> Vec<(&'static str, Self)> {
        let usual = Self {
            product: Product::default(),
            language,
            link: "https://accounts.example.com/api/users/activation/?token=dwv_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB".to_owned(),
            lifetime: span::days(7),
            changes: false,
            caller: sample_caller("203.0.113.7", "Firefox on Android", Some(language)),
            requested_at: sample_instant(),
        };
        let difficult = Self {
            product: Product { name: "Tom's <Bits+Bobs>".to_owned(), ..Product::default() },
            caller: sample_caller("2001:db8:85a3::8a2e:370:7334", "", None),
            ..usual.clone()
        };
        let link =
            "https://accounts.example.com/api/users/activation/?token=dwc_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB";
        let change = Self { link: link.to_owned(), lifetime: span::days(1), changes: true, ..usual.clone() };
        vec![("usual", usual), ("difficult", difficult), ("change", change)]
    }
}

impl AddressMail {
    /// Samples: asked for, changed, and changed where there is no way back and the product has a difficult name.
    #[must_use]
    pub fn samples(language: Language) -> Vec<(&'static str, Self)> {
        let link = "https://accounts.example.com/api/password_reset/disavow/?token=dwn_AZsW0t9gcbuyT3Z1bZ5c3nJ1Q0d1vK2xq7f8sVt0n4uYx3JmL9wPzA6hRkDe5GiB";
        let asked = Self {
            product: Product::default(),
            language,
            step: AddressStep::Asked,
            at: sample_instant(),
            caller: sample_caller("203.0.113.7", "Firefox on Windows", Some(language)),
            undo: Some((link.to_owned(), span::days(7))),
        };
        let changed = Self { step: AddressStep::Changed, ..asked.clone() };
        let difficult = Self {
            product: Product { name: "Tom's <Bits+Bobs>".to_owned(), ..Product::default() },
            caller: sample_caller("2001:db8:85a3::8a2e:370:7334", "", None),
            undo: None,
            ..changed.clone()
        };
        vec![("asked", asked), ("changed", changed), ("difficult", difficult)]
    }
}

impl RegisteredMail {
    /// Samples: the usual mail, and one with difficult names.
    #[must_use]
    pub fn samples(language: Language) -> Vec<(&'static str, Self)> {
        let usual = Self {
            product: Product::default(),
            language,
            link: "https://accounts.example.com/api/password_reset/".to_owned(),
            caller: sample_caller("203.0.113.7", "Firefox on Android", Some(language)),
            at: sample_instant(),
        };
        let difficult = Self {
            product: Product { name: "Tom's <Bits+Bobs>".to_owned(), ..Product::default() },
            caller: sample_caller("2001:db8:85a3::8a2e:370:7334", "", None),
            ..usual.clone()
        };
        vec![("usual", usual), ("difficult", difficult)]
    }
}
