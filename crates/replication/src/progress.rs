//! One follower as its leader sees it.

use ottla_protocol::ids::{BrokerEpoch, Offset};

use crate::input::{Member, Rules};

/// Before any time: it has not been caught up under this leader yet.
const NEVER_MS: i64 = i64::MIN / 2;

/// Under which identity a follower's positions count, since its log was checked against ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subscribed {
    broker_epoch: BrokerEpoch,
    attempt: u32,
    streaming: bool,
}

/// How far behind a follower is, in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lag {
    /// It has everything.
    CaughtUp,
    /// It last had everything at `since_ms`. Once it has reached `mark.0`, it has had at `mark.1`
    /// everything that there was then.
    Behind { since_ms: i64, mark: Option<(Offset, i64)> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    member: Member,
    subscribed: Option<Subscribed>,
    /// (log end, flushed); `None`: unknown under this leader.
    position: Option<(Offset, Offset)>,
    /// Its log's start; `None`: unknown under this leader.
    log_start: Option<Offset>,
    lag: Lag,
}

impl Progress {
    pub(crate) fn new(member: Member, in_sync: bool, now_ms: i64) -> Self {
        let since_ms = if in_sync { now_ms } else { NEVER_MS };
        let lag = Lag::Behind { since_ms, mark: None };
        Self { member, subscribed: None, position: None, log_start: None, lag }
    }

    pub(crate) fn member(&self) -> &Member {
        &self.member
    }

    /// The metadata has its broker so. A new registration forgets what an earlier one had reached.
    pub(crate) fn set_member(&mut self, member: Member, in_sync: bool, now_ms: i64) {
        let outdated =
            self.subscribed.is_some_and(|known| known.broker_epoch < member.broker_epoch);
        if outdated {
            *self = Self::new(member, in_sync, now_ms);
        } else {
            self.member = member;
        }
    }

    /// A subscription came; false if it is older than what is known.
    pub(crate) fn subscribe(&mut self, broker_epoch: BrokerEpoch, attempt: u32) -> bool {
        if broker_epoch < self.member.broker_epoch {
            return false;
        }
        if let Some(known) = self.subscribed {
            if (broker_epoch, attempt) <= (known.broker_epoch, known.attempt) {
                return false;
            }
            if broker_epoch > known.broker_epoch {
                self.lag = Lag::Behind { since_ms: NEVER_MS, mark: None };
            }
        }
        // Its log may have been cut since: what it had reached is void until it is checked again.
        self.position = None;
        self.subscribed = Some(Subscribed { broker_epoch, attempt, streaming: false });
        true
    }

    /// Its log agrees with ours up to the position it is to be sent from.
    pub(crate) fn start_streaming(&mut self) {
        if let Some(known) = &mut self.subscribed {
            known.streaming = true;
        }
    }

    /// Whether a report under this identity counts.
    pub(crate) fn is_streaming(&self, broker_epoch: BrokerEpoch, attempt: u32) -> bool {
        self.subscribed == Some(Subscribed { broker_epoch, attempt, streaming: true })
    }

    pub(crate) fn report(
        &mut self,
        log_end: Offset,
        flushed: Offset,
        own_log_end: Offset,
        rules: &Rules,
        now_ms: i64,
    ) {
        let log_end = log_end.min(own_log_end);
        // Reports of one subscription may overtake each other; a log that is cut subscribes anew.
        let (known_end, known_flushed) = self.position.unwrap_or_default();
        let log_end = log_end.max(known_end);
        self.position = Some((log_end, flushed.min(log_end).max(known_flushed)));
        let counted = self.counted(rules).unwrap_or(0);
        self.lag = match self.lag {
            _ if counted >= own_log_end => Lag::CaughtUp,
            Lag::CaughtUp => Lag::Behind { since_ms: now_ms, mark: Some((own_log_end, now_ms)) },
            Lag::Behind { since_ms, mark: Some((offset, at_ms)) } if counted < offset => {
                Lag::Behind { since_ms, mark: Some((offset, at_ms)) }
            }
            Lag::Behind { since_ms, mark } => {
                let since_ms = mark.map_or(since_ms, |(_, at_ms)| at_ms);
                Lag::Behind { since_ms, mark: Some((own_log_end, now_ms)) }
            }
        };
    }

    /// We have appended up to `log_end`: who was caught up is behind from now on.
    pub(crate) fn on_append(&mut self, log_end: Offset, now_ms: i64) {
        if self.lag == Lag::CaughtUp {
            self.lag = Lag::Behind { since_ms: now_ms, mark: Some((log_end, now_ms)) };
        }
    }

    /// Its log begins here.
    pub(crate) fn report_log_start(&mut self, broker_epoch: BrokerEpoch, log_start: Offset) {
        if self.subscribed.is_some_and(|known| known.broker_epoch == broker_epoch) {
            self.log_start = Some(log_start);
        }
    }

    pub(crate) fn log_start(&self) -> Option<Offset> {
        self.log_start
    }

    /// The position that counts for the high watermark.
    pub(crate) fn counted(&self, rules: &Rules) -> Option<Offset> {
        let (log_end, flushed) = self.position?;
        Some(if rules.counts_flushed() { flushed } else { log_end })
    }

    /// Its broker may be in an ISR, and the positions are of the registration that may (KIP-903).
    pub(crate) fn is_eligible(&self) -> bool {
        self.member.eligible
            && self.subscribed.is_some_and(|it| it.broker_epoch == self.member.broker_epoch)
    }

    /// When it will have been behind for too long; `None`: it is not behind.
    pub(crate) fn lags_out_at(&self, rules: &Rules) -> Option<i64> {
        match self.lag {
            Lag::CaughtUp => None,
            Lag::Behind { since_ms, .. } => {
                Some(since_ms.saturating_add(rules.replica_lag_time_max_ms))
            }
        }
    }

    pub(crate) fn keeps_up(&self, rules: &Rules, now_ms: i64) -> bool {
        self.lags_out_at(rules).is_none_or(|at_ms| now_ms <= at_ms)
    }
}
