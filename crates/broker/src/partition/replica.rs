//! One partition's replica: the lock, and what is done once it is released.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use arc_swap::{ArcSwap, ArcSwapOption};
use ottla_config::TopicConfig;
use ottla_log::Log;
use ottla_protocol::ids::{BrokerId, Offset, TopicIdPartition, TopicName};
use ottla_replication::{Effect, Input, IsrProposal, Replica, Role, Token};
use ottla_rpc::replication as pb;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::ack::{AckOutcome, AckToken};
use super::feed::Feed;
use super::flusher;
use super::session::Session;
use super::shared::Shared;
use super::types::{PartitionError, PartitionStatus, ReplicaRole};

/// A long poll that waits on any number of partitions. Register it with each ([`Partition::on_readable`]),
/// then read, then await [`Reader::readable`]: no advance between is lost. Reuse one per connection.
#[derive(Debug, Default)]
pub struct Reader {
    notify: Notify,
}

impl Reader {
    /// A reader that is registered nowhere.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Completes when a partition it was registered with has more to read, or has changed its role,
    /// since the last completion. The partition that woke it has forgotten it: register again.
    pub async fn readable(&self) {
        self.notify.notified().await;
    }
}

/// Registered readers beyond which the dead among them are looked for.
const READERS_BEFORE_PRUNING: usize = 64;

/// Where a partition's flush is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FlushState {
    /// Nothing is to be flushed, or nothing waits for it.
    Idle,
    /// In the flusher's queue, or being flushed.
    Busy,
}

/// One replica of one partition.
pub struct Partition {
    id: TopicIdPartition,
    topic: TopicName,
    pub(super) shared: Arc<Shared>,
    pub(super) settings: ArcSwap<TopicConfig>,
    /// Of the log directory that it is in.
    flush_queue: ArcSwapOption<flusher::Queue>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.id.partition)
    }
}

/// What the lock guards.
pub(super) struct State {
    pub(super) replica: Replica,
    /// `None` once the replica has been removed from this broker.
    pub(super) log: Option<Log>,
    /// Followers that are sent to; empty unless it leads.
    pub(super) feeds: Vec<Feed>,
    pub(super) flush: FlushState,
    /// No flush begins: its log is about to be replaced.
    pub(super) flush_held: bool,
    /// A flush by `flush.ms` has been scheduled.
    pub(super) flush_scheduled: bool,
    /// How often in a row the leader has refused to send.
    pub(super) refusals: u32,
    /// Whose stream it is subscribed to.
    following: Option<BrokerId>,
    effects: Vec<Effect>,
    acks: HashMap<Token, AckToken>,
    next_token: Token,
    readers: HashMap<usize, Weak<Reader>>,
}

/// What is to be done once the lock is released.
#[derive(Default)]
pub(super) struct After {
    /// Followers' streams that have something to send.
    pub(super) ready: Vec<Arc<Session>>,
    /// Followers' streams that should hear of new offsets when there is time.
    pub(super) lazy: Vec<Arc<Session>>,
    flush: bool,
    acks: Vec<(AckToken, AckOutcome)>,
    readers: Vec<Weak<Reader>>,
    proposal: Option<IsrProposal>,
    wake_at_ms: Option<i64>,
    unfollow: Option<BrokerId>,
    ask: Option<(BrokerId, pb::Position)>,
    progress: Option<(BrokerId, pb::Progress)>,
    /// The log directory has failed, for this reason.
    pub(super) storage_failed: Option<String>,
}

impl State {
    /// The log, if the replica is still here.
    pub(super) fn log(&mut self) -> Result<&mut Log, PartitionError> {
        let leader_epoch = self.replica.leader_epoch();
        self.log.as_mut().ok_or(PartitionError::NotLeader { leader: -1, leader_epoch })
    }

    /// The answer to a request that only the leader serves.
    pub(super) fn not_leader(&self) -> PartitionError {
        if matches!(self.replica.role(), Role::Failed { .. }) {
            return PartitionError::Storage("its log directory is out of service".to_owned());
        }
        PartitionError::NotLeader {
            leader: self.replica.leader().unwrap_or(-1),
            leader_epoch: self.replica.leader_epoch(),
        }
    }

    /// A flush may begin.
    pub(super) fn may_flush(&self) -> bool {
        self.flush == FlushState::Idle && !self.flush_held && self.log.is_some()
    }

    /// Keeps who waits; the token goes into the replica.
    pub(super) fn wait(&mut self, ack: Option<AckToken>) -> Option<Token> {
        ack.map(|ack| {
            self.next_token += 1;
            self.acks.insert(self.next_token, ack);
            self.next_token
        })
    }

