//! The coordinator of groups: this broker, for the partitions of `__consumer_offsets` that it leads.
//!
//! The groups of one partition are one pure machine (`ottla_coordinator::Groups`); a [`shard::Shard`] is
//! what gives it requests and time, writes its records into the partition, each append under the leader
//! epoch that the groups were loaded in, and answers its clients. A request waits as a future, and no
//! request waits for another group's.
//!
//! - [`GroupCoordinator`]: the shards of this broker, made to be what the metadata says;
//! - `load`: groups out of the log;
//! - `topic`: the topic's creation;
//! - `lag`: how far the groups are behind.

mod answer;
mod budget;
mod clock;
mod lag;
mod load;
mod machine;
mod shard;
mod shell;
mod timers;
mod topic;
mod writes;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ottla_config::{Layers, NodeConfig, TopicConfig};
use ottla_coordinator::{Caller, Groups, Request, Settings};
use ottla_metadata::Image;
use ottla_protocol::group_partition;
use ottla_protocol::ids::{LeaderEpoch, PartitionIndex, TopicId, TopicIdPartition};
use parking_lot::{Mutex, RwLock};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::controller_link::ControllerLink;
use crate::metadata::Metadata;
use crate::partition::Partitions;
use shard::Shard;
use shell::Shell;

pub(crate) use answer::{CoordinatorError, Pending, Unavailable};
pub use lag::GroupLag;
pub(crate) use topic::OFFSETS_TOPIC;

/// What waiting requests may hold in memory, with the records that wait for their append.
const WAITING_BYTES: usize = 256 << 20;
/// What a waiting request takes beside its bytes.
const REQUEST_OVERHEAD: usize = 1024;
/// So many partitions are loaded at a time.
const LOADING: usize = 4;
/// The most that a batch takes, whatever the topic allows.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// The groups that this broker coordinates. Clones share.
#[derive(Clone)]
pub(crate) struct GroupCoordinator {
    inner: Arc<Inner>,
}

