//! Dials one address as a client would, and finds out who is there.
//!
//! Below the client's own connection, because what matters here is how exactly it fails.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ottla_client::HostPort;
use ottla_protocol::frame::{LENGTH_PREFIX, decode_response, encode_request};
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeConfigsRequest, DescribeConfigsResponse,
};
use ottla_protocol::{ErrorCode, Request, StrBytes, api::ApiKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// The version that every broker answers.
const API_VERSIONS: i16 = 0;
const DESCRIBE_CLUSTER: i16 = 0;
const DESCRIBE_CONFIGS: i16 = 1;
/// A broker's own configs, by its id.
const BROKER_RESOURCE: i8 = 4;
/// No answer asked for here comes near it.
const MAX_ANSWER: usize = 4 << 20;
/// So many first bytes tell who speaks.
const HEAD: usize = 9;
const CLIENT_ID: &str = "ottla-doctor";

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dialled {
    /// The name means nothing here.
    Unresolvable,
    /// Somebody's machine, but nobody listens at the port.
    Refused,
    /// Silence: no connection, or no answer on it.
    Silent {
        /// Whether a connection was made.
        connected: bool,
    },
    /// The network has no way there, or another error of the system.
    Unreachable(String),
    /// Somebody answered.
    Spoke(Spoken),
}

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spoken {
    Broker {
        /// `None` from a broker that does not tell.
        cluster_id: Option<String>,
        /// Its own id, as far as it could be found out.
        id: Option<i32>,
    },
    /// A listener for controllers and administrators.
    Controller,
    /// A broker that lets only those in who authenticate.
    Sasl,
    Tls,
    Http,
    /// It closed the connection without a word.
    Closed,
    Unknown,
}

/// Dials; `expected` is the broker that should be there.
pub(crate) async fn dial(address: &HostPort, expected: Option<i32>, patience: Duration) -> Dialled {
    let lookup = lookup_host((address.host.as_str(), address.port));
    let found: Vec<SocketAddr> = match timeout(patience, lookup).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    if found.is_empty() {
        return Dialled::Unresolvable;
    }
    let mut outcome = Dialled::Unresolvable;
    for address in found {
        outcome = match timeout(patience, TcpStream::connect(address)).await {
            Err(_) => Dialled::Silent { connected: false },
            Ok(Err(error)) => failed(&error),
            Ok(Ok(stream)) => {
                return match timeout(patience, converse(stream, expected)).await {
                    Ok(spoken) => Dialled::Spoke(spoken),
                    Err(_) => Dialled::Silent { connected: true },
                };
            }
        };
    }
    outcome
}

fn failed(error: &io::Error) -> Dialled {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Dialled::Refused,
        io::ErrorKind::TimedOut => Dialled::Silent { connected: false },
        _ => Dialled::Unreachable(error.to_string()),
    }
}

/// What the first bytes of an answer say, when they are not of Kafka's protocol.
fn foreign(head: &[u8]) -> Option<Spoken> {
    match head {
        // An alert of TLS 1.x.
        [0x15, 0x03, ..] => Some(Spoken::Tls),
        [b'H', b'T', b'T', b'P', ..] => Some(Spoken::Http),
        // The settings that open an HTTP/2 connection: gRPC, which Ottla's controllers speak.
        [0, _, _, 4, _, 0, 0, 0, 0, ..] => Some(Spoken::Controller),
        _ => None,
    }
}

async fn converse(mut stream: TcpStream, expected: Option<i32>) -> Spoken {
    let request = ApiVersionsRequest::default();
    let served = match exchange::<ApiVersionsRequest>(&mut stream, API_VERSIONS, &request).await {
        Ok(served) => served,
        Err(Mute::Foreign(spoken)) => return spoken,
        Err(Mute::Closed) => return Spoken::Closed,
    };
    if !serves(&served, ApiKey::Produce) {
        return Spoken::Controller;
    }
    let mut broker = Spoken::Broker { cluster_id: None, id: None };
    if !serves(&served, ApiKey::DescribeCluster) {
        return broker;
    }
    let request = DescribeClusterRequest::default();
    match exchange::<DescribeClusterRequest>(&mut stream, DESCRIBE_CLUSTER, &request).await {
        Ok(answer) => {
            let answer: DescribeClusterResponse = answer;
            if answer.error_code == ErrorCode::MismatchedEndpointType.code() {
                return Spoken::Controller;
            }
            let known = answer.error_code == 0;
            let cluster_id = known.then(|| answer.cluster_id.to_string());
            broker = Spoken::Broker { cluster_id, id: None };
        }
        // It told its versions, as anybody may ask, and then nothing more.
        Err(Mute::Closed) => return Spoken::Sasl,
        Err(Mute::Foreign(_)) => return broker,
    }
    let (Some(expected), Spoken::Broker { cluster_id, .. }) = (expected, &broker) else {
        return broker;
    };
    let resource = DescribeConfigsResource::default()
        .with_resource_type(BROKER_RESOURCE)
        .with_resource_name(StrBytes::from_string(expected.to_string()))
        .with_configuration_keys(Some(vec![StrBytes::from_static_str("broker.id")]));
    let request = DescribeConfigsRequest::default().with_resources(vec![resource]);
    let answer =
        exchange::<DescribeConfigsRequest>(&mut stream, DESCRIBE_CONFIGS, &request).await.ok();
    let id = answer.and_then(|answer| identity(&answer, expected));
    Spoken::Broker { cluster_id: cluster_id.clone(), id }
}

fn serves(answer: &ApiVersionsResponse, api: ApiKey) -> bool {
    answer.api_keys.iter().any(|row| row.api_key == api as i16)
}

/// A broker describes its own configs only, and says its id when it is taken for another.
fn identity(answer: &DescribeConfigsResponse, expected: i32) -> Option<i32> {
    let result = answer.results.first()?;
    if result.error_code == 0 {
        return Some(expected);
    }
    let (_, rest) = result.error_message.as_ref()?.split_once(", expected ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Why there is no answer of Kafka's protocol.
enum Mute {
    Closed,
    Foreign(Spoken),
}

async fn exchange<T: Request>(
    stream: &mut TcpStream,
    version: i16,
    request: &T,
) -> Result<T::Response, Mute> {
    let unknown = || Mute::Foreign(Spoken::Unknown);
    let frame = encode_request(1, Some(CLIENT_ID), version, request).map_err(|_| unknown())?;
    stream.write_all(&frame).await.map_err(|_| Mute::Closed)?;
    let mut head = Vec::with_capacity(HEAD);
    while head.len() < HEAD {
        let read = (&mut *stream).take((HEAD - head.len()) as u64).read_buf(&mut head).await;
        // Who speaks otherwise may say less than this, and then wait.
        if let Some(spoken) = foreign(&head) {
            return Err(Mute::Foreign(spoken));
        }
        if !read.is_ok_and(|read| read > 0) {
            break;
        }
    }
    let Some((prefix, begun)) = head.split_first_chunk::<LENGTH_PREFIX>() else {
        return Err(Mute::Closed);
    };
    let length = u32::from_be_bytes(*prefix) as usize;
    if !(begun.len()..=MAX_ANSWER).contains(&length) {
        return Err(unknown());
    }
    let mut answer = begun.to_vec();
    answer.resize(length, 0);
    stream.read_exact(&mut answer[begun.len()..]).await.map_err(|_| Mute::Closed)?;
    let decoded = decode_response::<T::Response>(version, Bytes::from(answer));
    decoded.map(|(_, answer)| answer).map_err(|_| unknown())
}

#[cfg(test)]
mod tests;
