//! Offsets that go by themselves: the old ones of groups that do not use them, and those of topics that are
//! deleted. A group that has nothing left goes too.

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_metadata::Image;
use ottla_protocol::ids::{KafkaUuid, TimestampMs, TopicId};

use super::tombstone;
use crate::GroupName;
use crate::classic::Expiry;
use crate::context::Then;
use crate::groups::Groups;
use crate::record::{OffsetValue, Record};
use crate::state::Group;
use crate::timers::Timer;

/// So many tombstones fit into any batch.
const TOMBSTONES_AT_ONCE: usize = 1000;

impl Groups {
    pub(crate) fn begin_offset_expiry(&mut self) {
        // What was deleted while nobody coordinated.
        self.forget_topics_of_the_past();
        self.schedule_offset_expiry();
    }

    fn schedule_offset_expiry(&mut self) {
        let interval_ms = self.cx.settings.offsets_retention_check_interval_ms;
        self.cx.timers.set(Timer::OffsetExpiry, self.cx.now_ms.saturating_add(interval_ms));
    }

    /// It is time to look for old offsets.
    pub(crate) fn expire_offsets(&mut self) {
        self.forget_topics_of_the_past();
        let planned = self.cx.planned.groups.keys();
        let groups: BTreeSet<_> = planned.chain(self.cx.offsets.groups()).cloned().collect();
        for group in groups {
            self.expire_group(&group);
        }
        self.schedule_offset_expiry();
    }

    fn expire_group(&mut self, group: &GroupName) {
        let expiry = match (self.classic_live(group), self.cx.planned.group(group)) {
            (Some(live), _) => live.expiry(),
            (None, Some(Group::Classic(group))) => group.expiry(),
            (None, Some(Group::Consumer(_)) | None) => Expiry::Each,
        };
        let now_ms = self.cx.now_ms;
        let retention_ms = self.cx.settings.offsets_retention_ms;
        let planned = self.cx.offsets.planned_of(group);
        let offsets = planned.len();
        let records: Vec<Record> = planned
            .into_iter()
            .filter(|((topic, _), value)| {
                is_expired(value, expiry, now_ms, retention_ms)
                    && !self.is_subscribed_to(group, topic)
            })
            .map(|((topic, partition), _)| tombstone(group, &topic, partition))
            .collect();
        if records.len() == offsets && self.is_without_members(group) {
            self.append_end_of_group(group, records, Vec::new());
        } else {
            self.append_in_parts(records, Vec::new());
        }
    }

    /// Topics have been created or deleted.
    pub(crate) fn forget_deleted_topics(&mut self, old: &Arc<Image>) {
        if !self.cx.image.same_topics(old) {
            self.forget_topics_of_the_past();
        }
    }

    /// Deletes the offsets of topics that are not there, or not in that life any more. An offset without a
    /// topic id goes with its name.
    fn forget_topics_of_the_past(&mut self) {
        let image = Arc::clone(&self.cx.image);
        let is_past = |topic: &str, id: TopicId| match image.topic_by_name(topic) {
            Some(topic) => id != KafkaUuid::ZERO && id != topic.id,
            None => true,
        };
        if !self.cx.offsets.topics().any(|(topic, id)| is_past(topic, id)) {
            return;
        }
        let past = self.cx.offsets.iter().filter(|it| is_past(it.topic, it.value.topic_id));
        let groups: BTreeSet<GroupName> = past.map(|it| Arc::clone(it.group)).collect();
        for group in groups {
            let planned = self.cx.offsets.planned_of(&group).into_iter();
            let records = planned
                .filter(|((topic, _), value)| is_past(topic, value.topic_id))
                .map(|((topic, partition), _)| tombstone(&group, &topic, partition))
                .collect();
            self.append_in_parts(records, Vec::new());
        }
    }

    /// Appends records of which none needs the next; `thens` follow when the last one is committed.
    pub(crate) fn append_in_parts(&mut self, mut records: Vec<Record>, thens: Vec<Then>) {
        while records.len() > TOMBSTONES_AT_ONCE {
            let rest = records.split_off(TOMBSTONES_AT_ONCE);
            self.cx.append(records, Vec::new());
            records = rest;
        }
        if records.is_empty() {
            thens.into_iter().for_each(|then| self.committed(then));
        } else {
            self.cx.append(records, thens);
        }
    }
}

fn is_expired(value: &OffsetValue, expiry: Expiry, now_ms: TimestampMs, retention_ms: i64) -> bool {
    let since_ms = match expiry {
        Expiry::Never => return false,
        // An old client has said itself how long it is to be kept.
        _ if value.expire_timestamp_ms != -1 => return now_ms >= value.expire_timestamp_ms,
        Expiry::Since(since_ms) => since_ms,
        Expiry::Each => value.commit_timestamp_ms,
    };
    now_ms.saturating_sub(since_ms) >= retention_ms
}
