//! The replica: its role, its offsets, and the one place where inputs become effects.

use ottla_protocol::ids::{BrokerId, LeaderEpoch, Offset, TimestampMs};

use crate::follower::Follower;
use crate::input::{AckOutcome, Effect, Input, PartitionState, Rules, Token};
use crate::leader::Leader;
use crate::leader_epoch;
use crate::offsets::Offsets;
use crate::producer_state::{ProducerState, Sequenced};
use crate::request::{
    Admission, EpochError, NotAdmitted, NotReadable, Position, ReadBounds, Refused, Subscription,
};
use crate::waiters::Waiters;

/// What a replica is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Nobody is to be followed: the partition has no leader, or nothing is known yet (epoch -1).
    Idle {
        /// The leader epoch.
        leader_epoch: LeaderEpoch,
    },
    /// It leads.
    Leader(Leader),
    /// It follows.
    Follower(Follower),
    /// Its log cannot be trusted any more.
    Failed {
        /// The leader epoch.
        leader_epoch: LeaderEpoch,
    },
}

/// One replica of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    me: BrokerId,
    role: Role,
    offsets: Offsets,
    rules: Rules,
    producers: ProducerState,
    waiters: Waiters,
    /// Deletions that wait for the low watermark.
    deletions: Waiters,
}

impl Replica {
    /// A replica whose log is loaded and which knows no metadata yet. A high watermark that does not lie
    /// in the log (the checkpoint of another life) is brought into it.
    #[must_use]
    pub fn new(me: BrokerId, offsets: Offsets, producers: ProducerState, rules: Rules) -> Self {
        let high_watermark = offsets.high_watermark.clamp(offsets.log_start, offsets.log_end);
        let offsets = Offsets { high_watermark, ..offsets };
        offsets.assert_chain();
        let role = Role::Idle { leader_epoch: -1 };
        let (waiters, deletions) = (Waiters::default(), Waiters::default());
        Self { me, role, offsets, rules, producers, waiters, deletions }
    }

    /// What it is.
    #[must_use]
    pub fn role(&self) -> &Role {
        &self.role
    }

    /// Where it stands.
    #[must_use]
    pub fn offsets(&self) -> Offsets {
        self.offsets
    }

    /// The settings it obeys.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The idempotent producers.
    #[must_use]
    pub fn producers(&self) -> &ProducerState {
        &self.producers
    }

    /// The idempotent producers, for who appends, replicates, truncates or expires.
    pub fn producers_mut(&mut self) -> &mut ProducerState {
        &mut self.producers
    }

