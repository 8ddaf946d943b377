//! Incremental fetch sessions (KIP-227): a consumer of many partitions names only what changed, and is
//! told only what changed.
//!
//! A session belongs to the connection it was made on, at most one to each, and dies with it: a client
//! that comes back by another connection is told that its session is not known, and begins anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_protocol::ids::{KafkaUuid, LeaderEpoch, Offset, PartitionIndex};
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::{ErrorCode, StrBytes};
use parking_lot::Mutex;

/// In place of a session id: no session.
pub(super) const NO_SESSION: i32 = 0;
/// The epoch of a request for everything that begins a session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request for everything that ends the session, or wants none.
const FINAL_EPOCH: i32 = -1;
/// A session of more partitions than this is not remembered: its client names them each time.
const MAX_PARTITIONS: usize = 100_000;
/// Forces the next answer to name the partition.
const NEVER_TOLD: Offset = -1;

/// A topic as a fetch names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TopicKey {
    Name(StrBytes),
    Id(KafkaUuid),
}

/// One partition that a client wants to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) topic: TopicKey,
    pub(super) partition: PartitionIndex,
    pub(super) offset: Offset,
    pub(super) max_bytes: usize,
    pub(super) current_leader_epoch: Option<LeaderEpoch>,
    pub(super) last_fetched_epoch: Option<LeaderEpoch>,
}

/// How many sessions a broker remembers (`max.incremental.fetch.session.cache.slots`).
#[derive(Debug)]
pub(crate) struct Slots {
    free: AtomicUsize,
    next_id: AtomicUsize,
}

impl Slots {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            free: AtomicUsize::new(slots),
            next_id: AtomicUsize::new(rand::random::<u16>().into()),
        }
    }

    fn take(self: &Arc<Self>) -> Option<Slot> {
        let taken = self
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(1));
        taken.is_ok().then(|| {
            let number = self.next_id.fetch_add(1, Ordering::Relaxed);
            // 1 to i32::MAX, over and over.
            let id = (number % (i32::MAX as usize)) as i32 + 1;
            Slot { slots: Arc::clone(self), id }
        })
    }
}

/// One of the [`Slots`]; gives itself back.
#[derive(Debug)]
struct Slot {
    slots: Arc<Slots>,
    id: i32,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.free.fetch_add(1, Ordering::Relaxed);
    }
}

/// The session of a connection, if it has one.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionSession(Arc<Mutex<Option<Session>>>);

#[derive(Debug)]
struct Session {
    slot: Slot,
    by_id: bool,
    /// The epoch that the next request must have.
    epoch: i32,
    partitions: Vec<Remembered>,
    index: HashMap<(TopicKey, PartitionIndex), usize>,
    /// Where the next reading begins, so that no partition starves (KIP-74).
    first: usize,
}

#[derive(Debug)]
struct Remembered {
    wanted: Wanted,
    /// What the client was last told.
    high_watermark: Offset,
    last_stable_offset: Offset,
    log_start_offset: Offset,
}

/// What a request comes down to.
#[derive(Debug)]
pub(super) struct Begun {
    /// In the order of reading.
    pub(super) wanted: Vec<Wanted>,
    /// What the answer says; [`NO_SESSION`] without one.
    pub(super) session_id: i32,
    /// Only what is new is told.
    pub(super) incremental: bool,
}

impl ConnectionSession {
    /// Takes a request in. The error is the whole answer.
    pub(super) fn begin(
        &self,
        slots: &Arc<Slots>,
        request: FetchRequest,
        by_id: bool,
    ) -> Result<Begun, ErrorCode> {
        let mut session = self.0.lock();
        let (session_id, epoch) = (request.session_id, request.session_epoch);
        if epoch == FINAL_EPOCH || epoch == INITIAL_EPOCH {
            // A full request ends whatever session there was.
            *session = None;
            let wanted = wanted(request, by_id);
            let remembered =
                epoch == INITIAL_EPOCH && !wanted.is_empty() && wanted.len() <= MAX_PARTITIONS;
            if remembered && let Some(slot) = slots.take() {
                let new = Session::new(slot, by_id, &wanted);
                let session_id = new.slot.id;
                *session = Some(new);
                return Ok(Begun { wanted, session_id, incremental: false });
            }
            return Ok(Begun { wanted, session_id: NO_SESSION, incremental: false });
        }
        let Some(known) = session.as_mut().filter(|known| known.slot.id == session_id) else {
            return Err(ErrorCode::FetchSessionIdNotFound);
        };
        if known.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if known.by_id != by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        known.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        known.forget(&request, by_id);
        known.update(wanted(request, by_id))?;
        Ok(Begun { wanted: known.in_reading_order(), session_id, incremental: true })
    }

