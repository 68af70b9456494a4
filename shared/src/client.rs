//! The addresses and networks of clients.

use std::{fmt, net::IpAddr};

use crate::config::Settings;

/// The address of a request's sender, as seen by the gateway or by the trusted proxy in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(IpAddr);

/// A block of addresses, written like `203.0.113.0/24`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network(String);

/// How much of a client's address log lines contain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoggedClient {
    /// The address.
    Full,
    /// The network: an IPv4 /24 or an IPv6 /48, which does not identify a person.
    #[default]
    Network,
    /// Nothing.
    None,
}

impl LoggedClient {
    /// `LOG_CLIENTS`: full, network (the default) or none.
    pub fn configured(settings: &mut Settings) -> Self {
        settings.parsed("LOG_CLIENTS", Self::default(), |text| match text {
            "full" => Ok(Self::Full),
            "network" => Ok(Self::Network),
            "none" => Ok(Self::None),
            _ => Err("must be full, network or none".to_owned()),
        })
    }

    /// The client as it is logged.
    #[must_use]
    pub fn shown(self, client: Client) -> Option<String> {
        match self {
            Self::Full => Some(client.address().to_string()),
            Self::Network => Some(client.site().to_string()),
            Self::None => None,
        }
    }
}

impl Client {
    /// The client at `address`. An IPv4 address mapped into IPv6 is taken as the IPv4 address.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The address.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.0
    }

    /// The block that limits count as one client: an IPv4 address or an IPv6 /64, the smallest assignment to a subscriber (RFC 6177).
    #[must_use]
    pub fn counted(self) -> Network {
        self.network(32, 64)
    }

    /// The block that an account remembers as a known network: an IPv4 /24 or an IPv6 /48, which is a site (RFC 6177).
    #[must_use]
    pub(crate) fn site(self) -> Network {
        self.network(24, 48)
    }

    fn network(self, v4_bits: u32, v6_bits: u32) -> Network {
        Network(match self.0 {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - v4_bits).unwrap_or(0);
                format!("{}/{v4_bits}", std::net::Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - v6_bits).unwrap_or(0);
                format!("{}/{v6_bits}", std::net::Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        })
    }

    /// The client that sent a request, which the gateway received from `gateway_address`.
    ///
    /// `forwarded_for` lists, per `X-Forwarded-For`, the addresses that proxies saw, the gateway's own entry last. With `trusted_hops` proxies in front of
    /// the gateway, the client is that many entries further left. The client may have forged the entries left of it. Empty entries are ignored (RFC 9110,
    /// 5.6.1.2). If the entry is not an address, such as `unknown`, the address that the gateway saw counts.
    #[must_use]
    pub fn seen(gateway_address: IpAddr, forwarded_for: &[&str], trusted_hops: usize) -> Self {
        let from_the_right = forwarded_for.iter().rev().flat_map(|header| header.rsplit(',')).map(str::trim);
        let mut entries = from_the_right.filter(|entry| !entry.is_empty());
        let behind_proxies = (trusted_hops > 0).then(|| entries.nth(trusted_hops)).flatten().and_then(address_in);
        Self::at(behind_proxies.unwrap_or(gateway_address))
    }
}

/// The address in an entry as proxies write them: with or without a port, quotes, brackets, a zone (RFC 7239, 6; RFC 4007, 11).
///
/// `unknown` and obfuscated names are not addresses.
fn address_in(entry: &str) -> Option<IpAddr> {
    let entry = match entry.strip_prefix('"').and_then(|entry| entry.strip_suffix('"')) {
        Some(quoted) => quoted.replace('\\', ""),
        None => entry.to_owned(),
    };
    let read = |address: &str| address.split('%').next().unwrap_or_default().trim().parse().ok();
    if let Some((address, port)) = entry.trim().strip_prefix('[').and_then(|entry| entry.split_once(']')) {
        let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return if is_whole { read(address) } else { None };
    }
    // Some proxies write IPv6 with a port but without brackets. If the last group could be either, it is part of the address; the network is the same.
    read(&entry).or_else(|| entry.rsplit_once(':').filter(|(_, port)| is_port(port)).and_then(|(address, _)| read(address)))
}

/// Whether this is a port or an obfuscated port (RFC 7239, 6.3).
fn is_port(text: &str) -> bool {
    text.trim().parse::<u16>().is_ok() || text.trim().strip_prefix('_').is_some_and(|name| !name.is_empty())
}

impl Network {
    /// Reads a stored network.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// Reads a block that an account remembers, as `Client::site` writes it.
    #[must_use]
    pub fn of_site(text: &str) -> Option<Self> {
        let address = text.split('/').next()?.parse().ok()?;
        Some(Client::at(address).site()).filter(|site| site.as_str() == text)
    }

