//! The quorum as DescribeQuorum tells of it: voters, and observers: controllers that do not vote, and the
//! brokers that follow the feed.

use ottla_config::HostPort;
use ottla_protocol::ids::{KafkaUuid, TimestampMs};
use ottla_rpc::controller as proto;
use ottla_rpc::convert::id_to_proto;

use crate::clock::wall_clock_ms;
use crate::node::Node;
use crate::quorum::ReplicaStatus;
use crate::sessions::Observed;

/// Instead of a time that is not known.
const NO_TIME: TimestampMs = -1;

impl Node {
    /// The quorum as this controller sees it: complete on the active one.
    pub(crate) async fn describe_quorum(&self) -> proto::DescribeQuorumReply {
        let leadership = self.leadership();
        let replicas = self.quorum.replicas();
        let end = replicas.iter().map(|replica| replica.log_end_offset).max().unwrap_or(0);
        let (voters, mut observers): (Vec<_>, Vec<_>) =
            replicas.iter().partition(|replica| replica.member.voter);
        observers.retain(|replica| replica.since_contact.is_some());
        let brokers = match self.active() {
            Some(active) => active.sessions.observed().await,
            None => Vec::new(),
        };
        // A node with both roles has one copy of the metadata.
        let brokers = brokers
            .iter()
            .filter(|broker| replicas.iter().all(|replica| replica.member.id != broker.id));
        proto::DescribeQuorumReply {
            leader_id: leadership.leader.unwrap_or(-1),
            leader_epoch: leadership.term,
            high_watermark: self.quorum.high_watermark(),
            voters: voters.into_iter().map(|replica| self.describe(replica, end)).collect(),
            observers: observers
                .into_iter()
                .map(|replica| self.describe(replica, end))
                .chain(brokers.map(|broker| describe_broker(broker, end)))
                .collect(),
        }
    }

    fn describe(&self, replica: &ReplicaStatus, end: u64) -> proto::QuorumReplica {
        let seen = replica.since_contact.map_or(NO_TIME, |since| {
            wall_clock_ms() - i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        });
        let HostPort { host, port } = self.quorum.locate(&replica.member);
        proto::QuorumReplica {
            node_id: replica.member.id,
            log_end_offset: replica.log_end_offset,
            last_fetch_timestamp_ms: seen,
            last_caught_up_timestamp_ms: if replica.log_end_offset == end { seen } else { NO_TIME },
            host,
            port: u32::from(port),
            directory_id: id_to_proto(&replica.member.directory_id),
        }
    }
}

/// A broker has only the metadata batches; who has all of them is not behind for what else is in the log.
fn describe_broker(broker: &Observed, end: u64) -> proto::QuorumReplica {
    proto::QuorumReplica {
        node_id: broker.id,
        log_end_offset: if broker.has_all { end } else { broker.metadata_offset + 1 },
        last_fetch_timestamp_ms: broker.heard_ms,
        last_caught_up_timestamp_ms: broker.caught_up_ms.unwrap_or(NO_TIME),
        host: String::new(),
        port: 0,
        directory_id: id_to_proto(&KafkaUuid::from_bytes(broker.directory_id)),
    }
}
