//! From metadata to replicas: what this broker has is made to be what the image says.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ottla_config::{Layers, TopicConfig};
use ottla_log::{Compaction, Log, LogConfig};
use ottla_metadata::{ConfigResource, Delta, Image, Partition as PartitionMetadata};
use ottla_protocol::ids::{TopicIdPartition, TopicName};
use ottla_replication::{Input, Member, PartitionState, Rules};

use super::registry::Partitions;
use super::replica::Partition;

/// A partition that the image gives to this broker.
pub(super) struct Wanted {
    pub(super) id: TopicIdPartition,
    pub(super) topic: TopicName,
    pub(super) metadata: Arc<PartitionMetadata>,
}

impl Partitions {
    /// Follows the metadata: creates, deletes, leads and follows what `image` says, of which `delta` is
    /// what is new. Call it once per batch, in order. Blocking (file creation); not for a task that must
    /// answer heartbeats.
    ///
    /// Nothing is done before the image holds the registration that [`Partitions::set_broker_epoch`] was
    /// told of. An older image may name this broker a leader that it is not any more, and may lack topics
    /// whose logs are here.
    pub fn apply(&self, image: &Arc<Image>, delta: &Delta) {
        let mut begun = self.disks.begun.lock();
        self.shared.image.store(Arc::clone(image));
        self.shared.throttles.follow(self.shared.me, image, !delta.configs.is_empty());
        if *begun {
            self.delete(delta);
            self.bring_up(image, &self.changed(delta));
            self.tell_brokers(image, delta);
            self.tell_configs(image, delta);
        } else if self.is_current(image) {
            *begun = self.begin(image);
        }
    }

    /// The registration may have been in the image already when its epoch became known.
    pub(super) fn begin_if_current(&self) {
        let mut begun = self.disks.begun.lock();
        let image = self.shared.image.load_full();
        if !*begun && self.is_current(&image) {
            *begun = self.begin(&image);
        }
    }

    fn is_current(&self, image: &Image) -> bool {
        let epoch = self.shared.broker_epoch();
        epoch >= 0 && image.broker(self.shared.me).is_some_and(|broker| broker.epoch == epoch)
    }

    /// The first image that counts: everything in it is new. False if it is another cluster's.
    fn begin(&self, image: &Image) -> bool {
        if let Some(cluster_id) = image.cluster_id() {
            for dir in &self.disks.dirs {
                if let Err(error) = dir.set_cluster_id(cluster_id) {
                    tracing::error!(%error, "no partition is served");
                    return false;
                }
            }
        }
        self.bring_up(image, &self.all_wanted(image));
        self.set_strays_aside();
        self.resume_moves();
        self.shared.offline.notify_one();
        true
    }

    /// Creates what is missing, and gives every replica its part.
    fn bring_up(&self, image: &Image, wanted: &[Wanted]) {
        self.create(image, wanted);
        for Wanted { id, metadata, .. } in wanted {
            if let Some(partition) = self.get(*id) {
                self.tell_state(&partition, image, metadata);
            }
        }
    }

    /// Gives a replica its part. A reassignment may change the replication factor, and with it how many
    /// replicas must be in sync: a stricter rule holds before the new state does, a laxer one after it, so
    /// that neither lets the high watermark run ahead of those whom the controller counts as eligible.
    fn tell_state(&self, partition: &Arc<Partition>, image: &Image, metadata: &PartitionMetadata) {
        let state = state_of(image, partition.id(), metadata);
        let rules = self.rules(&partition.settings.load(), metadata.replication_factor());
        let now_ms = self.shared.clock.now_ms();
        partition.run(|replica, _| {
            let old = *replica.replica.rules();
            if rules.min_insync_replicas > old.min_insync_replicas {
                replica.step(now_ms, Input::Rules(rules));
            }
            replica.step(now_ms, Input::Metadata(state));
            if *replica.replica.rules() != rules {
                replica.step(now_ms, Input::Rules(rules));
            }
        });
    }

    fn is_mine(&self, metadata: &PartitionMetadata) -> bool {
        metadata.replicas.contains(&self.shared.me)
    }

