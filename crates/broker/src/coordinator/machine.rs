//! A shard's machine with what it needs of the world: the log it appends to and the clients that wait.

use std::collections::HashMap;
use std::sync::Arc;

use ottla_coordinator::{Effect, Groups, Input, Token, WriteId};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{MetadataOffset, TimestampMs};

use super::answer::Waiter;
use super::shard::{Shard, Work};
use super::shell::Shell;
use super::writes::{Gathered, TooLarge, Writes};
use crate::api::group_write_code;
use crate::partition::{AckGroup, AppendError, AppendOptions};

/// What could not be appended for the moment is tried again after so long.
const RETRY_MS: i64 = 100;

/// See the module.
pub(super) struct Machine {
    groups: Groups,
    shell: Arc<Shell>,
    writes: Writes,
    waiting: HashMap<Token, Waiter>,
    effects: Vec<Effect>,
    /// When the timer will tick it.
    scheduled_ms: Option<TimestampMs>,
    /// The offset of the newest image that it has seen.
    image: MetadataOffset,
}

impl Machine {
    /// A machine whose groups have been loaded.
    pub(super) fn new(groups: Groups, shell: Arc<Shell>, batch_bytes: usize) -> Self {
        let writes = Writes::new(batch_bytes, shell.compression, Arc::clone(&shell.budget));
        let mut machine = Self {
            groups,
            shell,
            writes,
            waiting: HashMap::new(),
            effects: Vec::new(),
            scheduled_ms: None,
            image: 0,
        };
        let now_ms = machine.shell.clock.now_ms();
        machine.groups.loaded(now_ms, &mut machine.effects);
        machine.perform(now_ms);
        machine
    }

    pub(super) fn take(&mut self, work: Work) {
        match work {
            Work::Request { token, caller, request, waiter } => {
                self.waiting.insert(token, waiter);
                self.step(Input::Request { token, caller, request: *request });
            }
            Work::Gone(token) => {
                // Its answer may have been on its way.
                if self.waiting.remove(&token).is_some() {
                    self.step(Input::Gone { token });
                }
            }
            Work::Committed(write) => {
                if self.writes.committed(write) {
                    self.step(Input::Committed { write });
                }
            }
            Work::Stalled => self.writes.stalled(),
            Work::Image(image, batch_bytes) => {
                // Two may come in the wrong order while it begins.
                if image.offset() > self.image {
                    self.image = image.offset();
                    self.writes.set_batch_bytes(batch_bytes);
                    self.step(Input::Image(image));
                }
            }
            Work::Tick => {
                self.scheduled_ms = None;
                self.step(Input::Tick);
            }
            Work::Look(look) => look(&self.groups),
        }
    }

    fn step(&mut self, input: Input) {
        let now_ms = self.shell.clock.now_ms();
        self.groups.step(now_ms, input, &mut self.effects);
        self.perform(now_ms);
    }

    fn perform(&mut self, now_ms: TimestampMs) {
        while !self.effects.is_empty() {
            let effects = std::mem::take(&mut self.effects);
            let mut effects = effects.into_iter();
            while let Some(effect) = effects.next() {
                match effect {
                    Effect::Respond { token, response } => {
                        if let Some(waiter) = self.waiting.remove(&token) {
                            waiter.answer(response);
                        }
                    }
                    Effect::Append { write, records } => {
                        let encoded: Vec<_> = records.iter().map(|it| it.encode()).collect();
                        if let Err(TooLarge) = self.writes.gather(write, &encoded, now_ms) {
                            // What the same step planned on top of it falls with it.
                            let mut refused = vec![write];
                            refused.extend(effects.by_ref().filter_map(|effect| match effect {
                                Effect::Append { write, .. } => Some(write),
                                Effect::Respond { .. } => None,
                            }));
                            refused.reverse();
                            self.refuse(now_ms, refused, ErrorCode::UnknownServerError);
                        }
                    }
                }
            }
        }
    }

    /// These writes, the newest first, are not in the log and will never be.
    fn refuse(&mut self, now_ms: TimestampMs, writes: Vec<WriteId>, code: ErrorCode) {
        for write in writes {
            self.groups.step(now_ms, Input::Failed { write, code }, &mut self.effects);
        }
    }

    /// Appends what has gathered, if it is time.
    pub(super) fn append(&mut self, shard: &Arc<Shard>) {
        while let Some(gathered) = self.writes.next() {
            let Err(error) = self.append_batch(shard, &gathered) else { continue };
            tracing::warn!(?shard, %error, "the groups' state could not be appended");
            let now_ms = self.shell.clock.now_ms();
            let mut refused = self.writes.refuse_gathered();
            refused.extend(gathered.writes.iter().rev());
            self.refuse(now_ms, refused, group_write_code(&error));
            self.perform(now_ms);
            if group_write_code(&error) == ErrorCode::NotCoordinator {
                shard.lost();
            }
            return;
        }
    }

    fn append_batch(&mut self, shard: &Arc<Shard>, gathered: &Gathered) -> Result<(), AppendError> {
        let records = gathered
            .batch
            .build()
            .map_err(|error| AppendError::InvalidRecord(error.to_string()))?;
        let options = AppendOptions {
            acks_all: true,
            now_ms: self.shell.clock.now_ms(),
            leader_epoch: Some(shard.leader_epoch()),
        };
        let (acks, mut tokens) = AckGroup::new(1);
        let appended = shard.partition().append(records, options, tokens.pop())?;
        if let Some(last) = gathered.writes.last() {
            self.writes.appended(*last);
            let count = i64::try_from(gathered.batch.count()).unwrap_or(i64::MAX);
            let end = appended.base_offset.saturating_add(count);
            self.shell.runtime.spawn(Arc::clone(shard).follow_commit(acks, *last, end));
        }
        Ok(())
    }

    /// Has the timer tick it in time.
    pub(super) fn schedule(&mut self, shard: &Arc<Shard>) {
        let retry_ms = self.writes.is_left().then(|| self.shell.clock.now_ms() + RETRY_MS);
        let deadline_ms = self.groups.next_deadline_ms();
        let Some(at_ms) = retry_ms.into_iter().chain(deadline_ms).min() else { return };
        // One that comes too early does no harm, and sessions are prolonged all the time.
        if self.scheduled_ms.is_none_or(|scheduled_ms| at_ms < scheduled_ms) {
            self.shell.timers.set(shard, self.scheduled_ms, at_ms);
            self.scheduled_ms = Some(at_ms);
        }
    }
}
