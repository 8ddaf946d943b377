//! What a leader sends to one follower of one partition: appended bytes at once while the follower keeps
//! up, the log's bytes when it does not.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ottla_log::{LogError, ReadPlan};
use ottla_protocol::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};
use ottla_protocol::record;
use ottla_replication::{Input, Offsets, Position, Refused, Subscription};
use ottla_rpc::replication as pb;
use ottla_rpc::replication::partition_data::Outcome;
use tokio::time::Instant;

use super::codes;
use super::replica::{After, Partition, State};
use super::session::Session;
use super::throttle::Limit;

/// Appended bytes kept in memory for one follower; a slower one is sent from the log.
const MAX_PENDING_BYTES: usize = 4 << 20;
/// Bytes of one read from the log for a follower that is behind.
const READ_BYTES: usize = 1 << 20;

/// One follower's subscription.
#[derive(Debug)]
pub(super) struct Feed {
    session: Arc<Session>,
    attempt: u32,
    leader_epoch: LeaderEpoch,
    /// Everything below is sent.
    sent: Offset,
    /// Everything below is sent or pending.
    tail: Offset,
    /// All there is from `sent` up to `tail`, each piece with the offset behind it.
    pending: VecDeque<(Offset, Bytes)>,
    pending_bytes: usize,
    /// In the session's ready queue.
    queued: bool,
    /// Known to the herald, who will queue it.
    announced: bool,
    /// A read from the log is under way.
    reading: bool,
    told_high_watermark: Offset,
    told_log_start: Offset,
}

impl Feed {
    fn new(session: Arc<Session>, position: &Position) -> Self {
        Self {
            session,
            attempt: position.attempt,
            leader_epoch: position.leader_epoch,
            sent: position.log_end,
            tail: position.log_end,
            pending: VecDeque::new(),
            pending_bytes: 0,
            queued: false,
            announced: false,
            reading: false,
            told_high_watermark: -1,
            told_log_start: -1,
        }
    }

    /// Whether the herald may be asked to tell the follower of new offsets: nothing else will.
    pub(super) fn may_tell_offsets(&self) -> bool {
        !self.queued && !self.announced
    }

    pub(super) fn tell_offsets(&mut self) -> Arc<Session> {
        self.announced = true;
        Arc::clone(&self.session)
    }

    /// Bytes were appended at `base_offset`. Returns the session if it is to be told.
    pub(super) fn on_append(
        &mut self,
        base_offset: Offset,
        log_end: Offset,
        batches: &Bytes,
    ) -> Option<Arc<Session>> {
        let room = self.pending_bytes + batches.len() <= MAX_PENDING_BYTES;
        if self.tail == base_offset && !self.reading && (room || self.pending.is_empty()) {
            self.pending.push_back((log_end, batches.clone()));
            self.pending_bytes += batches.len();
            self.tail = log_end;
        }
        self.ready()
    }

    fn ready(&mut self) -> Option<Arc<Session>> {
        if self.queued || self.reading {
            return None;
        }
        self.queued = true;
        Some(Arc::clone(&self.session))
    }

    /// Takes pending bytes of at most `budget`, but at least the first ones, and the offset from which on
    /// they are all there is. What is small is joined, since the follower pays for each piece.
    fn take(&mut self, budget: usize) -> (Offset, Bytes) {
        let mut count = 0_usize;
        let mut size = 0;
        for (_, bytes) in &self.pending {
            if count > 0 && size + bytes.len() > budget {
                break;
            }
            count += 1;
            size += bytes.len();
        }
        self.pending_bytes -= size;
        let base = self.sent;
        let last = count.checked_sub(1).and_then(|last| self.pending.get(last));
        self.sent = last.map_or(base, |(end, _)| *end);
        if count <= 1 {
            return (base, self.pending.pop_front().unwrap_or_default().1);
        }
        let mut joined = BytesMut::with_capacity(size);
        for (_, bytes) in self.pending.drain(..count) {
            joined.extend_from_slice(&bytes);
        }
        (base, joined.freeze())
    }

    /// Something is to be sent.
    fn is_behind(&self, log_end: Offset) -> bool {
        !self.pending.is_empty() || self.tail < log_end
    }

    fn is_of(&self, session: &Arc<Session>) -> bool {
        Arc::ptr_eq(&self.session, session)
    }