    fn all_wanted(&self, image: &Image) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for topic in image.topics() {
            for (partition, metadata) in &topic.partitions {
                if self.is_mine(metadata) {
                    wanted.push(Wanted {
                        id: TopicIdPartition::new(topic.id, *partition),
                        topic: Arc::clone(&topic.name),
                        metadata: Arc::clone(metadata),
                    });
                }
            }
        }
        wanted
    }

    fn changed(&self, delta: &Delta) -> Vec<Wanted> {
        delta
            .partitions
            .iter()
            .filter(|(_, change)| self.is_mine(&change.new))
            .map(|(id, change)| Wanted {
                id: *id,
                topic: Arc::clone(&change.topic),
                metadata: Arc::clone(&change.new),
            })
            .collect()
    }

    /// Deleted topics, and partitions that have moved away: gone for clients at once, from disk later.
    fn delete(&self, delta: &Delta) {
        let me = self.shared.me;
        let topics = delta.deleted_topics.iter().flat_map(|(id, topic)| {
            topic.partitions.keys().map(|partition| TopicIdPartition::new(*id, *partition))
        });
        let moved = delta
            .partitions
            .iter()
            .filter(|(_, change)| !change.new.replicas.contains(&me))
            .map(|(id, _)| *id);
        let mut logs: HashMap<std::path::PathBuf, Vec<Log>> = HashMap::new();
        let mut delay_ms = 0;
        for id in topics.chain(moved) {
            let Some(partition) = self.shared.partitions.write().remove(&id) else { continue };
            delay_ms = delay_ms.max(partition.settings.load().file_delete_delay_ms);
            if let Some(log) = retire(&partition) {
                logs.entry(log.dir().path().to_owned()).or_default().push(log);
            }
        }
        for dir in &self.disks.dirs {
            let Some(logs) = logs.remove(dir.path()) else { continue };
            tracing::info!(partitions = logs.len(), dir = %dir.path().display(), "deleting");
            match dir.delete_many(logs) {
                Ok(deleted) => {
                    let at_ms = self.shared.clock.now_ms().saturating_add(delay_ms);
                    self.disks.upkeep.remove_later(deleted, at_ms);
                }
                Err(error) => {
                    tracing::error!(%error, "cannot delete partitions");
                    self.shared.note_failure(&error);
                }
            }
        }
    }

    /// What was loaded and no topic of the cluster owns is kept, aside.
    fn set_strays_aside(&self) {
        let mut strays: HashMap<std::path::PathBuf, Vec<Log>> = HashMap::new();
        for (_, log) in self.disks.unclaimed.lock().drain() {
            tracing::warn!(partition = %log.topic_partition(), topic_id = %log.topic_id(),
                "no topic of the cluster owns this log: it is set aside");
            strays.entry(log.dir().path().to_owned()).or_default().push(log);
        }
        for dir in &self.disks.dirs {
            if let Some(logs) = strays.remove(dir.path())
                && let Err(error) = dir.set_aside_many(logs)
            {
                tracing::error!(%error, "cannot set strays aside");
                self.shared.note_failure(&error);
            }
        }
    }

    /// Brokers that came, went or changed: whom leaders may count, and where leaders are.
    fn tell_brokers(&self, image: &Image, delta: &Delta) {
        if delta.brokers.is_empty() {
            return;
        }
        self.shared.offline.notify_one();
        for broker in delta.brokers.keys() {
            self.shared.links.redial(*broker);
        }
        for partition in self.all() {
            let Some(metadata) = image.partition(partition.id()) else { continue };
            let leads = metadata.leader == Some(self.shared.me);
            if leads && metadata.replicas.iter().any(|it| delta.brokers.contains_key(it)) {
                partition.step(Input::Members(members(image, partition.id(), metadata)));
            }
        }
    }

    /// Settings that changed.
    fn tell_configs(&self, image: &Image, delta: &Delta) {
        let all = delta.configs.contains(&ConfigResource::ClusterDefault)
            || delta.configs.contains(&ConfigResource::Broker(self.shared.me));
        let topics: BTreeSet<&TopicName> = delta
            .configs
            .iter()
            .filter_map(|it| match it {
                ConfigResource::Topic(name) => Some(name),
                _ => None,
            })
            .collect();
        if !all && topics.is_empty() {
            return;
        }
        for partition in self.all() {
            if !all && !topics.contains(partition.topic()) {
                continue;
            }
            let Some(metadata) = image.partition(partition.id()) else { continue };
            let settings = self.topic_config(image, partition.topic());
            let rules = self.rules(&settings, metadata.replication_factor());
            let config = log_config(&settings);
            partition.settings.store(Arc::new(settings));
            let now_ms = self.shared.clock.now_ms();
            partition.run(|state, _| {
                if let Some(log) = &mut state.log {
                    log.set_config(config);
                }
                state.step(now_ms, Input::Rules(rules));
            });
        }
    }

    pub(super) fn topic_config(&self, image: &Image, topic: &TopicName) -> TopicConfig {
        TopicConfig::of(&Layers {
            own: Some(image.topic_config(topic)),
            broker: Some(image.config(&ConfigResource::Broker(self.shared.me))),
            cluster: Some(image.config(&ConfigResource::ClusterDefault)),
            file: Some(&self.shared.config.static_values),
        })
    }

    pub(super) fn rules(&self, settings: &TopicConfig, replication_factor: usize) -> Rules {
        let config = &self.shared.config;
        Rules {
            flush_messages: settings.flush_messages.max(1),
            min_insync_replicas: usize::try_from(settings.min_isr(replication_factor))
                .unwrap_or(1)
                .min(replication_factor),
            replica_lag_time_max_ms: config.replica_lag_time_max_ms,
            producer_id_expiration_ms: self.shared.producer_id_expiration_ms(),
        }
    }
}

