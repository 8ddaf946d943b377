//! All groups of one partition: where inputs come in.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_metadata::Image;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TimestampMs;

use crate::context::{Context, Then};
use crate::offsets::CommittedOffset;
use crate::record::{Record, RecordError};
use crate::request::{Caller, Effect, Input, LogRecord, Request, Token};
use crate::settings::Settings;
use crate::timers::Timer;
use crate::{GroupName, classic, consumer};

/// All groups of one partition of `__consumer_offsets`.
#[derive(Debug)]
pub struct Groups {
    pub(crate) cx: Context,
    /// What classic groups are doing; a group is here while it has members or expects some.
    pub(crate) classic: BTreeMap<GroupName, classic::Live>,
    /// What consumer groups are doing.
    pub(crate) consumer: consumer::Live,
}

impl Groups {
    /// No groups. `seed` decides the ids that members are given.
    #[must_use]
    pub fn new(settings: Arc<Settings>, image: Arc<Image>, seed: u64) -> Self {
        Self {
            cx: Context::new(settings, image, seed),
            classic: BTreeMap::new(),
            consumer: consumer::Live::default(),
        }
    }

    /// Takes in one record of the log, in order, before [`Groups::loaded`]. Kinds of records that are not
    /// known are passed over.
    ///
    /// # Errors
    /// The record is damaged and had no effect.
    pub fn load(&mut self, record: LogRecord<'_>) -> Result<(), RecordError> {
        if let Some(record) = Record::decode(record.key, record.value)? {
            self.cx.load(&record);
        }
        Ok(())
    }

    /// Loading is over: sessions begin now.
    pub fn loaded(&mut self, now_ms: TimestampMs, effects: &mut Vec<Effect>) {
        self.cx.now_ms = now_ms;
        self.cx.loaded();
        self.begin_offset_expiry();
        self.begin_classic();
        consumer::begin(self);
        self.cx.take_effects(effects);
    }

    /// Takes in what happens. `now_ms` never goes back.
    pub fn step(&mut self, now_ms: TimestampMs, input: Input, effects: &mut Vec<Effect>) {
        self.cx.now_ms = self.cx.now_ms.max(now_ms);
        if !matches!(input, Input::Failed { .. }) {
            self.cx.replan();
        }
        match input {
            Input::Request { token, caller, request } => self.request(token, &caller, request),
            Input::Committed { write } => {
                while let Some(thens) = self.cx.commit_next(write) {
                    for then in thens {
                        self.committed(then);
                    }
                }
            }
            Input::Failed { write, code } => {
                for then in self.cx.fail(write) {
                    self.failed(then, code);
                }
            }
            Input::Tick => {
                while let Some(timer) = self.cx.timers.pop(self.cx.now_ms) {
                    self.due(timer);
                }
            }
            Input::Image(image) => {
                let old = std::mem::replace(&mut self.cx.image, image);
                self.new_image(&old);
            }
            Input::Gone { token } => self.gone(token),
        }
        self.cx.take_effects(effects);
    }

    /// When [`Input::Tick`] is wanted; `None`: not before something else happens.
    #[must_use]
    pub fn next_deadline_ms(&self) -> Option<TimestampMs> {
        self.cx.timers.next_ms()
    }

    /// Every committed offset, by group, topic and partition.
    pub fn committed_offsets(&self) -> impl Iterator<Item = CommittedOffset<'_>> {
        self.cx.offsets.iter()
    }

    fn request(&mut self, token: Token, caller: &Caller, request: Request) {
        match request {
            Request::JoinGroup(request) => self.join_group(token, caller, request),
            Request::SyncGroup(request) => self.sync_group(token, caller, &request),
            Request::Heartbeat(request) => self.heartbeat(token, &request),
            Request::LeaveGroup(request) => self.leave_group(token, caller, &request),
            Request::OffsetCommit(request) => self.offset_commit(token, caller, &request),
            Request::OffsetFetch { group, require_stable } => {
                self.offset_fetch(token, &group, require_stable);
            }
            Request::OffsetDelete(request) => self.offset_delete(token, &request),
            Request::DescribeGroup(group) => self.describe_group(token, caller, &group),
            Request::ListGroups(request) => self.list_groups(token, &request),
            Request::DeleteGroup(group) => self.delete_group(token, &group),
            Request::ConsumerGroupHeartbeat(request) => {
                consumer::heartbeat(self, token, caller, request);
            }
            Request::ConsumerGroupDescribe(group) => consumer::describe(self, token, &group),
        }
    }

    pub(crate) fn committed(&mut self, then: Then) {
        match then {
            Then::Answer { token, response } => self.cx.respond(token, *response),
            Then::Classic(then) => self.classic_stored(then, Ok(())),
            Then::Consumer(then) => consumer::committed(self, then),
        }
    }

    fn failed(&mut self, then: Then, code: ErrorCode) {
        match then {
            Then::Answer { token, .. } => self.cx.refuse_write(token, code),
            Then::Classic(then) => self.classic_stored(then, Err(code)),
            Then::Consumer(then) => consumer::failed(self, then, code),
        }
    }

    fn due(&mut self, timer: Timer) {
        match timer {
            Timer::OffsetExpiry => self.expire_offsets(),
            Timer::Classic { group, timer } => self.classic_due(&group, &timer),
            Timer::ConsumerSession { group, member } => {
                consumer::session_over(self, &group, &member);
            }
            Timer::ConsumerRebalance { group, member } => {
                consumer::rebalance_over(self, &group, &member);
            }
            Timer::Consumer { group, timer } => consumer::due(self, &group, timer),
        }
    }

    fn new_image(&mut self, old: &Arc<Image>) {
        self.forget_deleted_topics(old);
        consumer::new_image(self, old);
    }

    fn gone(&mut self, token: Token) {
        self.classic_gone(token);
        consumer::gone(self, token);
    }
}
