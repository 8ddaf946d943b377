//! All partitions of this broker, and what drives them.

use std::pin::Pin;
use std::sync::Arc;

use ottla_config::NodeConfig;
use ottla_metadata::proposal::{AlterPartition, Outcome};
use ottla_metadata::{Delta, Image};
use ottla_protocol::ids::{BrokerEpoch, KafkaUuid, TopicIdPartition};

use super::partition::Partition;
use super::service::ReplicationService;

/// How ISR proposals reach the active controller; the broker's controller link implements it.
pub trait IsrProposer: Send + Sync + 'static {
    /// Asks for other in-sync sets; one outcome per item, in order. The new state comes by the feed.
    fn propose_isr(
        &self,
        partitions: Vec<AlterPartition>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Outcome>, ProposeError>> + Send + '_>>;
}

/// It is not known whether the proposal was taken: it is made again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the active controller did not answer: {0}")]
pub struct ProposeError(pub String);

/// What the partitions need to work.
pub struct PartitionsOptions {
    /// The node's configuration.
    pub config: Arc<NodeConfig>,
    /// Drawn anew at each start of the process; answers Identify.
    pub incarnation_id: KafkaUuid,
    /// Where ISR proposals go.
    pub proposer: Arc<dyn IsrProposer>,
    /// Where the replica streams run.
    pub runtime: tokio::runtime::Handle,
}

/// Why the partitions could not be brought up: one sentence for the user.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// All partitions of this broker. Clones share.
#[derive(Clone)]
pub struct Partitions {
    inner: Arc<()>,
}

impl Partitions {
    /// Locks the log directories and loads every log in them. Blocking: seconds after an unclean stop.
    ///
    /// # Errors
    /// A directory that is in use, unwritable, or another cluster's or node's.
    pub fn open(options: PartitionsOptions) -> Result<Self, StartError> {
        let _ = options;
        unimplemented!("open")
    }

    /// The broker epoch under which this broker last stopped cleanly, for the registration; -1 if any log
    /// directory was not stopped cleanly.
    #[must_use]
    pub fn previous_broker_epoch(&self) -> BrokerEpoch {
        let _ = &self.inner;
        unimplemented!("previous_broker_epoch")
    }

    /// This broker has registered: from here on its streams and proposals carry this epoch.
    pub fn set_broker_epoch(&self, epoch: BrokerEpoch) {
        let _ = epoch;
        unimplemented!("set_broker_epoch")
    }

    /// Follows the metadata: creates, deletes, leads and follows what `image` says, of which `delta` is
    /// what is new. Call it once per batch, in order, after the image has been published to readers; the
    /// first time with the first whole image and [`Delta::between`] an empty one and it. Blocking (file
    /// creation); not for a task that must answer heartbeats.
    pub fn apply(&self, image: &Arc<Image>, delta: &Delta) {
        let _ = (image, delta);
        unimplemented!("apply")
    }

    /// The replica of a partition, if this broker has one.
    #[must_use]
    pub fn get(&self, id: TopicIdPartition) -> Option<Arc<Partition>> {
        let _ = id;
        unimplemented!("get")
    }

    /// Every replica, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Partition>> {
        unimplemented!("all")
    }

    /// What to mount on the inter-broker listener (see `ottla_rpc::replication_server`).
    #[must_use]
    pub fn replication_service(&self) -> ReplicationService {
        unimplemented!("replication_service")
    }

    /// Stops in order: streams, flushers and upkeep; then flushes, writes the checkpoints, and marks the
    /// directories as cleanly stopped under the current broker epoch. Blocking.
    pub fn shutdown(&self) {
        unimplemented!("shutdown")
    }
}
