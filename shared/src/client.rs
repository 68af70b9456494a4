//! The addresses and networks of clients.

use std::{fmt, net::IpAddr};

/// Where a request came from, as the gateway (or the trusted proxy in front of it) saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(IpAddr);

/// A block of addresses, written like `203.0.113.0/24`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Network(String);

impl Client {
    /// The client at `address`; an IPv4 address mapped into IPv6 is the IPv4 address.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The address.
    #[must_use]
    pub fn address(self) -> IpAddr {
        self.0
    }

    /// What limits count as one client: an IPv4 address; a /64 of IPv6, the least a subscriber is given (RFC 6177).
    #[must_use]
    pub fn counted(self) -> Network {
        self.network(32, 64)
    }

    /// What an account remembers as a known network: a /24 of IPv4; a /48 of IPv6, a site (RFC 6177).
    #[must_use]
    pub fn site(self) -> Network {
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

    /// Which client sent a request that reached the gateway from `gateway_address`.
    ///
    /// `forwarded_for` lists, per `X-Forwarded-For`, the addresses that proxies saw, the gateway's own entry last. With `trusted_hops` proxies
    /// in front of the gateway, the client is that many entries further left; what stands left of it anyone may have written.
    #[must_use]
    pub fn seen(gateway_address: IpAddr, forwarded_for: &[&str], trusted_hops: usize) -> Self {
        let entries: Vec<&str> = forwarded_for.iter().flat_map(|header| header.split(',')).map(str::trim).collect();
        let behind_proxies =
            (trusted_hops > 0).then(|| entries.iter().rev().nth(trusted_hops)).flatten().and_then(|entry| entry.parse().ok());
        Self::at(behind_proxies.unwrap_or(gateway_address))
    }
}

impl Network {
    /// A network as the store holds it.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The network as the store holds it.
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
}
