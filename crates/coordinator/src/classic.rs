//! Classic groups: members join, one of them assigns, all sync (KIP-134, 345, 394, 559, 814).
//!
//! The record of a group says what was agreed when a generation was complete; everything between two
//! generations lives in [`Live`] and dies with the machine. A group that has neither members nor joins is
//! only its record.

mod admission;
mod heartbeat;
mod join;
mod leave;
mod live;
mod member;
mod rebalance;
mod sync;
mod view;

use std::sync::Arc;

use ottla_protocol::ErrorCode;

pub(crate) use live::{Live, Phase};
pub(crate) use member::Member;
pub(crate) use view::Expiry;

use crate::context::Context;
use crate::error::GroupError;
use crate::groups::Groups;
use crate::record::{ClassicGroupValue, Record};
use crate::request::Token;
use crate::timers::Timer as AnyTimer;
use crate::{GroupName, MemberId};

/// The protocol type of consumers.
pub(crate) const CONSUMER_PROTOCOL_TYPE: &str = "consumer";

/// A classic group as its records add up; empty for a group that only has offsets.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ClassicGroup {
    pub(crate) value: Option<Arc<ClassicGroupValue>>,
}

impl From<ClassicGroupValue> for ClassicGroup {
    fn from(value: ClassicGroupValue) -> Self {
        Self { value: Some(Arc::new(value)) }
    }
}

/// What falls due in a classic group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A member, or one that was given an id and has not joined yet, has been silent for too long.
    Session(MemberId),
    /// The rebalance waits no longer for members to join.
    Join,
    /// Nor for members to sync.
    Sync,
}

/// What becomes of a classic group's write.
#[derive(Debug)]
pub(crate) enum Then {
    /// The leader's assignment is stored, or that nobody is left.
    Stored { group: GroupName, generation: i32 },
    /// The group is gone.
    Deleted { group: GroupName },
    /// A static member has come back under another id.
    Replaced {
        group: GroupName,
        generation: i32,
        member: MemberId,
        /// As it was before.
        former: Box<Member>,
    },
}

impl Then {
    fn group(&self) -> &GroupName {
        match self {
            Self::Stored { group, .. } | Self::Deleted { group } | Self::Replaced { group, .. } => {
                group
            }
        }
    }
}

fn timer(group: &GroupName, timer: Timer) -> AnyTimer {
    AnyTimer::Classic { group: Arc::clone(group), timer }
}

impl Groups {
    /// Loading is over: groups with members are stable, and their sessions begin.
    pub(crate) fn begin_classic(&mut self) {
        let names: Vec<_> = self.cx.planned.groups.keys().cloned().collect();
        for name in names {
            self.reload_classic(&name, false);
        }
    }

    /// What a classic group is doing; `None`: it is only its record, or there is none, or another type of
    /// group has taken its place.
    pub(crate) fn classic_live(&self, name: &str) -> Option<&Live> {
        self.classic.get(name).filter(|_| self.cx.planned.consumer(name).is_none())
    }

    /// Whether there is a group of this name, be it only one that has offsets.
    pub(crate) fn exists(&self, name: &str) -> bool {
        self.classic.contains_key(name)
            || self.cx.planned.group(name).is_some()
            || self.cx.offsets.has_planned(name)
    }

    /// Has a group do something, and forgets it if it is nothing but its record afterwards.
    fn with_classic<T>(
        &mut self,
        name: &str,
        act: impl FnOnce(&mut Live, &mut Context) -> T,
    ) -> Option<T> {
        let live = self.classic.get_mut(name)?;
        let result = act(live, &mut self.cx);
        if live.is_idle() {
            self.classic.remove(name);
        }
        Some(result)
    }

    pub(crate) fn classic_due(&mut self, group: &GroupName, timer: &Timer) {
        self.with_classic(group, |live, cx| match timer {
            Timer::Session(member) => live.session_over(cx, member),
            Timer::Join => live.join_over(cx),
            Timer::Sync => live.sync_over(cx),
        });
    }

    pub(crate) fn classic_stored(&mut self, then: Then, outcome: Result<(), ErrorCode>) {
        let group = Arc::clone(then.group());
        self.with_classic(&group, |live, cx| match (then, outcome) {
            (Then::Stored { generation, .. }, Ok(())) => live.stored(cx, generation),
            (Then::Stored { generation, .. }, Err(code)) => live.not_stored(cx, generation, code),
            (Then::Deleted { .. }, Ok(())) => live.deleted(),
            // It was empty and remains so.
            (Then::Deleted { .. }, Err(_)) => {}
            (Then::Replaced { generation, member, former, .. }, Ok(())) => {
                live.replacement_stored(cx, generation, &member, &former);
            }
            (Then::Replaced { generation, member, former, .. }, Err(code)) => {
                live.replacement_not_stored(cx, generation, &member, *former, code);
            }
        });
    }

    /// A client that waits is gone. A member whose first join it was is not known to anybody then.
    pub(crate) fn classic_gone(&mut self, token: Token) {
        let waits = |live: &Live| live.newcomer(token);
        let found = self
            .classic
            .iter()
            .find_map(|(name, live)| waits(live).map(|member| (Arc::clone(name), member)));
        if let Some((group, member)) = found {
            self.with_classic(&group, |live, cx| live.session_over(cx, &member));
        }
    }

    /// Makes an end of a live classic group: who waits is told `error`, and its timers fall idle. Its record
    /// is the caller's to replace.
    pub(crate) fn dissolve_classic(&mut self, name: &str, error: &GroupError) {
        if let Some(live) = self.classic.remove(name) {
            live.dissolve(&mut self.cx, error);
        }
    }

    /// Takes in a live classic group, whose record the caller has planned; with `rebalance` its members are
    /// to join anew.
    pub(crate) fn install_classic(&mut self, live: Live, rebalance: bool) {
        let name = Arc::clone(&live.name);
        self.classic.insert(Arc::clone(&name), live);
        self.with_classic(&name, |live, cx| {
            live.begin(cx);
            if rebalance {
                live.rebalance_or_complete(cx);
            }
        });
    }

    /// A group is classic after all: it begins as its planned record says. A record with members and no
    /// leader was written when a rebalance was wanted.
    pub(crate) fn reload_classic(&mut self, name: &GroupName, rebalance: bool) {
        let planned = self.cx.planned.classic(name).and_then(|group| group.value.clone());
        if let Some(value) = planned.filter(|value| !value.members.is_empty()) {
            let rebalance = rebalance || value.leader.is_none();
            self.install_classic(Live::from_value(name, &value), rebalance);
        }
    }

    /// The record that makes an end of a classic group.
    pub(crate) fn classic_tombstone(name: &GroupName) -> Record {
        Record::ClassicGroup { group: Arc::clone(name), value: None }
    }
}
