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
    DescribeQuorumRequest, DescribeQuorumResponse, MetadataRequest, MetadataResponse, TopicName,
};

const METADATA_VERSION: i16 = 12;
const DESCRIBE_QUORUM_VERSION: i16 = 1;
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
    let request = MetadataRequest::default().with_topics(Some(Vec::new()));
    let frame = frame::encode_request(1, Some("ottla-cluster"), METADATA_VERSION, &request)?;
    let answer = exchange(&mut connection, &frame)?;
    let (_, answer): (_, MetadataResponse) = frame::decode_response(METADATA_VERSION, answer)?;
    Ok(View {
        cluster_id: answer.cluster_id.map(|id| id.to_string()).unwrap_or_default(),
        brokers: answer.brokers.iter().map(|broker| broker.node_id.0).collect(),
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