/// Takes the log out of a replica that is no more; who waits for it hears that it does not lead.
fn retire(partition: &Arc<Partition>) -> Option<Log> {
    let now_ms = partition.shared.clock.now_ms();
    partition.run(|state, _| {
        let gone = PartitionState {
            leader: None,
            leader_epoch: state.replica.leader_epoch().saturating_add(1),
            partition_epoch: i32::MAX,
            isr: Vec::new(),
            replicas: Vec::new(),
        };
        state.step(now_ms, Input::Metadata(gone));
        state.log.take()
    })
}

/// The replicas' brokers, from one image.
fn members(image: &Image, id: TopicIdPartition, metadata: &PartitionMetadata) -> Vec<Member> {
    let member = |broker_id: &i32| {
        let broker = image.broker(*broker_id);
        Member {
            broker_id: *broker_id,
            broker_epoch: broker.map_or(-1, |broker| broker.epoch),
            eligible: broker.is_some_and(|broker| broker.may_serve(id)),
        }
    };
    metadata.replicas.iter().map(member).collect()
}

fn state_of(image: &Image, id: TopicIdPartition, metadata: &PartitionMetadata) -> PartitionState {
    PartitionState {
        leader: metadata.leader,
        leader_epoch: metadata.leader_epoch,
        partition_epoch: metadata.partition_epoch,
        isr: metadata.isr.clone(),
        replicas: members(image, id, metadata),
    }
}

pub(super) fn log_config(settings: &TopicConfig) -> LogConfig {
    let positive = |value: i32| u32::try_from(value).unwrap_or(u32::MAX);
    let deletes = settings.cleanup_policy.delete;
    let compaction = settings.cleanup_policy.compact.then_some(Compaction {
        min_cleanable_dirty_ratio: settings.min_cleanable_dirty_ratio,
        min_compaction_lag_ms: settings.min_compaction_lag_ms,
        max_compaction_lag_ms: settings.max_compaction_lag_ms,
        delete_retention_ms: settings.delete_retention_ms,
    });
    LogConfig {
        segment_bytes: positive(settings.segment_bytes),
        // What is in the active segment is not compacted.
        segment_ms: compaction.map_or(settings.segment_ms, |compaction| {
            settings.segment_ms.min(compaction.max_compaction_lag_ms)
        }),
        segment_index_bytes: positive(settings.segment_index_bytes),
        index_interval_bytes: positive(settings.index_interval_bytes),
        retention_ms: if deletes { settings.retention_ms } else { -1 },
        retention_bytes: if deletes { settings.retention_bytes } else { -1 },
        compaction,
    }
}
