//! A rebalance from its beginning to the next generation.

use std::sync::Arc;

use bytes::Bytes;

use super::live::Initial;
use super::{Live, Phase, Then, Timer, timer};
use crate::context::{self, Context};
use crate::error::GroupError;
use crate::record::Record;
use crate::request::Response;

/// When an empty group that could not be written down is tried again.
const STORE_RETRY_MS: i64 = 5000;

impl Live {
    /// Somebody has come, gone or changed: a rebalance begins, or the one that is under way may be
    /// complete.
    pub(crate) fn rebalance_or_complete(&mut self, cx: &mut Context) {
        if let Phase::PreparingRebalance { .. } = self.phase {
            self.complete_join_if_all(cx);
        } else {
            self.prepare_rebalance(cx);
        }
    }

    pub(super) fn prepare_rebalance(&mut self, cx: &mut Context) {
        if self.phase == Phase::CompletingRebalance {
            // They have to join again.
            self.refuse_syncs(cx, &GroupError::RebalanceInProgress);
        }
        self.pending_sync.clear();
        cx.timers.cancel(&timer(&self.name, Timer::Sync));
        self.storing = false;
        if self.phase == Phase::Empty {
            let delay_ms = cx.settings.group_initial_rebalance_delay_ms;
            let remaining_ms = (self.rebalance_timeout_ms() - delay_ms).max(0);
            let initial = Some(Initial { delay_ms, remaining_ms, new_member: false });
            self.enter(Phase::PreparingRebalance { initial }, cx.now_ms);
            return self.wait_for_joins(cx, delay_ms);
        }
        self.enter(Phase::PreparingRebalance { initial: None }, cx.now_ms);
        if self.all_joined() {
            self.complete_join(cx);
        } else {
            self.wait_for_joins(cx, self.rebalance_timeout_ms());
        }
    }

    fn wait_for_joins(&self, cx: &mut Context, wait_ms: i32) {
        let at_ms = cx.now_ms + i64::from(wait_ms.max(0));
        cx.timers.set(timer(&self.name, Timer::Join), at_ms);
    }

    /// Goes on if nobody is left to wait for; a group that was empty waits for more, unless it is again.
    pub(super) fn complete_join_if_all(&mut self, cx: &mut Context) {
        if let Phase::PreparingRebalance { initial } = self.phase
            && self.all_joined()
            && (initial.is_none() || self.members.is_empty())
        {
            self.complete_join(cx);
        }
    }

    /// The time to join is over; a group that was empty gives more of it while new members come.
    pub(super) fn join_over(&mut self, cx: &mut Context) {
        match &mut self.phase {
            Phase::PreparingRebalance { initial: Some(initial) }
                if initial.new_member && initial.remaining_ms > 0 =>
            {
                let delay_ms = cx.settings.group_initial_rebalance_delay_ms;
                let waited_ms = initial.delay_ms;
                let wait_ms = delay_ms.min(initial.remaining_ms);
                *initial = Initial {
                    delay_ms: wait_ms,
                    remaining_ms: (initial.remaining_ms - waited_ms).max(0),
                    new_member: false,
                };
                self.wait_for_joins(cx, wait_ms);
            }
            Phase::PreparingRebalance { .. } => self.complete_join(cx),
            Phase::Empty if self.stored_generation != self.generation && !self.storing => {
                if cx.planned.consumer(&self.name).is_some() {
                    // Its name has been taken over meanwhile.
                    self.deleted();
                } else {
                    self.store(cx, self.value(|_| Bytes::new()));
                }
            }
            Phase::Empty | Phase::CompletingRebalance | Phase::Stable => {}
        }
    }

