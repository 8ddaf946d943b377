//! What one broker says of the cluster, asked over one short connection without a runtime.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use ottla_protocol::frame;
use ottla_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use ottla_protocol::messages::{
    DescribeClusterRequest, DescribeClusterResponse, DescribeQuorumRequest, DescribeQuorumResponse,
    TopicName,
};

const DESCRIBE_CLUSTER_VERSION: i16 = 1;
const DESCRIBE_QUORUM_VERSION: i16 = 1;
/// Endpoint type of brokers (KIP-919).
const BROKER_ENDPOINTS: i8 = 1;
/// A local broker answers at once; a paused one takes the connection and stays silent.
const PATIENCE: Duration = Duration::from_millis(500);
/// Neither answer comes near it.
const MAX_ANSWER: usize = 1 << 20;

/// What a broker knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) cluster_id: String,
    /// Brokers that are not fenced.
    pub(super) brokers: BTreeSet<i32>,
}

/// The cluster id and the live brokers as the broker at `localhost:port` sees them.
pub(super) fn view(port: u16) -> Result<View> {
    let mut connection = connect(port)?;
    let version = DESCRIBE_CLUSTER_VERSION;
    let request = DescribeClusterRequest::default().with_endpoint_type(BROKER_ENDPOINTS);
    let frame = frame::encode_request(1, Some("ottla-cluster"), version, &request)?;
    let answer = exchange(&mut connection, &frame)?;
    let (_, answer): (_, DescribeClusterResponse) = frame::decode_response(version, answer)?;
    ensure!(answer.error_code == 0, "the broker answers with error {}", answer.error_code);
    Ok(View {
        cluster_id: answer.cluster_id.to_string(),
        brokers: answer.brokers.iter().map(|broker| broker.broker_id.0).collect(),
    })
}

/// Which controller is active, as the broker at `localhost:port` can find out.
pub(super) fn active_controller(port: u16) -> Result<i32> {
    let mut connection = connect(port)?;
    let topic = TopicData::default()
        .with_topic_name(TopicName("__cluster_metadata".into()))
        .with_partitions(vec![PartitionData::default()]);
    let request = DescribeQuorumRequest::default().with_topics(vec![topic]);
    let version = DESCRIBE_QUORUM_VERSION;
    let frame = frame::encode_request(1, Some("ottla-cluster"), version, &request)?;
    let answer = exchange(&mut connection, &frame)?;
    let (_, answer): (_, DescribeQuorumResponse) = frame::decode_response(version, answer)?;
    let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
    match partition {
        Some(partition) if partition.error_code == 0 && partition.leader_id.0 >= 0 => {
            Ok(partition.leader_id.0)
        }
        _ => bail!("no controller is active at the moment"),
    }
}

fn connect(port: u16) -> Result<TcpStream> {
    let mut last = None;
    for address in ("localhost", port).to_socket_addrs().context("localhost does not resolve")? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(connection) => {
                connection.set_read_timeout(Some(PATIENCE))?;
                connection.set_write_timeout(Some(PATIENCE))?;
                connection.set_nodelay(true)?;
                return Ok(connection);
            }
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(error).with_context(|| format!("connecting to localhost:{port}")),
        None => bail!("localhost resolves to no address"),
    }
}

fn exchange(connection: &mut TcpStream, request: &[u8]) -> Result<Bytes> {
    connection.write_all(request)?;
    let mut length = [0; frame::LENGTH_PREFIX];
    connection.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    ensure!(length <= MAX_ANSWER, "an answer of {length} bytes is none of a broker's");
    let mut answer = vec![0; length];
    connection.read_exact(&mut answer)?;
    Ok(answer.into())
}
