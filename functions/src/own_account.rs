//! The parameter `OwnAccount`: how much of an account its own sessions see.

use doorward::config::Settings;

/// How much of an account its sessions see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnAccount {
    On,
    Masked,
}

impl OwnAccount {
    /// `OWN_ACCOUNT`: `on` (default) or `masked`. A deployment with `off` has no function that shows an account. If one still runs during an update, `off`
    /// counts as `masked`.
    pub(crate) fn configured(settings: &mut Settings) -> Self {
        settings.parsed("OWN_ACCOUNT", Self::On, |text| match text {
            "on" => Ok(Self::On),
            "masked" | "off" => Ok(Self::Masked),
            _ => Err("must be on, masked or off".to_owned()),
        })
    }

    /// An address, or a username that is one, as the session sees it.
    pub(crate) fn shown(self, name: &str) -> String {
        match (self, name.rsplit_once('@')) {
            (Self::Masked, Some((local, domain))) => masked(local, domain),
            _ => name.to_owned(),
        }
    }
}

/// The first letter, unless it is the only one, and the domain. The number of dots does not depend on the number of letters.
fn masked(local: &str, domain: &str) -> String {
    let mut letters = local.chars();
    let first = letters.next().filter(|_| letters.next().is_some());
    format!("{}•••@{domain}", first.map(String::from).unwrap_or_default())
}