    /// Goes on with those who have joined. Static members stay: they may come back within their session.
    pub(super) fn complete_join(&mut self, cx: &mut Context) {
        cx.timers.cancel(&timer(&self.name, Timer::Join));
        let absent = |member: &super::Member| member.awaiting_join.is_none();
        let failed: Vec<_> = self
            .members
            .values()
            .filter(|member| absent(member) && member.instance_id.is_none())
            .map(|member| Arc::clone(&member.id))
            .collect();
        for id in failed {
            self.remove(&id);
            cx.timers.cancel(&timer(&self.name, Timer::Session(id)));
        }
        if self.members.is_empty() {
            return self.become_empty(cx);
        }
        if !self.elect_leader() {
            // Only static members, none of which is here: until their sessions end.
            self.phase = Phase::PreparingRebalance { initial: None };
            return self.wait_for_joins(cx, self.rebalance_timeout_ms());
        }
        self.next_generation();
        self.protocol = self.elected_protocol();
        self.subscribed = self.subscribed_topics();
        self.enter(Phase::CompletingRebalance, cx.now_ms);
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in &ids {
            if let Some(join) = self.take_join(id) {
                let answer = self.joined(id, self.is_leader(id));
                cx.respond(join.token, Ok(Response::JoinGroup(answer)));
            }
            if let Some(member) = self.members.get_mut(id) {
                member.is_new = false;
            }
            self.begin_session(cx, id);
        }
        self.pending_sync = ids.into_iter().collect();
        let at_ms = cx.now_ms + i64::from(self.rebalance_timeout_ms().max(0));
        cx.timers.set(timer(&self.name, Timer::Sync), at_ms);
    }

    /// A leader that is here; false if nobody is.
    fn elect_leader(&mut self) -> bool {
        let here = |id: &str| self.members.get(id).is_some_and(|it| it.awaiting_join.is_some());
        if self.leader.as_deref().is_some_and(here) {
            return true;
        }
        let Some(id) = self.members.keys().find(|id| here(id)).cloned() else { return false };
        self.leader = Some(id);
        true
    }

    fn next_generation(&mut self) {
        // Kafka's clients know no larger ones, and none goes back to a smaller one.
        self.generation = self.generation.saturating_add(1);
        self.pending_sync.clear();
        self.storing = false;
    }

    fn become_empty(&mut self, cx: &mut Context) {
        self.next_generation();
        self.protocol = None;
        self.leader = None;
        self.subscribed = None;
        self.enter(Phase::Empty, cx.now_ms);
        self.store(cx, self.value(|_| Bytes::new()));
    }

    /// Writes this generation down.
    pub(super) fn store(&mut self, cx: &mut Context, value: crate::record::ClassicGroupValue) {
        self.storing = true;
        let record = Record::ClassicGroup { group: Arc::clone(&self.name), value: Some(value) };
        let then = Then::Stored { group: Arc::clone(&self.name), generation: self.generation };
        cx.append(vec![record], vec![context::Then::Classic(then)]);
    }

    /// Writes it down again after a while: until then it must not be forgotten, or its generations would
    /// come a second time.
    pub(super) fn retry_store(&self, cx: &mut Context) {
        cx.timers.set(timer(&self.name, Timer::Join), cx.now_ms + STORE_RETRY_MS);
    }

    /// Its record is gone: nothing has to be written down, unless somebody joins.
    pub(super) fn deleted(&mut self) {
        if self.phase == Phase::Empty {
            self.stored_generation = self.generation;
        }
    }

    /// Some have not synced: they go, and the others join again.
    pub(super) fn sync_over(&mut self, cx: &mut Context) {
        if !matches!(self.phase, Phase::CompletingRebalance | Phase::Stable)
            || self.pending_sync.is_empty()
        {
            return;
        }
        for id in std::mem::take(&mut self.pending_sync) {
            if let Some(member) = self.remove(&id)
                && let Some(join) = member.awaiting_join
            {
                cx.refuse(join.token, super::live::unknown(&id));
            }
            cx.timers.cancel(&timer(&self.name, Timer::Session(id)));
        }
        self.prepare_rebalance(cx);
    }
}
