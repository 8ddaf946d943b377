//! A replica that leads.

use ottla_protocol::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};

use crate::input::{IsrAnswer, IsrProposal, Member, PartitionState, Rules};
use crate::isr::Isr;
use crate::offsets::Offsets;
use crate::progress::Progress;

/// How long a refused or unanswered ISR proposal is not repeated.
const PROPOSAL_BACKOFF_MS: i64 = 200;

/// What a leader knows of its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    me: BrokerId,
    my_epoch: BrokerEpoch,
    leader_epoch: LeaderEpoch,
    epoch_start: Offset,
    isr: Isr,
    followers: Vec<Progress>,
    /// A tick has been asked for at this time.
    wake_at_ms: Option<i64>,
}

impl Leader {
    pub(crate) fn new(me: BrokerId, state: &PartitionState, log_end: Offset, now_ms: i64) -> Self {
        let mut leader = Self {
            me,
            my_epoch: -1,
            leader_epoch: state.leader_epoch,
            epoch_start: log_end,
            isr: Isr::new(state.isr.clone(), state.partition_epoch),
            followers: Vec::new(),
            wake_at_ms: None,
        };
        leader.set_members(&state.replicas, now_ms);
        leader
    }

    /// The leader epoch.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.leader_epoch
    }

    /// Where the log ended when this epoch began.
    #[must_use]
    pub fn epoch_start(&self) -> Offset {
        self.epoch_start
    }

    /// The in-sync replicas.
    #[must_use]
    pub fn isr(&self) -> &Isr {
        &self.isr
    }

    /// Where a follower has been seen to stand, as it counts for the high watermark.
    #[must_use]
    pub fn follower_position(&self, follower: BrokerId, rules: &Rules) -> Option<Offset> {
        self.follower(follower)?.counted(rules)
    }

    /// The least log start over the live replicas (KIP-107); -1 while one of them has not said.
    #[must_use]
    pub fn low_watermark(&self, own_log_start: Offset) -> Offset {
        let live = self.followers.iter().filter(|follower| follower.member().eligible);
        live.map(|follower| follower.log_start().unwrap_or(-1)).fold(own_log_start, Offset::min)
    }

    /// Where a follower's log begins, as far as it has said.
    #[must_use]
    pub fn follower_log_start(&self, follower: BrokerId) -> Option<Offset> {
        self.follower(follower)?.log_start()
    }

    /// `min.insync.replicas`, but not more than there are replicas.
    pub(crate) fn required(&self, rules: &Rules) -> usize {
        rules.min_insync_replicas.min(self.followers.len() + 1)
    }

    pub(crate) fn is_under_min_isr(&self, rules: &Rules) -> bool {
        self.isr.committed().len() < self.required(rules)
    }

    /// The replicas' brokers, from one image.
    pub(crate) fn set_members(&mut self, members: &[Member], now_ms: i64) {
        self.followers.retain(|follower| {
            members.iter().any(|member| member.broker_id == follower.member().broker_id)
        });
        for member in members {
            let in_sync = self.isr.is_committed(member.broker_id);
            if member.broker_id == self.me {
                self.my_epoch = member.broker_epoch;
            } else if let Some(follower) = self.follower_mut(member.broker_id) {
                follower.set_member(*member, in_sync, now_ms);
            } else {
                self.followers.push(Progress::new(*member, in_sync, now_ms));
            }
        }
    }

    /// A newer state of the same leader epoch; true if it is news.
    pub(crate) fn commit(&mut self, state: &PartitionState, now_ms: i64) -> bool {
        let news = self.isr.commit(&state.isr, state.partition_epoch);
        self.set_members(&state.replicas, now_ms);
        news
    }

    pub(crate) fn isr_answered(&mut self, answer: IsrAnswer, now_ms: i64) {
        let later_ms = now_ms.saturating_add(PROPOSAL_BACKOFF_MS);
        match answer {
            // Either way the feed brings a newer partition epoch, which ends the proposal.
            IsrAnswer::Taken | IsrAnswer::Superseded => {}
            IsrAnswer::Refused => self.isr.refused(later_ms),
            IsrAnswer::Unknown => self.isr.unanswered(later_ms),
        }
    }

    pub(crate) fn follower(&self, broker: BrokerId) -> Option<&Progress> {
        self.followers.iter().find(|follower| follower.member().broker_id == broker)
    }

    pub(crate) fn follower_mut(&mut self, broker: BrokerId) -> Option<&mut Progress> {
        self.followers.iter_mut().find(|follower| follower.member().broker_id == broker)
    }

    pub(crate) fn on_append(&mut self, log_end: Offset, now_ms: i64) {
        for follower in &mut self.followers {
            follower.on_append(log_end, now_ms);
        }
    }

    /// The high watermark waits for it: a member of the maximal ISR, or an eligible follower that keeps
    /// up and could otherwise never reach a high watermark that runs ahead of it.
    fn holds_back(&self, follower: &Progress, rules: &Rules, now_ms: i64) -> bool {
        self.isr.in_maximal(follower.member().broker_id)
            || (follower.is_eligible() && follower.keeps_up(rules, now_ms))
    }

    /// Where the high watermark may stand: the least position over the maximal ISR; `None` if it may not
    /// move.
    pub(crate) fn high_watermark(
        &self,
        offsets: &Offsets,
        rules: &Rules,
        now_ms: i64,
    ) -> Option<Offset> {
        if self.is_under_min_isr(rules) {
            return None;
        }
        let own = if rules.counts_flushed() { offsets.flushed } else { offsets.log_end };
        let mut least = own;
        for follower in &self.followers {
            if self.holds_back(follower, rules, now_ms) {
                least = least.min(follower.counted(rules)?);
            }
        }
        Some(least)
    }

    /// The ISR as it should be now, in the committed order with newcomers behind; `None` if it is so.
    fn wanted_isr(
        &self,
        offsets: &Offsets,
        rules: &Rules,
        now_ms: i64,
    ) -> Option<Vec<(BrokerId, BrokerEpoch)>> {
        let mut wanted = vec![(self.me, self.my_epoch)];
        let mut changed = false;
        for follower in &self.followers {
            let member = follower.member();
            let in_sync = self.isr.is_committed(member.broker_id);
            let keeps_up = follower.keeps_up(rules, now_ms);
            let belongs = if in_sync {
                member.eligible && keeps_up
            } else {
                let reached = offsets.high_watermark.max(self.epoch_start);
                follower.is_eligible()
                    && keeps_up
                    && follower.counted(rules).is_some_and(|counted| counted >= reached)
            };
            if belongs {
                wanted.push((member.broker_id, member.broker_epoch));
            }
            changed |= belongs != in_sync;
        }
        if !changed {
            return None;
        }
        let place = |broker: BrokerId| {
            self.isr.committed().iter().position(|other| *other == broker).unwrap_or(usize::MAX)
        };
        wanted.sort_by_key(|(broker, _)| place(*broker));
        Some(wanted)
    }

    /// A proposal for another ISR, if one is due and none is under way.
    pub(crate) fn propose(
        &mut self,
        offsets: &Offsets,
        rules: &Rules,
        now_ms: i64,
    ) -> Option<IsrProposal> {
        let isr = match self.isr.repeat(now_ms) {
            Some(isr) => isr,
            None if self.isr.may_propose(now_ms) => {
                let isr = self.wanted_isr(offsets, rules, now_ms)?;
                self.isr.propose(isr.clone());
                isr
            }
            None => return None,
        };
        Some(IsrProposal {
            leader_epoch: self.leader_epoch,
            partition_epoch: self.isr.partition_epoch(),
            isr,
        })
    }

    pub(crate) fn on_tick(&mut self, now_ms: i64) {
        self.wake_at_ms = self.wake_at_ms.filter(|at_ms| *at_ms > now_ms);
    }

    /// When to look again, if that is sooner than already asked for: when a follower that holds the high
    /// watermark back will have lagged for too long, or when a proposal may be repeated. Without a lagging
    /// follower there is no timer.
    pub(crate) fn next_wake(
        &mut self,
        offsets: &Offsets,
        rules: &Rules,
        now_ms: i64,
    ) -> Option<i64> {
        let pending = self.isr.is_pending();
        // While a proposal is under way a lagging follower changes nothing.
        let lagging = self
            .followers
            .iter()
            .filter(|_| !pending)
            .filter(|follower| self.holds_back(follower, rules, now_ms))
            .filter_map(|follower| follower.lags_out_at(rules))
            .map(|at_ms| at_ms.saturating_add(1))
            .filter(|at_ms| *at_ms > now_ms)
            .min();
        let repeat = self
            .isr
            .wake_at_ms()
            .filter(|at_ms| *at_ms > now_ms)
            .filter(|_| pending || self.wanted_isr(offsets, rules, now_ms).is_some());
        let at_ms = [lagging, repeat].into_iter().flatten().min()?;
        if self.wake_at_ms.is_some_and(|asked| asked <= at_ms) {
            return None;
        }
        self.wake_at_ms = Some(at_ms);
        Some(at_ms)
    }
}
