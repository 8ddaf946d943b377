//! All partitions of this broker: opening, looking up, shutting down.

use std::collections::{HashMap, HashSet};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use arc_swap::ArcSwap;
use ottla_config::NodeConfig;
use ottla_log::{DeletedDir, Log, LogDir};
use ottla_metadata::Image;
use ottla_metadata::plan::brokers::NEW_DATA_DIRECTORY;
use ottla_metadata::proposal::{AlterPartition, Outcome};
use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, TopicIdPartition, TopicPartition};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::cleaner::Cleaner;
use super::clock::Clock;
use super::flusher::{self, Flusher};
use super::herald::Herald;
use super::link::Links;
use super::log_dir_choice::Choices;
use super::log_dirs::{FoundCopy, LogDirs};
use super::moves::Moves;
use super::offline;
use super::proposals::{self, Proposals};
use super::replica::Partition;
use super::service::ReplicationService;
use super::shared::Shared;
use super::throttle::Throttles;
use super::timers::Timers;
use super::upkeep::Upkeep;

/// How proposals reach the active controller; the broker's controller link implements it.
pub trait IsrProposer: Send + Sync + 'static {
    /// Asks for other in-sync sets; one outcome per item, in order. The new state comes by the feed.
    fn propose_isr(
        &self,
        partitions: Vec<AlterPartition>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Outcome>, ProposeError>> + Send + '_>>;

    /// Says which replicas of this broker are in log directories out of service: all of them.
    fn report_offline(
        &self,
        replicas: Vec<TopicIdPartition>,
    ) -> Pin<Box<dyn Future<Output = Result<(), ProposeError>> + Send + '_>>;
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
    pub(super) shared: Arc<Shared>,
    pub(super) disks: Arc<Disks>,
}

/// The log directories and what is to be done with them.
pub(super) struct Disks {
    pub(super) dirs: Vec<Arc<LogDir>>,
    /// Loaded, and not yet claimed by the metadata.
    pub(super) unclaimed: Mutex<HashMap<TopicIdPartition, Log>>,
    /// Unfinished copies, until the metadata says whether they are wanted.
    pub(super) futures: Mutex<Vec<FoundCopy>>,
    /// Partitions are served: an image that counts has been applied. Held while one is applied.
    pub(super) begun: Mutex<bool>,
    /// Partition directories that could not be loaded: they are left alone.
    pub(super) unreadable: HashSet<TopicPartition>,
    pub(super) choices: Choices,
    pub(super) upkeep: Upkeep,
    pub(super) cleaner: Cleaner,
    pub(super) moves: Moves,
    /// A log directory was of no cluster yet.
    is_new: bool,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl Partitions {
    /// Locks the log directories and loads every log in them. Blocking: seconds after an unclean stop.
    ///
    /// # Errors
    /// A directory that is in use, unwritable, or another cluster's or node's.
    pub fn open(options: PartitionsOptions) -> Result<Self, StartError> {
        let PartitionsOptions { config, incarnation_id, proposer, runtime } = options;
        let LogDirs { dirs, logs, futures, unreadable, deleted, is_new } = LogDirs::load(&config)?;
        let clock = Clock::new();
        let (proposals, queue) = Proposals::new();
        let shared = Arc::new(Shared {
            me: config.node_id,
            incarnation_id,
            runtime,
            clock,
            image: ArcSwap::from_pointee(Image::default()),
            flusher: Flusher::new(&dirs),
            timers: Timers::new(clock),
            herald: Herald::default(),
            links: Links::default(),
            throttles: Throttles::default(),
            proposals,
            stopping: watch::Sender::new(false),
            dirs: dirs.iter().map(Arc::downgrade).collect(),
            offline: Notify::new(),
            failure: watch::Sender::new(None),
            stored_cluster_id: dirs.iter().find_map(|dir| dir.meta().cluster_id),
            broker_epoch: AtomicI64::new(-1),
            lost: Mutex::default(),
            partitions: RwLock::default(),
            config,
        });
        let partitions = Self {
            shared,
            disks: Arc::new(Disks {
                dirs,
                unclaimed: Mutex::new(logs),
                futures: Mutex::new(futures),
                begun: Mutex::new(false),
                is_new,
                unreadable,
                choices: Choices::default(),
                upkeep: Upkeep::default(),
                cleaner: Cleaner::default(),
                moves: Moves::default(),
                threads: Mutex::default(),
            }),
        };
        let started = partitions.start(queue, proposer, deleted);
        started.map_err(|error| StartError(error.to_string()))?;
        Ok(partitions)
    }

    fn start(
        &self,
        queue: tokio::sync::mpsc::UnboundedReceiver<proposals::Queued>,
        proposer: Arc<dyn IsrProposer>,
        deleted: Vec<DeletedDir>,
    ) -> std::io::Result<()> {
        let shared = &self.shared;
        let stopping = || shared.stopping.subscribe();
        shared.runtime.spawn(proposals::run(queue, Arc::clone(&proposer), stopping()));
        shared.runtime.spawn(offline::report(Arc::clone(shared), proposer, stopping()));
        let herald = Arc::clone(shared);
        shared.runtime.spawn(async move { herald.herald.run(herald.stopping.subscribe()).await });
        shared.flusher.start()?;
        let timers = Arc::clone(shared);
        let upkeep = self.clone();
        self.disks.upkeep.remove_later(deleted, 0);
        let mut threads = self.disks.threads.lock();
        threads.push(
            thread::Builder::new().name("timers".to_owned()).spawn(move || timers.timers.run())?,
        );
        threads.push(
            thread::Builder::new()
                .name("upkeep".to_owned())
                .spawn(move || upkeep.disks.upkeep.run(&upkeep))?,
        );
        let mover = self.clone();
        threads.push(
            thread::Builder::new()
                .name("moves".to_owned())
                .spawn(move || mover.disks.moves.run(&mover))?,
        );
        let enabled = shared.config.static_values.get("log.cleaner.enable");
        if enabled.is_none_or(|enabled| enabled == "true") {
            let cleaner = self.clone();
            threads.push(
                thread::Builder::new()
                    .name("cleaner-0".to_owned())
                    .spawn(move || cleaner.disks.cleaner.run(&cleaner, 0))?,
            );
        }
        Ok(())
    }

    /// The broker epoch under which this broker last stopped cleanly, for the registration; -1 if any log
    /// directory was not stopped cleanly, [`NEW_DATA_DIRECTORY`] if one is new: it may be a replaced disk.
    #[must_use]
    pub fn previous_broker_epoch(&self) -> BrokerEpoch {
        if self.disks.is_new {
            return NEW_DATA_DIRECTORY;
        }
        let mut epochs = self.disks.dirs.iter().map(|dir| dir.clean_shutdown_epoch().unwrap_or(-1));
        let first = epochs.next().unwrap_or(-1);
        if epochs.all(|epoch| epoch == first) { first } else { -1 }
    }

    /// The cluster id in the log directories' `meta.properties`, or in the metadata applied so far.
    #[must_use]
    pub fn cluster_id(&self) -> Option<String> {
        self.shared.cluster_id()
    }

    /// This broker has registered: from here on its streams and proposals carry this epoch.
    pub fn set_broker_epoch(&self, epoch: BrokerEpoch) {
        self.shared.broker_epoch.store(epoch, Ordering::Release);
        let partitions = self.clone();
        self.shared.runtime.spawn_blocking(move || partitions.begin_if_current());
    }

    /// Completes, with the reason, when the broker cannot go on: no log directory is in service any more, or
    /// the one with the metadata is not. It should then stop at once and not cleanly, so that other replicas
    /// take over.
    pub async fn storage_failure(&self) -> String {
        let mut failure = self.shared.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            // Its sender lives as long as `self`.
            Err(_) => std::future::pending().await,
        }
    }