    /// The leader epoch; -1 before any metadata.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        match &self.role {
            Role::Idle { leader_epoch } | Role::Failed { leader_epoch } => *leader_epoch,
            Role::Leader(leader) => leader.leader_epoch(),
            Role::Follower(follower) => follower.leader_epoch(),
        }
    }

    /// Who leads, if anybody is known to.
    #[must_use]
    pub fn leader(&self) -> Option<BrokerId> {
        match &self.role {
            Role::Idle { .. } | Role::Failed { .. } => None,
            Role::Leader(_) => Some(self.me),
            Role::Follower(follower) => Some(follower.leader()),
        }
    }

    /// It leads.
    #[must_use]
    pub fn as_leader(&self) -> Option<&Leader> {
        match &self.role {
            Role::Leader(leader) => Some(leader),
            _ => None,
        }
    }

    /// The least log start over the live replicas; as far as is known here, if it does not lead.
    #[must_use]
    pub fn low_watermark(&self) -> Offset {
        let own = self.offsets.log_start;
        self.as_leader().map_or(own, |leader| leader.low_watermark(own))
    }

    /// A flush is due: as many records as `flush.messages` are not on disk.
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        self.offsets.log_end - self.offsets.flushed >= self.rules.flush_messages
    }

    /// May a client's batch be appended? Changes nothing. `now_ms` is the wall clock.
    ///
    /// # Errors
    /// See [`NotAdmitted`].
    pub fn admit(
        &self,
        batch: Option<&Sequenced>,
        acks_all: bool,
        now_ms: TimestampMs,
    ) -> Result<Admission, NotAdmitted> {
        let leader = self.as_leader().ok_or(NotAdmitted::NotLeader)?;
        if acks_all && leader.is_under_min_isr(&self.rules) {
            let in_sync = leader.isr().committed().len();
            let required = leader.required(&self.rules);
            return Err(NotAdmitted::NotEnoughReplicas { in_sync, required });
        }
        if let Some(batch) = batch {
            let expiration_ms = self.rules.producer_id_expiration_ms;
            let whole_log = self.offsets.log_start == 0;
            let original = self.producers.check(batch, now_ms, expiration_ms, whole_log)?;
            if let Some(original) = original {
                return Ok(Admission::Duplicate(original));
            }
        }
        let (base_offset, leader_epoch) = (self.offsets.log_end, leader.leader_epoch());
        Ok(Admission::Append { base_offset, leader_epoch })
    }

    /// Compares the leader epoch of a request with ours; `None` is not compared (KIP-320).
    ///
    /// # Errors
    /// See [`EpochError`].
    pub fn check_epoch(&self, requested: Option<LeaderEpoch>) -> Result<(), EpochError> {
        let current = self.leader_epoch();
        match requested {
            Some(requested) if requested < current => {
                Err(EpochError::Fenced { requested, current })
            }
            Some(requested) if requested > current => {
                Err(EpochError::Unknown { requested, current })
            }
            _ => Ok(()),
        }
    }

    /// A follower asks to be sent to. `history` is the log's. If it may be, its position counts from here
    /// on: give the effects.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn subscribe(
        &mut self,
        now_ms: i64,
        position: &Position,
        history: &[(LeaderEpoch, Offset)],
        effects: &mut Vec<Effect>,
    ) -> Result<Subscription, Refused> {
        self.check_epoch(Some(position.leader_epoch))?;
        let offsets = self.offsets;
        let Role::Leader(leader) = &mut self.role else { return Err(Refused::NotLeader) };
        let follower =
            leader.follower_mut(position.follower).ok_or(Refused::NotReplica(position.follower))?;
        if !follower.subscribe(position.broker_epoch, position.attempt) {
            return Err(Refused::Stale);
        }
        let Position { log_end, last_epoch, .. } = *position;
        // Where its last epoch ended here went with the deleted records, so nothing it holds can be
        // compared: it begins anew. A log that is whole from 0 on knows that it never had that epoch.
        let is_forgotten = last_epoch >= 0 && history.first().is_some_and(|it| it.0 > last_epoch);
        if is_forgotten && offsets.log_start > 0 {
            return Err(Refused::OutOfRange);
        }
        if let Some(end) = leader_epoch::diverging(history, offsets.log_end, last_epoch, log_end)
            .filter(|_| last_epoch >= 0)
        {
            return Ok(Subscription::Diverging(end));
        }
        if log_end < offsets.log_start || log_end > offsets.log_end {
            return Err(Refused::OutOfRange);
        }
        follower.start_streaming();
        follower.report(log_end, position.flushed, offsets.log_end, &self.rules, now_ms);
        self.settle(now_ms, effects);
        Ok(Subscription::Stream)
    }

    /// What a consumer at `offset` may read; `history` is the log's.
    ///
    /// # Errors
    /// See [`NotReadable`].
    pub fn check_read(
        &self,
        current_leader_epoch: Option<LeaderEpoch>,
        last_fetched_epoch: Option<LeaderEpoch>,
        offset: Offset,
        history: &[(LeaderEpoch, Offset)],
    ) -> Result<ReadBounds, NotReadable> {
        self.check_epoch(current_leader_epoch)?;
        self.as_leader().ok_or(NotReadable::NotLeader)?;
        let offsets = self.offsets;
        if let Some(epoch) = last_fetched_epoch.filter(|epoch| *epoch >= 0)
            && let Some(end) = leader_epoch::diverging(history, offsets.log_end, epoch, offset)
        {
            return Ok(ReadBounds { offsets, diverging: Some(end) });
        }
        if offset < offsets.log_start || offset > offsets.log_end {
            return Err(NotReadable::OutOfRange);
        }
        Ok(ReadBounds { offsets, diverging: None })
    }

    /// Whether the end of the committed log is known: a new leader knows it once its high watermark has
    /// passed its epoch's start (KIP-207). False if it does not lead.
    #[must_use]
    pub fn knows_latest(&self) -> bool {
        self.as_leader().is_some_and(|leader| self.offsets.high_watermark >= leader.epoch_start())
    }

    /// Whether what a leader sends under this epoch and attempt is wanted.
    #[must_use]
    pub fn expects(&self, leader_epoch: LeaderEpoch, attempt: u32) -> bool {
        matches!(&self.role, Role::Follower(follower)
            if follower.leader_epoch() == leader_epoch && follower.attempt() == attempt)
    }

    /// Takes an input in and says what is to be done. `now_ms` is a monotonic clock's.
    ///
    /// # Panics
    /// If the chain of offsets is broken.
    pub fn step(&mut self, now_ms: i64, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Metadata(state) => self.on_metadata(&state, now_ms, effects),
            Input::Members(members) => {
                if let Role::Leader(leader) = &mut self.role {
                    leader.set_members(&members, now_ms);
                }
            }
            Input::Rules(rules) => {
                self.rules = rules;
                // What counts may have changed with them.
                if let Role::Follower(follower) = &self.role {
                    effects.push(follower.progress(&self.offsets));
                }
            }
            Input::Appended { log_end, waiter } => self.on_appended(log_end, waiter, now_ms),
            Input::Await { offset, waiter } => self.waiters.add(offset, waiter),
            Input::Flushed(offset) => self.on_flushed(offset, effects),
            Input::FollowerAt {
                follower,
                broker_epoch,
                leader_epoch,
                attempt,
                log_end,
                flushed,
            } => {
                let own_log_end = self.offsets.log_end;
                if let Role::Leader(leader) = &mut self.role
                    && leader.leader_epoch() == leader_epoch
                    && let Some(progress) = leader.follower_mut(follower)
                    && progress.is_streaming(broker_epoch, attempt)
                {
                    progress.report(log_end, flushed, own_log_end, &self.rules, now_ms);
                }
            }
            Input::FollowerLogStart { follower, broker_epoch, log_start } => {
                if let Role::Leader(leader) = &mut self.role
                    && let Some(progress) = leader.follower_mut(follower)
                {
                    progress.report_log_start(broker_epoch, log_start);
                }
            }
            Input::AwaitLogStart { offset, waiter } => self.deletions.add(offset, waiter),
            Input::Received { log_end, leader_high_watermark, leader_log_start } => {
                self.on_received(log_end, leader_high_watermark, leader_log_start, effects);
            }
            Input::Truncated { log_end, flushed } => self.on_truncated(log_end, flushed, effects),
            Input::Restarted(offset) => {
                let (log_end, flushed) = (offset, offset);
                self.offsets =
                    Offsets { log_start: offset, high_watermark: offset, log_end, flushed };
                self.ask(effects);
            }
            Input::Ask => self.ask(effects),
            Input::LogStart(offset) => {
                self.offsets.log_start = self.offsets.log_start.max(offset);
            }
            Input::Tick => {
                if let Role::Leader(leader) = &mut self.role {
                    leader.on_tick(now_ms);
                }
            }
            Input::IsrAnswered { partition_epoch, answer } => {
                if let Role::Leader(leader) = &mut self.role
                    && leader.isr().partition_epoch() == partition_epoch
                    && leader.isr().is_pending()
                {
                    leader.isr_answered(answer, now_ms);
                }
            }
            Input::StorageFailed => {
                self.role = Role::Failed { leader_epoch: self.leader_epoch() };
                self.fail_waiters(AckOutcome::Storage, effects);
                effects.push(Effect::Step { leader: None });
            }
        }
        self.settle(now_ms, effects);
    }

    /// What follows from any change: the high watermark, the waiters, the ISR, the timer.
    fn settle(&mut self, now_ms: i64, effects: &mut Vec<Effect>) {
        if let Role::Leader(leader) = &mut self.role {
            if let Some(offset) = leader.high_watermark(&self.offsets, &self.rules, now_ms)
                && offset > self.offsets.high_watermark
            {
                self.offsets.high_watermark = offset;
                effects.push(Effect::HighWatermark(offset));
            }
            while let Some(token) = self.waiters.pop_reached(self.offsets.high_watermark) {
                effects.push(Effect::Ack(token, AckOutcome::Committed));
            }
            if !self.deletions.is_empty() {
                let low_watermark = leader.low_watermark(self.offsets.log_start);
                while let Some(token) = self.deletions.pop_reached(low_watermark) {
                    effects.push(Effect::Ack(token, AckOutcome::Committed));
                }
            }
            if leader.is_under_min_isr(&self.rules) {
                // Written, but the high watermark will not pass it before the ISR has grown again.
                while let Some(token) = self.waiters.pop() {
                    effects.push(Effect::Ack(token, AckOutcome::NotEnoughReplicasAfterAppend));
                }
            }
            if let Some(proposal) = leader.propose(&self.offsets, &self.rules, now_ms) {
                effects.push(Effect::ProposeIsr(proposal));
            }
            if let Some(at_ms) = leader.next_wake(&self.offsets, &self.rules, now_ms) {
                effects.push(Effect::WakeAt(at_ms));
            }
        }
        self.offsets.assert_chain();
    }

    fn on_metadata(&mut self, state: &PartitionState, now_ms: i64, effects: &mut Vec<Effect>) {
        if state.leader_epoch < self.leader_epoch() {
            return;
        }
        let news = state.leader_epoch > self.leader_epoch();
        match (&mut self.role, state.leader) {
            // Only a restart trusts the disk again.
            (Role::Failed { leader_epoch }, _) => *leader_epoch = state.leader_epoch,
            (Role::Leader(leader), Some(id)) if id == self.me && !news => {
                leader.commit(state, now_ms);
            }
            (Role::Follower(follower), Some(id)) if id == follower.leader() && !news => {
                follower.commit(state.partition_epoch);
            }
            (_, Some(id)) if id == self.me => {
                let leader = Leader::new(self.me, state, self.offsets.log_end, now_ms);
                self.role = Role::Leader(leader);
                effects.push(Effect::Lead { leader_epoch: state.leader_epoch });
            }
            (_, Some(id)) => {
                self.role = Role::Follower(Follower::new(id, state));
                self.fail_waiters(AckOutcome::NotLeader, effects);
                effects.push(Effect::Step { leader: Some(id) });
                self.ask(effects);
            }
            (Role::Idle { .. }, None) if !news => {}
            (_, None) => {
                self.role = Role::Idle { leader_epoch: state.leader_epoch };
                self.fail_waiters(AckOutcome::NotLeader, effects);
                effects.push(Effect::Step { leader: None });
            }
        }
    }

    fn on_appended(&mut self, log_end: Offset, waiter: Option<Token>, now_ms: i64) {
        self.offsets.log_end = self.offsets.log_end.max(log_end);
        if let Role::Leader(leader) = &mut self.role {
            leader.on_append(log_end, now_ms);
        }
        if let Some(token) = waiter {
            self.waiters.add(log_end, token);
        }
    }

    fn on_flushed(&mut self, offset: Offset, effects: &mut Vec<Effect>) {
        let flushed = offset.min(self.offsets.log_end);
        if flushed <= self.offsets.flushed {
            return;
        }
        self.offsets.flushed = flushed;
        if let Role::Follower(follower) = &self.role
            && self.rules.counts_flushed()
        {
            effects.push(follower.progress(&self.offsets));
        }
    }

    fn on_received(
        &mut self,
        log_end: Offset,
        leader_high_watermark: Offset,
        leader_log_start: Offset,
        effects: &mut Vec<Effect>,
    ) {
        let Role::Follower(follower) = &self.role else { return };
        let grown = log_end > self.offsets.log_end;
        self.offsets.log_end = self.offsets.log_end.max(log_end);
        // What was written counts at once where no flush is waited for.
        if grown && !self.rules.counts_flushed() {
            effects.push(follower.progress(&self.offsets));
        }
        let high_watermark = leader_high_watermark.min(self.offsets.log_end);
        if high_watermark > self.offsets.high_watermark {
            self.offsets.high_watermark = high_watermark;
            effects.push(Effect::HighWatermark(high_watermark));
        }
        let log_start = leader_log_start.min(self.offsets.high_watermark);
        if log_start > self.offsets.log_start {
            self.offsets.log_start = log_start;
            effects.push(Effect::LogStart(log_start));
            // Somebody may wait for it.
            effects.push(follower.progress(&self.offsets));
        }
    }

    fn on_truncated(&mut self, log_end: Offset, flushed: Offset, effects: &mut Vec<Effect>) {
        self.offsets.log_end = log_end;
        self.offsets.flushed = flushed.min(log_end);
        self.offsets.log_start = self.offsets.log_start.min(log_end);
        self.offsets.high_watermark = self.offsets.high_watermark.min(log_end);
        self.ask(effects);
    }

    fn ask(&mut self, effects: &mut Vec<Effect>) {
        if let Role::Follower(follower) = &mut self.role {
            effects.push(follower.ask());
        }
    }

    fn fail_waiters(&mut self, outcome: AckOutcome, effects: &mut Vec<Effect>) {
        for waiters in [&mut self.waiters, &mut self.deletions] {
            while let Some(token) = waiters.pop() {
                effects.push(Effect::Ack(token, outcome));
            }
        }
    }
}