    /// The network in its stored form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        Client::at(address.parse().unwrap())
    }

    #[test]
    fn one_subscriber_is_one_client() {
        assert_eq!(client("203.0.113.7").counted().as_str(), "203.0.113.7/32");
        assert_eq!(client("203.0.113.7").site().as_str(), "203.0.113.0/24");
        assert_eq!(client("2001:db8:1:2:3:4:5:6").counted().as_str(), "2001:db8:1:2::/64");
        assert_eq!(client("2001:db8:1:2:3:4:5:6").site().as_str(), "2001:db8:1::/48");
        assert_eq!(client("::ffff:203.0.113.7").counted(), client("203.0.113.7").counted());
    }

    #[test]
    fn a_forwarded_header_is_believed_only_as_far_as_the_proxies_reach() {
        let gateway = "198.51.100.1".parse().unwrap();
        let seen = |headers: &[&str], hops| Client::seen(gateway, headers, hops).address().to_string();
        assert_eq!(seen(&["6.6.6.6, 203.0.113.7, 198.51.100.1"], 0), "198.51.100.1");
        assert_eq!(seen(&["6.6.6.6, 203.0.113.7, 198.51.100.1"], 1), "203.0.113.7");
        assert_eq!(seen(&["6.6.6.6", "203.0.113.7, 198.51.100.1"], 1), "203.0.113.7");
        assert_eq!(seen(&["198.51.100.1"], 1), "198.51.100.1");
        assert_eq!(seen(&["not an address, 198.51.100.1"], 1), "198.51.100.1");
        assert_eq!(seen(&[], 3), "198.51.100.1");
    }

    #[test]
    fn a_client_is_read_in_whatever_notation_its_proxy_writes() {
        let gateway = "198.51.100.1".parse().unwrap();
        let seen = |entry: &str| Client::seen(gateway, &[&format!("6.6.6.6, {entry}, 198.51.100.1")], 1).address().to_string();
        for entry in [
            "203.0.113.7",
            "203.0.113.7:51234",
            "203.0.113.7:1",
            " 203.0.113.7 ",
            "\t203.0.113.7\t",
            "\"203.0.113.7\"",
            "\"203.0.113.7:51234\"",
            "\"203.0.113.7:_hidden\"",
            "\"203\\.0.113.7\"",
            "203.0.113.7:_x",
            "[203.0.113.7]:80",
            "::ffff:203.0.113.7",
            "[::ffff:203.0.113.7]",
            "[::ffff:203.0.113.7]:51234",
            "\"[::ffff:203.0.113.7]:51234\"",
            "::FFFF:cb00:7107",
        ] {
            assert_eq!(seen(entry), "203.0.113.7", "{entry}");
        }
        for entry in [
            "2001:db8::7",
            "2001:DB8:0:0:0:0:0:7",
            "[2001:db8::7]",
            "[2001:db8::7]:443",
            "[2001:db8::7]:_x",
            "\"[2001:db8::7]\"",
            "\"[2001:db8::7]:4711\"",
            "\"2001:db8::7\"",
            "2001:db8::7%eth0",
            "[2001:db8::7%25eth0]:443",
            "2001:db8:0:0:0:0:0:7:51234",
            "2001:db8::7:51234",
        ] {
            assert_eq!(seen(entry), "2001:db8::7", "{entry}");
        }
        for entry in [
            "unknown",
            "_hidden",
            "\"_hidden\"",
            "\"unknown:80\"",
            "203.0.113",
            "203.0.113.7:x",
            "203.0.113.7:70000",
            "203.0.113.7:",
            "[203.0.113.7",
            "[2001:db8::7]443",
            "[2001:db8::7]:x",
            "[]",
            "\"",
            "\"\"",
            "a.example",
            "for=203.0.113.7",
        ] {
            assert_eq!(seen(entry), "198.51.100.1", "{entry}");
        }
    }

    #[test]
    fn empty_entries_and_further_headers_do_not_move_the_client() {
        let gateway = "198.51.100.1".parse().unwrap();
        for headers in [
            &["6.6.6.6, 203.0.113.7:1, , 198.51.100.1"][..],
            &[", 203.0.113.7,198.51.100.1,"],
            &["6.6.6.6", "", "203.0.113.7:1", "198.51.100.1"],
            &["6.6.6.6,\"a, b", "203.0.113.7 ,", " ,198.51.100.1"],
        ] {
            assert_eq!(Client::seen(gateway, headers, 1).address().to_string(), "203.0.113.7", "{headers:?}");
        }
        assert_eq!(
            Client::seen(gateway, &["2001:db8::1, [2001:db8::7]:1, 203.0.113.7:2, 198.51.100.1"], 2).address().to_string(),
            "2001:db8::7"
        );
        assert_eq!(Client::seen(gateway, &[" , ,198.51.100.1"], 1).address(), gateway);
    }
}