    pub(super) fn step(&mut self, now_ms: i64, input: Input) {
        self.replica.step(now_ms, input, &mut self.effects);
    }

    pub(super) fn replica_and_effects(&mut self) -> (&mut Replica, &mut Vec<Effect>) {
        (&mut self.replica, &mut self.effects)
    }
}

impl Partition {
    pub(super) fn new(
        id: TopicIdPartition,
        topic: TopicName,
        shared: Arc<Shared>,
        settings: TopicConfig,
        replica: Replica,
        log: Log,
    ) -> Arc<Self> {
        let state = State {
            replica,
            log: Some(log),
            feeds: Vec::new(),
            flush: FlushState::Idle,
            flush_held: false,
            flush_scheduled: false,
            refusals: 0,
            following: None,
            effects: Vec::new(),
            acks: HashMap::new(),
            next_token: 0,
            readers: HashMap::new(),
        };
        let queue = state.log.as_ref().and_then(|log| shared.flusher.queue(log.dir()));
        let (settings, flush_queue) = (ArcSwap::from_pointee(settings), ArcSwapOption::new(queue));
        Arc::new(Self { id, topic, shared, settings, flush_queue, state: Mutex::new(state) })
    }

    /// Its flush state is busy: a flusher thread is to take it.
    pub(super) fn enqueue_flush(self: &Arc<Self>) {
        if let Some(queue) = &*self.flush_queue.load() {
            queue.push(Arc::clone(self));
        }
    }

    /// Its log is this one from here on: it has come from a move to another log directory.
    pub(super) fn place_log(&self, state: &mut State, log: Log) {
        self.flush_queue.store(self.shared.flusher.queue(log.dir()));
        state.log = Some(log);
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> TopicIdPartition {
        self.id
    }

    /// Its topic's name.
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// A look at the state that changes nothing.
    pub(super) fn look<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        look(&mut self.state.lock())
    }

    /// Works on the state under the lock, releases it, and does what came of it.
    pub(super) fn run<R>(self: &Arc<Self>, work: impl FnOnce(&mut State, &mut After) -> R) -> R {
        let mut after = After::default();
        let result = {
            let mut state = self.state.lock();
            let result = work(&mut state, &mut after);
            self.collect(&mut state, &mut after);
            result
        };
        self.perform(after);
        result
    }

    /// Gives the replica an input.
    pub(super) fn step(self: &Arc<Self>, input: Input) {
        let now_ms = self.shared.clock.now_ms();
        self.run(|state, _| state.step(now_ms, input));
    }