    fn data(
        &mut self,
        key: pb::PartitionKey,
        offsets: &Offsets,
        (base_offset, batches): (Offset, Bytes),
    ) -> pb::PartitionData {
        self.told_high_watermark = offsets.high_watermark;
        self.told_log_start = offsets.log_start;
        pb::PartitionData {
            key: Some(key),
            leader_epoch: self.leader_epoch,
            attempt: self.attempt,
            high_watermark: offsets.high_watermark,
            log_start_offset: offsets.log_start,
            base_offset: Some(base_offset),
            outcome: Some(Outcome::Batches(batches)),
        }
    }
}

/// What a session got from a partition.
pub(super) struct Drained {
    /// To be sent.
    pub(super) data: Option<pb::PartitionData>,
    /// More is pending: ask again.
    pub(super) more: bool,
}

impl Partition {
    /// A follower asks to be sent to. What is not streamed is answered at once.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        session: &Arc<Session>,
        position: Position,
        log_start: Offset,
    ) {
        let now_ms = self.shared.clock.now_ms();
        let answer = self.run(|state, after| {
            let Some(log) = state.log.take() else {
                return Some(Outcome::Refused(codes::not_leader()));
            };
            let (replica, effects) = state.replica_and_effects();
            let result = replica.subscribe(now_ms, &position, log.epochs().entries(), effects);
            state.log = Some(log);
            let who = (position.follower, position.broker_epoch);
            note_log_start(state, now_ms, who, log_start);
            // Only the follower's newest request ends what it is sent; a late one of an older stream,
            // refused for its epoch, does not.
            if matches!(result, Ok(_) | Err(Refused::OutOfRange)) {
                state.feeds.retain(|feed| feed.session.follower() != position.follower);
            }
            match result {
                Ok(Subscription::Stream) => {
                    let mut feed = Feed::new(Arc::clone(session), &position);
                    after.ready.extend(feed.ready());
                    state.feeds.push(feed);
                    None
                }
                Ok(Subscription::Diverging(end)) => Some(Outcome::Diverging(pb::Diverging {
                    epoch: end.epoch,
                    end_offset: end.end_offset,
                })),
                Err(refused) => Some(Outcome::Refused(codes::refused(&refused))),
            }
        });
        if let Some(outcome) = answer {
            let offsets = self.look(|state| state.replica.offsets());
            session.push_reply(pb::PartitionData {
                key: Some(self.key()),
                leader_epoch: position.leader_epoch,
                attempt: position.attempt,
                high_watermark: offsets.high_watermark,
                log_start_offset: offsets.log_start,
                base_offset: None,
                outcome: Some(outcome),
            });
        }
    }

    /// A follower has got further.
    pub(super) fn on_progress(
        self: &Arc<Self>,
        follower: BrokerId,
        broker_epoch: BrokerEpoch,
        progress: &pb::Progress,
    ) {
        let now_ms = self.shared.clock.now_ms();
        self.run(|state, _| {
            let progressed = Input::FollowerAt {
                follower,
                broker_epoch,
                leader_epoch: progress.leader_epoch,
                attempt: progress.attempt,
                log_end: progress.log_end_offset,
                flushed: progress.flushed_offset,
            };
            state.step(now_ms, progressed);
            note_log_start(state, now_ms, (follower, broker_epoch), progress.log_start_offset);
        });
    }

    /// Whatever is to be sent on `session`, up to `budget` bytes; less, or later, if it is throttled.
    pub(super) fn drain(self: &Arc<Self>, session: &Arc<Session>, budget: usize) -> Drained {
        let throttles = &self.shared.throttles;
        let (me, follower) = (self.shared.me, session.follower());
        let limit = throttles.limit(me, self.topic(), self.id().partition, follower);
        let wait = limit.as_ref().and_then(|limit| throttles.wait(limit, Instant::now()));
        let mut read = None;
        let mut later = None;
        let mut throttled = 0;
        let drained = self.look(|state| {
            let offsets = state.replica.offsets();
            let leader = state.replica.as_leader();
            let in_sync = leader.is_some_and(|it| it.isr().committed().contains(&follower));
            let limit = limit.as_ref().filter(|_| !in_sync);
            let chunk = limit.map_or(usize::MAX, Limit::chunk);
            let Some(feed) = state.feeds.iter_mut().find(|feed| feed.is_of(session)) else {
                return Drained { data: None, more: false };
            };
            feed.queued = false;
            feed.announced = false;
            later = wait.filter(|_| limit.is_some() && feed.is_behind(offsets.log_end));
            let batches = match later {
                Some(_) => (feed.sent, Bytes::new()),
                None => feed.take(budget.min(chunk)),
            };
            throttled = if limit.is_some() { batches.1.len() } else { 0 };
            if feed.pending.is_empty()
                && !feed.reading
                && feed.tail < offsets.log_end
                && let Some(log) = state.log.as_mut()
            {
                let bytes = READ_BYTES.min(chunk);
                let plan = log.plan_read(feed.tail, bytes, offsets.log_end, true);
                feed.reading = true;
                read = Some((feed.tail, feed.attempt, plan));
            }
            let news = offsets.high_watermark != feed.told_high_watermark
                || offsets.log_start != feed.told_log_start;
            let data =
                (news || !batches.1.is_empty()).then(|| feed.data(self.key(), &offsets, batches));
            let more = !feed.pending.is_empty() && later.is_none();
            feed.queued = more || later.is_some();
            Drained { data, more }
        });
        if let Some(limit) = limit.filter(|_| throttled > 0) {
            throttles.charge(&limit, throttled);
        }
        if let Some(wait) = later {
            let (partition, session) = (Arc::clone(self), Arc::clone(session));
            self.shared.runtime.spawn(async move {
                tokio::time::sleep(wait).await;
                session.push_ready(partition);
            });
        }
        if let Some((offset, attempt, plan)) = read {
            self.read_for(session, offset, attempt, plan);
        }
        drained
    }

    /// Reads the log for a follower that is behind, where blocking is allowed.
    fn read_for(
        self: &Arc<Self>,
        session: &Arc<Session>,
        offset: Offset,
        attempt: u32,
        plan: Result<ReadPlan, LogError>,
    ) {
        let partition = Arc::clone(self);
        let session = Arc::clone(session);
        self.shared.runtime.spawn_blocking(move || {
            let read = plan.and_then(ReadPlan::read);
            partition.deliver(&session, offset, attempt, read);
        });
    }

    fn deliver(
        self: &Arc<Self>,
        session: &Arc<Session>,
        offset: Offset,
        attempt: u32,
        read: Result<Bytes, LogError>,
    ) {
        let refused = self.run(|state, after: &mut After| {
            let offsets = state.replica.offsets();
            let place = state
                .feeds
                .iter()
                .position(|feed| feed.is_of(session) && feed.attempt == attempt)?;
            let feed = state.feeds.get_mut(place)?;
            feed.reading = false;
            let outcome = match read {
                Ok(batches) => match record::batches(&batches).filter_map(Result::ok).last() {
                    Some(last) if feed.tail == offset => {
                        feed.tail = last.header.next_offset();
                        feed.pending_bytes += batches.len();
                        feed.pending.push_back((feed.tail, batches));
                        None
                    }
                    _ => None,
                },
                Err(LogError::Overtaken) => None,
                Err(LogError::OffsetOutOfRange { .. }) => {
                    Some(Outcome::Refused(codes::out_of_range()))
                }
                Err(error) => {
                    tracing::error!(partition = ?self, %error, "cannot read for a follower");
                    Some(Outcome::Refused(codes::storage()))
                }
            };
            if let Some(outcome) = outcome {
                let mut data = feed.data(self.key(), &offsets, (feed.sent, Bytes::new()));
                data.outcome = Some(outcome);
                state.feeds.remove(place);
                return Some(data);
            }
            after.ready.extend(feed.ready());
            None
        });
        if let Some(data) = refused {
            session.push_reply(data);
        }
    }

    /// The session is over.
    pub(super) fn forget_session(&self, session: &Arc<Session>) {
        self.look(|state| state.feeds.retain(|feed| !feed.is_of(session)));
    }
}

/// Where a follower's log begins: it changes seldom.
fn note_log_start(
    state: &mut State,
    now_ms: i64,
    (follower, broker_epoch): (BrokerId, BrokerEpoch),
    log_start: Offset,
) {
    let leader = state.replica.as_leader();
    if leader.is_some_and(|leader| leader.follower_log_start(follower) != Some(log_start)) {
        state.step(now_ms, Input::FollowerLogStart { follower, broker_epoch, log_start });
    }
}