    /// Should this partition be named in an incremental answer? Remembers what the client is told.
    pub(super) fn is_news(&self, wanted: &Wanted, data: &PartitionData) -> bool {
        let mut session = self.0.lock();
        let Some(session) = session.as_mut() else { return true };
        let key = (wanted.topic.clone(), wanted.partition);
        let Some(at) = session.index.get(&key) else { return true };
        session.partitions[*at].tell(data)
    }
}

impl Session {
    fn new(slot: Slot, by_id: bool, wanted: &[Wanted]) -> Self {
        let partitions: Vec<_> = wanted.iter().map(Remembered::new).collect();
        let mut session =
            Self { slot, by_id, epoch: 1, partitions, index: HashMap::new(), first: 0 };
        session.reindex();
        session
    }

    fn reindex(&mut self) {
        let keys = self.partitions.iter().enumerate();
        self.index = keys
            .map(|(at, known)| ((known.wanted.topic.clone(), known.wanted.partition), at))
            .collect();
    }

    fn forget(&mut self, request: &FetchRequest, by_id: bool) {
        let mut forgotten = std::collections::HashSet::new();
        for topic in &request.forgotten_topics_data {
            let key = topic_key(&topic.topic, topic.topic_id, by_id);
            forgotten.extend(topic.partitions.iter().map(|partition| (key.clone(), *partition)));
        }
        if !forgotten.is_empty() {
            self.partitions.retain(|known| {
                !forgotten.contains(&(known.wanted.topic.clone(), known.wanted.partition))
            });
            self.reindex();
        }
    }

    fn update(&mut self, wanted: Vec<Wanted>) -> Result<(), ErrorCode> {
        for wanted in wanted {
            match self.index.get(&(wanted.topic.clone(), wanted.partition)) {
                Some(at) => self.partitions[*at].wanted = wanted,
                None if self.partitions.len() >= MAX_PARTITIONS => {
                    // The client begins a new session, which is then not remembered.
                    return Err(ErrorCode::FetchSessionIdNotFound);
                }
                None => {
                    let wanted = wanted.copied();
                    let key = (wanted.topic.clone(), wanted.partition);
                    self.index.insert(key, self.partitions.len());
                    self.partitions.push(Remembered::new(&wanted));
                }
            }
        }
        Ok(())
    }

    fn in_reading_order(&mut self) -> Vec<Wanted> {
        self.first = if self.first + 1 < self.partitions.len() { self.first + 1 } else { 0 };
        let (behind, ahead) = self.partitions.split_at(self.first.min(self.partitions.len()));
        ahead.iter().chain(behind).map(|known| known.wanted.clone()).collect()
    }
}

impl Remembered {
    fn new(wanted: &Wanted) -> Self {
        Self {
            wanted: wanted.copied(),
            high_watermark: NEVER_TOLD,
            last_stable_offset: NEVER_TOLD,
            log_start_offset: NEVER_TOLD,
        }
    }

    fn tell(&mut self, data: &PartitionData) -> bool {
        if data.error_code != ErrorCode::None.code() {
            self.high_watermark = NEVER_TOLD;
            return true;
        }
        let news = data.records.as_ref().is_some_and(|records| !records.is_empty())
            || data.diverging_epoch.epoch >= 0
            || data.high_watermark != self.high_watermark
            || data.last_stable_offset != self.last_stable_offset
            || data.log_start_offset != self.log_start_offset;
        self.high_watermark = data.high_watermark;
        self.last_stable_offset = data.last_stable_offset;
        self.log_start_offset = data.log_start_offset;
        news
    }
}

impl Wanted {
    /// With a name of its own: one that was sliced from a frame would keep the frame alive.
    fn copied(&self) -> Self {
        let topic = match &self.topic {
            TopicKey::Name(name) => TopicKey::Name(StrBytes::from_string(name.as_str().to_owned())),
            TopicKey::Id(id) => TopicKey::Id(*id),
        };
        Self { topic, ..self.clone() }
    }
}

fn topic_key(name: &StrBytes, id: uuid::Uuid, by_id: bool) -> TopicKey {
    if by_id { TopicKey::Id(KafkaUuid(id)) } else { TopicKey::Name(name.clone()) }
}

fn wanted(request: FetchRequest, by_id: bool) -> Vec<Wanted> {
    let epoch = |epoch: i32| (epoch >= 0).then_some(epoch);
    let topics = request.topics.into_iter();
    topics
        .flat_map(|topic| {
            let key = topic_key(&topic.topic, topic.topic_id, by_id);
            topic.partitions.into_iter().map(move |partition| Wanted {
                topic: key.clone(),
                partition: partition.partition,
                offset: partition.fetch_offset,
                max_bytes: usize::try_from(partition.partition_max_bytes).unwrap_or(0),
                current_leader_epoch: epoch(partition.current_leader_epoch),
                last_fetched_epoch: epoch(partition.last_fetched_epoch),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