    /// Until when this broker is suspected: a replica stream with it has just ended and none has come up
    /// since, so that its process may be gone, and the metadata about to say so.
    #[must_use]
    pub fn suspected_until(&self, broker: BrokerId) -> Option<Instant> {
        self.shared.suspected_until(broker)
    }

    /// The replica of a partition, if this broker has one.
    #[must_use]
    pub fn get(&self, id: TopicIdPartition) -> Option<Arc<Partition>> {
        self.shared.get(id)
    }

    /// Every replica, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Partition>> {
        self.shared.all()
    }

    /// What to mount on the inter-broker listener (see `ottla_rpc::replication_server`).
    #[must_use]
    pub fn replication_service(&self) -> ReplicationService {
        ReplicationService::new(Arc::clone(&self.shared))
    }

    /// Ends the replica streams, both ways, so that connections can end. The first step of a stop; appends
    /// with acks=all complete no more.
    pub fn end_streams(&self) {
        self.shared.stopping.send_replace(true);
    }

    /// Stops in order: streams, flushers and upkeep; then flushes, writes the checkpoints, and marks the
    /// directories as cleanly stopped under the current broker epoch. Blocking.
    pub fn shutdown(&self) {
        self.stop();
        let partitions: Vec<_> =
            std::mem::take(&mut *self.shared.partitions.write()).into_values().collect();
        let mut clean = self.disks.unreadable.is_empty();
        for partition in &partitions {
            if let Err(error) = flusher::close(partition) {
                tracing::error!(?partition, %error, "not closed cleanly");
                clean = false;
            }
        }
        for (_, log) in self.disks.unclaimed.lock().drain() {
            clean &= log.close().is_ok();
        }
        let epoch = self.shared.broker_epoch();
        for dir in self.disks.dirs.iter().filter(|_| clean && epoch >= 0) {
            match dir.close_clean(epoch) {
                Ok(true) => {}
                Ok(false) => tracing::error!("a log was not closed: no clean-shutdown marker"),
                Err(error) => tracing::error!(%error, "no clean-shutdown marker"),
            }
        }
    }

    /// Lets go of every replica and its log, and so of the directories' locks.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        let partitions = std::mem::take(&mut *self.shared.partitions.write());
        for partition in partitions.values() {
            partition.look(|state| state.log = None);
        }
        self.disks.unclaimed.lock().clear();
    }

    /// Stops as a crash would: nothing is flushed, no marker is written. After a storage failure.
    pub fn stop(&self) {
        self.end_streams();
        self.shared.timers.stop();
        self.disks.upkeep.stop();
        self.disks.cleaner.stop();
        self.disks.moves.stop();
        self.shared.flusher.stop();
        for thread in self.disks.threads.lock().drain(..) {
            // A panic has been reported where it happened.
            let _ = thread.join();
        }
    }
}
