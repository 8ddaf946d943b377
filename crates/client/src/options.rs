//! Settings of a client, and the addresses that it starts from.

use std::time::Duration;

use crate::error::BootstrapError;

/// Settings of a [`crate::Client`]; the defaults are Kafka's unless noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// `client.id`: the name sent with each request.
    pub client_id: String,
    /// `request.timeout.ms`: a node that is silent for longer than this loses its connection.
    pub request_timeout_ms: u64,
    /// `default.api.timeout.ms`: how long a call to any node may take, retries included.
    pub api_timeout_ms: u64,
    /// `socket.connection.setup.timeout.ms`: for connecting and the version handshake.
    pub connection_setup_timeout_ms: u64,
    /// `metadata.max.age.ms`: metadata is asked for again after this time.
    pub metadata_max_age_ms: u64,
    /// `retry.backoff.ms`: pause before the second attempt; doubles from there on. Kafka's is 100.
    pub retry_backoff_ms: u64,
    /// `retry.backoff.max.ms`: the longest pause between attempts.
    pub retry_backoff_max_ms: u64,
    /// Whether the addresses to start from are controllers' (`bootstrap.controllers`): then these are the
    /// nodes, and the active one is the controller. They serve administration only.
    pub bootstrap_controllers: bool,
    /// The largest response that is read into memory; a longer one closes the connection.
    pub max_response_bytes: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            client_id: "ottla".to_owned(),
            request_timeout_ms: 30_000,
            api_timeout_ms: 60_000,
            connection_setup_timeout_ms: 10_000,
            metadata_max_age_ms: 300_000,
            retry_backoff_ms: 20,
            retry_backoff_max_ms: 1_000,
            bootstrap_controllers: false,
            max_response_bytes: 128 << 20,
        }
    }
}

impl ClientOptions {
    /// The pause before attempt number `attempt` (the first retry is 1).
    #[must_use]
    pub fn backoff(&self, attempt: u32) -> Duration {
        let factor = 1_u64 << attempt.saturating_sub(1).min(16);
        let pause_ms = self.retry_backoff_ms.saturating_mul(factor).min(self.retry_backoff_max_ms);
        Duration::from_millis(pause_ms)
    }
}

/// A host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl std::str::FromStr for HostPort {
    type Err = BootstrapError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || BootstrapError::Invalid(text.to_owned());
        // A listener prefix such as PLAINTEXT:// is allowed, as in Kafka.
        let address = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (host, port) = address.rsplit_once(':').ok_or_else(invalid)?;
        let bare = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').ok_or_else(invalid)?,
            None if host.contains(':') => return Err(invalid()),
            None => host,
        };
        if bare.is_empty() {
            return Err(invalid());
        }
        let port = port.parse().map_err(|_| invalid())?;
        Ok(Self { host: bare.to_owned(), port })
    }
}

/// Reads `bootstrap.servers`: `host:port` entries separated by commas.
pub fn parse_bootstrap(servers: &str) -> Result<Vec<HostPort>, BootstrapError> {
    let entries: Vec<HostPort> = servers
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    if entries.is_empty() { Err(BootstrapError::Empty) } else { Ok(entries) }
}

/// Those of the servers whose host cannot be resolved at present.
pub async fn unresolved(servers: &[HostPort]) -> Vec<&HostPort> {
    let mut unresolved = Vec::new();
    for server in servers {
        let addresses = tokio::net::lookup_host((server.host.as_str(), server.port)).await;
        if !addresses.is_ok_and(|mut addresses| addresses.next().is_some()) {
            unresolved.push(server);
        }
    }
    unresolved
}

#[cfg(test)]
#[path = "options/tests.rs"]
mod tests;
