//! How far groups are behind: their committed offsets against the high watermarks that this broker knows.

use std::sync::Arc;

use ottla_protocol::ids::{Offset, PartitionIndex, TopicIdPartition, TopicName};
use tokio::sync::oneshot;

use super::{GroupCoordinator, Inner};

/// A group's place in one partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupLag {
    /// The group.
    pub group_id: Arc<str>,
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: PartitionIndex,
    /// The next record that the group wants.
    pub committed_offset: Offset,
    /// Committed records that it has not taken; `None` if this broker has no replica of the partition and
    /// does not know.
    pub lag: Option<i64>,
}

impl GroupCoordinator {
    /// Every committed offset of the groups that this broker coordinates, in order.
    pub(crate) async fn lags(&self) -> Vec<GroupLag> {
        let shards: Vec<_> = self.inner.shards.read().values().cloned().collect();
        let mut answers = Vec::new();
        for shard in shards {
            let (sender, answer) = oneshot::channel();
            shard.look(move |groups| {
                let committed = groups.committed_offsets().map(|committed| GroupLag {
                    group_id: Arc::clone(committed.group),
                    topic: Arc::clone(committed.topic),
                    partition: committed.partition,
                    committed_offset: committed.value.offset,
                    lag: None,
                });
                // Nobody may be left to hear it.
                let _ = sender.send(committed.collect::<Vec<_>>());
            });
            answers.push(answer);
        }
        let mut lags = Vec::new();
        for answer in answers {
            // A shard that does not serve knows nothing.
            if let Ok(committed) = answer.await {
                lags.extend(committed.into_iter().map(|lag| self.inner.measure(lag)));
            }
        }
        lags.sort_unstable();
        lags
    }
}

impl Inner {
    fn measure(&self, mut lag: GroupLag) -> GroupLag {
        let image = self.metadata.image();
        let topic = image.topic_by_name(&lag.topic);
        let id = topic.map(|topic| TopicIdPartition::new(topic.id, lag.partition));
        if let Some(partition) = id.and_then(|id| self.partitions.get(id)) {
            let high_watermark = partition.status().high_watermark;
            // A reset may point behind the end.
            lag.lag = Some(high_watermark.saturating_sub(lag.committed_offset).max(0));
        }
        lag
    }
}