struct Inner {
    me: i32,
    config: Arc<NodeConfig>,
    settings: Arc<Settings>,
    metadata: Arc<Metadata>,
    partitions: Partitions,
    topic: topic::OffsetsTopic,
    shell: Arc<Shell>,
    loading: Semaphore,
    shards: RwLock<HashMap<PartitionIndex, Arc<Shard>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl GroupCoordinator {
    /// A coordinator of nothing, until [`GroupCoordinator::start`].
    pub(crate) fn new(
        config: Arc<NodeConfig>,
        metadata: Arc<Metadata>,
        partitions: Partitions,
        runtime: Handle,
    ) -> Self {
        let inner = Inner {
            me: config.node_id,
            settings: Arc::new(Settings::of(&config)),
            metadata,
            partitions,
            topic: topic::OffsetsTopic::new(),
            shell: Arc::new(Shell::new(&config, runtime, WAITING_BYTES)),
            loading: Semaphore::new(LOADING),
            shards: RwLock::default(),
            tasks: Mutex::default(),
            config,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Follows the metadata from now on.
    pub(crate) fn start(&self) {
        let shell = Arc::clone(&self.inner.shell);
        let timers = async move { shell.timers.run(shell.clock).await };
        let inner = Arc::clone(&self.inner);
        let follow = async move { inner.follow().await };
        let runtime = &self.inner.shell.runtime;
        self.inner.tasks.lock().extend([runtime.spawn(timers), runtime.spawn(follow)]);
    }

    /// Coordinates nothing any more; who waits is told so.
    pub(crate) fn stop(&self) {
        for task in self.inner.tasks.lock().drain(..) {
            task.abort();
        }
        let shards = std::mem::take(&mut *self.inner.shards.write());
        for shard in shards.into_values() {
            shard.close();
        }
    }

    /// Has the groups' topic created if it is not there; false: not yet, ask again.
    pub(crate) async fn ensure_topic(&self, link: &ControllerLink) -> bool {
        let Inner { topic, config, metadata, .. } = &*self.inner;
        topic.ensure(config, metadata, link).await
    }

    /// Gives a request to its group. `bytes` is the request's size.
    pub(crate) fn submit(
        &self,
        group_id: &str,
        caller: Caller,
        request: Request,
        bytes: usize,
    ) -> Result<Pending, Unavailable> {
        self.inner.shard_of(group_id)?.submit(caller, request, bytes + REQUEST_OVERHEAD)
    }

    /// How long a write may take, from a client's point of view.
    pub(crate) fn commit_timeout(&self) -> Duration {
        self.inner.shell.commit_timeout
    }

    /// Every shard of this broker, for requests to all of them.
    pub(crate) fn partitions(&self) -> Vec<PartitionIndex> {
        self.inner.shards.read().keys().copied().collect()
    }

    /// Gives a request to all groups of a partition.
    pub(crate) fn submit_to(
        &self,
        partition: PartitionIndex,
        caller: Caller,
        request: Request,
        bytes: usize,
    ) -> Result<Pending, Unavailable> {
        let shard = self.inner.shards.read().get(&partition).cloned();
        let shard = shard.ok_or(Unavailable::NotCoordinator)?;
        shard.submit(caller, request, bytes + REQUEST_OVERHEAD)
    }
}

impl Inner {
    fn shard_of(&self, group_id: &str) -> Result<Arc<Shard>, Unavailable> {
        let image = self.metadata.image();
        let topic = image.topic_by_name(OFFSETS_TOPIC).ok_or(Unavailable::NotCoordinator)?;
        let partitions = PartitionIndex::try_from(topic.partitions.len()).unwrap_or(1);
        let partition = group_partition(group_id, partitions);
        if let Some(shard) = self.shards.read().get(&partition) {
            return Ok(Arc::clone(shard));
        }
        // Elected, and not yet begun to load?
        let elected = topic.partitions.get(&partition).is_some_and(|it| it.leader == Some(self.me));
        Err(if elected { Unavailable::Loading } else { Unavailable::NotCoordinator })
    }

    /// Makes the shards what the metadata says, whenever it changes.
    async fn follow(self: &Arc<Self>) {
        let mut changes = self.metadata.subscribe();
        loop {
            changes.mark_unchanged();
            self.reconcile(&self.metadata.snapshot());
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = self.shell.reload.notified() => {}
            }
        }
    }

    fn reconcile(self: &Arc<Self>, image: &Arc<Image>) {
        let led = self.led(image);
        let mut over = Vec::new();
        let mut new = Vec::new();
        let mut kept = Vec::new();
        let mut shards = self.shards.write();
        shards.retain(|partition, shard| {
            let still = led.get(partition).is_some_and(|(topic_id, epoch)| {
                shard.partition().id().topic_id == *topic_id && shard.leader_epoch() == *epoch
            });
            if still && !shard.is_closed() {
                kept.push(Arc::clone(shard));
            } else {
                over.push(Arc::clone(shard));
            }
            still && !shard.is_closed()
        });
        for (partition, (topic_id, epoch)) in led {
            let id = TopicIdPartition::new(topic_id, partition);
            if !shards.contains_key(&partition)
                && let Some(replica) = self.partitions.get(id)
            {
                let shard = Shard::new(replica, epoch, Arc::clone(&self.shell));
                shards.insert(partition, Arc::clone(&shard));
                new.push(shard);
            }
        }
        drop(shards);
        for shard in over {
            shard.close();
        }
        let batch_bytes = self.batch_bytes(image);
        for shard in kept {
            shard.show(image, batch_bytes);
        }
        for shard in new {
            self.shell.runtime.spawn(Arc::clone(self).load(shard));
        }
    }

    /// The partitions of the topic that this broker leads, and the epoch.
    fn led(&self, image: &Image) -> BTreeMap<PartitionIndex, (TopicId, LeaderEpoch)> {
        let Some(topic) = image.topic_by_name(OFFSETS_TOPIC) else { return BTreeMap::new() };
        let partitions = topic.partitions.iter();
        let led = partitions.filter(|(_, partition)| partition.leader == Some(self.me));
        led.map(|(index, partition)| (*index, (topic.id, partition.leader_epoch))).collect()
    }

    async fn load(self: Arc<Self>, shard: Arc<Shard>) {
        let begun = Instant::now();
        let image = self.metadata.snapshot();
        let groups = Groups::new(Arc::clone(&self.settings), image, rand::random());
        match load::load(shard.partition(), shard.leader_epoch(), groups, &self.loading).await {
            Ok((groups, loaded)) => {
                tracing::info!(
                    ?shard,
                    records = loaded.records,
                    damaged = loaded.damaged,
                    milliseconds = begun.elapsed().as_millis(),
                    "coordinates the groups"
                );
                let image = self.metadata.snapshot();
                let batch_bytes = self.batch_bytes(&image);
                shard.begin(machine::Machine::new(groups, Arc::clone(&self.shell), batch_bytes));
                // What came while it was loading.
                shard.show(&self.metadata.snapshot(), batch_bytes);
            }
            Err(load::LoadError::NotLeader) => shard.close(),
            Err(error) => {
                tracing::error!(?shard, %error, "the groups cannot be loaded");
                shard.close();
            }
        }
    }

    /// The largest batch that the topic takes.
    fn batch_bytes(&self, image: &Image) -> usize {
        let settings = TopicConfig::of(&Layers {
            own: Some(image.topic_config(&Arc::from(OFFSETS_TOPIC))),
            ..image.cluster_layers(&self.config.static_values)
        });
        let limit = settings.max_message_bytes.min(settings.segment_bytes);
        usize::try_from(limit).unwrap_or(0).min(MAX_BATCH_BYTES)
    }
}
