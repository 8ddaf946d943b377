//! The only writer of an image.

use ottla_protocol::ids::{BrokerEpoch, BrokerId, MetadataOffset, TopicId, TopicIdPartition};

use super::Image;
use crate::delta::Delta;
use crate::record::{Batch, Record};

/// A committed record that had nothing to act on. Replay goes on without it; whoever replays logs it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// A record names a topic that is not there.
    #[error("record ignored: there is no topic with id {0}")]
    UnknownTopic(TopicId),
    /// A partition record names a topic that is not there.
    #[error("record ignored: partition {} of a topic that is not there ({})", .0.partition, .0.topic_id)]
    UnknownPartition(TopicIdPartition),
    /// A record names a registration that is not there.
    #[error("record ignored: broker {broker_id} is not registered with epoch {broker_epoch}")]
    UnknownBroker {
        /// The broker.
        broker_id: BrokerId,
        /// The registration.
        broker_epoch: BrokerEpoch,
    },
}

impl Image {
    /// Takes one committed record in. Cannot fail: what a record names and is not there is ignored,
    /// and said.
    ///
    /// # Errors
    /// [`Ignored`] is a diagnostic: the record had no effect, and replay goes on.
    pub fn replay(&mut self, record: &Record) -> Result<(), Ignored> {
        let _ = record;
        unimplemented!("replay")
    }

    /// Takes one committed batch in, and says what it changed.
    pub fn replay_batch(&mut self, offset: MetadataOffset, batch: &Batch) -> Delta {
        let _ = (offset, batch);
        unimplemented!("replay_batch")
    }
}