    /// Sorts the replica's effects into what is done at once and what after the lock.
    fn collect(&self, state: &mut State, after: &mut After) {
        let mut effects = std::mem::take(&mut state.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Ack(token, outcome) => {
                    if let Some(ack) = state.acks.remove(&token) {
                        after.acks.push((ack, outcome.into()));
                    }
                }
                Effect::HighWatermark(offset) => {
                    if let Some(log) = &state.log {
                        log.set_high_watermark(offset);
                    }
                    after.readers.extend(state.readers.drain().map(|(_, reader)| reader));
                    for feed in state.feeds.iter_mut().filter(|feed| feed.may_tell_offsets()) {
                        after.lazy.push(feed.tell_offsets());
                    }
                }
                Effect::Progress { leader, leader_epoch, attempt, log_end, flushed } => {
                    let progress = pb::Progress {
                        key: Some(self.key()),
                        leader_epoch,
                        log_end_offset: log_end,
                        flushed_offset: flushed,
                        attempt,
                        log_start_offset: state.replica.offsets().log_start,
                    };
                    after.progress = Some((leader, progress));
                }
                Effect::Ask { leader, leader_epoch, attempt } => {
                    let Some(log) = &state.log else { continue };
                    let offsets = state.replica.offsets();
                    let last_epoch = ottla_replication::leader_epoch::last_record_epoch(
                        log.epochs().entries(),
                        offsets.log_end,
                    );
                    let position = pb::Position {
                        key: Some(self.key()),
                        current_leader_epoch: leader_epoch,
                        fetch_offset: offsets.log_end,
                        last_fetched_epoch: last_epoch.unwrap_or(-1),
                        flushed_offset: offsets.flushed,
                        log_start_offset: offsets.log_start,
                        attempt,
                    };
                    state.following = Some(leader);
                    after.ask = Some((leader, position));
                }
                Effect::Lead { leader_epoch } => {
                    if let Some(log) = &mut state.log {
                        log.assign_epoch(leader_epoch);
                    }
                    let offsets = state.replica.offsets();
                    tracing::info!(partition = ?self, leader_epoch, ?offsets, "leads");
                    self.change_role(state, after, None);
                }
                Effect::Step { leader } => {
                    let leader_epoch = state.replica.leader_epoch();
                    tracing::info!(partition = ?self, ?leader, leader_epoch, "follows");
                    self.change_role(state, after, leader);
                }
                Effect::LogStart(offset) => {
                    if let Some(log) = &mut state.log
                        && let Err(error) = log.increment_log_start(offset)
                    {
                        tracing::warn!(partition = ?self, %error, "cannot raise the log start");
                    }
                }
                Effect::ProposeIsr(proposal) => after.proposal = Some(proposal),
                Effect::WakeAt(at_ms) => after.wake_at_ms = Some(at_ms),
            }
        }
        state.effects = effects;
        if state.may_flush() && state.replica.wants_flush() {
            state.flush = FlushState::Busy;
            after.flush = true;
        }
    }

    fn change_role(&self, state: &mut State, after: &mut After, leader: Option<BrokerId>) {
        state.feeds.clear();
        state.refusals = 0;
        after.readers.extend(state.readers.drain().map(|(_, reader)| reader));
        if state.following != leader {
            after.unfollow = state.following.take();
        }
    }

    /// What came of a step, in the order of what is waited for: the followers' streams, the disk, then the
    /// clients.
    fn perform(self: &Arc<Self>, after: After) {
        let After { ready, lazy, flush, acks, readers, .. } = after;
        for session in ready {
            session.push_ready(Arc::clone(self));
        }
        if flush {
            self.enqueue_flush();
        }
        if let Some((leader, progress)) = after.progress {
            self.shared.links.progress(leader, progress);
        }
        for (ack, outcome) in acks {
            ack.complete(outcome);
        }
        for reader in readers {
            if let Some(reader) = reader.upgrade() {
                reader.notify.notify_one();
            }
        }
        for session in lazy {
            self.shared.herald.announce(session, self);
        }
        if let Some(leader) = after.unfollow {
            self.shared.links.unfollow(leader, self.id);
        }
        if let Some((leader, position)) = after.ask {
            self.shared.links.ask(&self.shared, leader, self, position);
        }
        if let Some(proposal) = after.proposal {
            self.shared.proposals.send(self, proposal);
        }
        if let Some(at_ms) = after.wake_at_ms {
            self.shared.timers.tick_at(at_ms, self);
        }
        if let Some(reason) = after.storage_failed {
            self.shared.storage_failed(&reason);
        }
    }

    /// Wakes `reader` once, when the high watermark (or the role) next changes.
    pub fn on_readable(&self, reader: &Arc<Reader>) {
        let mut state = self.state.lock();
        let readers = &mut state.readers;
        if readers.len() >= READERS_BEFORE_PRUNING && readers.len() == readers.capacity() {
            readers.retain(|_, reader| reader.strong_count() > 0);
        }
        readers.insert(Arc::as_ptr(reader) as usize, Arc::downgrade(reader));
    }

    /// The least log start over the live replicas; -1 while one of them has not said.
    #[must_use]
    pub fn low_watermark(&self) -> Offset {
        self.look(|state| state.replica.low_watermark())
    }

    /// A look at it.
    #[must_use]
    pub fn status(&self) -> PartitionStatus {
        self.look(|state| {
            let (role, partition_epoch, isr) = match state.replica.role() {
                Role::Leader(leader) => (
                    ReplicaRole::Leader,
                    leader.isr().partition_epoch(),
                    leader.isr().committed().to_vec(),
                ),
                Role::Follower(follower) => {
                    (ReplicaRole::Follower, follower.partition_epoch(), Vec::new())
                }
                Role::Idle { .. } | Role::Failed { .. } => (ReplicaRole::Offline, -1, Vec::new()),
            };
            let offsets = state.replica.offsets();
            PartitionStatus {
                topic: self.topic.clone(),
                id: self.id,
                role,
                leader: state.replica.leader().unwrap_or(-1),
                leader_epoch: state.replica.leader_epoch(),
                partition_epoch,
                isr,
                log_start_offset: offsets.log_start,
                high_watermark: offsets.high_watermark,
                log_end_offset: offsets.log_end,
                flushed_offset: offsets.flushed,
                size_bytes: state.log.as_ref().map_or(0, Log::size),
            }
        })
    }

    pub(super) fn key(&self) -> pb::PartitionKey {
        let topic_id = bytes::Bytes::copy_from_slice(self.id.topic_id.as_bytes());
        pb::PartitionKey { topic_id, partition: self.id.partition }
    }
}
