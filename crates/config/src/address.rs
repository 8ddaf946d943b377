//! Addresses as Kafka writes them: listeners, voters, plain `host:port`.

use std::fmt;

/// A host and a port. The host is a name or an address, IPv6 without its brackets, and empty where
/// Kafka's forms allow none ("every address of this machine").
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// The host.
    pub host: String,
    /// The port; 0 lets the system choose (tests).
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// How a listener is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without TLS.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    const ALL: [Self; 4] = [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];

    /// Kafka's name for it, such as `SASL_SSL`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// The protocol of a name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

/// A named endpoint of `listeners` or `advertised.listeners`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The listener's name, in capitals.
    pub name: String,
    /// The host; empty means every address of this machine (never in an advertised listener).
    pub host: String,
    /// The port; 0 lets the system choose, for an advertised listener: the port that was bound.
    pub port: u16,
    /// How it is secured (`listener.security.protocol.map`).
    pub security_protocol: SecurityProtocol,
}

/// A controller of the quorum: `id@host:port` of `controller.quorum.voters`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// The controller's node id.
    pub id: i32,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Voter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = HostPort { host: self.host.clone(), port: self.port };
        write!(f, "{}@{address}", self.id)
    }
}

/// Parses `host:port`; an IPv6 host stands in brackets. What is wrong comes back as the end of a
/// sentence.
pub(crate) fn parse_host_port(text: &str) -> Result<HostPort, &'static str> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) =
            rest.split_once(']').ok_or("the ']' behind the IPv6 address is missing")?;
        (host, tail.strip_prefix(':').ok_or("the port is missing")?)
    } else {
        let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
        if host.contains(':') {
            return Err("an IPv6 address must stand in brackets: [::1]:9092");
        }
        (host, port)
    };
    let port = port.parse().map_err(|_| "the port is not a number from 0 to 65535")?;
    Ok(HostPort { host: host.to_owned(), port })
}

/// Parses `NAME://host:port`, without its protocol.
pub(crate) fn parse_endpoint(text: &str) -> Result<(String, HostPort), &'static str> {
    let (name, address) = text.split_once("://").ok_or("it must have the form NAME://host:port")?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(legal) {
        return Err("its name may hold only letters, digits, '_', '-' and '.'");
    }
    Ok((name.to_ascii_uppercase(), parse_host_port(address)?))
}

/// Splits a comma-separated list; blanks around items do not count, empty items are left out.
pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}
