//! JoinGroup: who may come in, and as whom.

use std::sync::Arc;

use ottla_protocol::messages::JoinGroupRequest;

use super::live::unknown;
use super::{Live, Phase, Timer, timer};
use crate::GroupName;
use crate::context::Context;
use crate::error::GroupError;
use crate::groups::Groups;
use crate::record::Record;
use crate::request::{Caller, Token};
use crate::{MemberId, consumer};

/// From this version on a client without an id is given one and comes back with it (KIP-394).
const MEMBER_ID_REQUIRED_SINCE: i16 = 4;

impl Groups {
    pub(crate) fn join_group(
        &mut self,
        token: Token,
        caller: &Caller,
        mut request: JoinGroupRequest,
    ) {
        let settings = &self.cx.settings;
        let bounds = settings.group_min_session_timeout_ms..=settings.group_max_session_timeout_ms;
        if request.group_id.is_empty() {
            return self.cx.refuse(token, GroupError::InvalidGroupId);
        }
        if !bounds.contains(&request.session_timeout_ms) {
            return self.cx.refuse(token, GroupError::InvalidSessionTimeout);
        }
        if caller.api_version == 0 {
            request.rebalance_timeout_ms = request.session_timeout_ms;
        }
        let name: GroupName = Arc::from(&**request.group_id);
        let is_known = self.classic_live(&name).is_some()
            || self.cx.planned.classic(&name).is_some()
            || self.cx.offsets.has_planned(&name);
        if let Some(group) = self.cx.planned.consumer(&name)
            && !group.is_empty()
        {
            return consumer::join_classic(self, token, caller, request);
        }
        if !is_known && !request.member_id.is_empty() {
            return self.cx.refuse(token, unknown(&request.member_id));
        }
        self.replace_empty_consumer_group(&name);
        if !self.classic.contains_key(&name) {
            let live = Live::empty(&name, self.cx.planned.classic(&name), self.cx.now_ms);
            self.classic.insert(Arc::clone(&name), live);
        }
        self.with_classic(&name, |live, cx| {
            if let Err(error) = live.join(cx, token, caller, &request) {
                cx.refuse(token, error);
            }
        });
    }

    /// A consumer group without members becomes a classic one by being joined as such.
    fn replace_empty_consumer_group(&mut self, name: &GroupName) {
        let Some(group) = self.cx.planned.consumer(name) else { return };
        let mut records = group.tombstones(name);
        records.push(self.empty_classic_group(name));
        self.cx.append(records, Vec::new());
    }

    /// The record of a classic group that nobody has been in.
    pub(crate) fn empty_classic_group(&self, name: &GroupName) -> Record {
        let empty = Live::empty(name, None, self.cx.now_ms);
        let value = Some(empty.value(|_| bytes::Bytes::new()));
        Record::ClassicGroup { group: Arc::clone(name), value }
    }
}

impl Live {
    /// Takes a join in; it is answered at once, refused, or waits for the rebalance.
    pub(super) fn join(
        &mut self,
        cx: &mut Context,
        token: Token,
        caller: &Caller,
        request: &JoinGroupRequest,
    ) -> Result<(), GroupError> {
        let id = &*request.member_id;
        if !self.has_room(id, cx.settings.group_max_size) {
            if let Some(member) = self.remove(id) {
                cx.timers.cancel(&timer(&self.name, Timer::Session(member.id)));
                self.complete_join_if_all(cx);
            }
            return Err(GroupError::GroupMaxSizeReached(format!(
                "the group has {} members already (group.max.size)",
                cx.settings.group_max_size
            )));
        }
        let names = request.protocols.iter().map(|protocol| &*protocol.name);
        if !self.supports(&request.protocol_type, names) {
            return Err(GroupError::InconsistentGroupProtocol(
                "the group's members have another protocol type, or no protocol in common with it"
                    .to_owned(),
            ));
        }
        match (request.group_instance_id.as_deref(), id.is_empty()) {
            (Some(instance), true) => {
                let id = self.new_id(cx, instance);
                match self.static_members.get(instance).cloned() {
                    Some(former) => self.replace_static(cx, token, caller, request, &former, id),
                    None => self.join_new(cx, token, caller, request, id),
                }
            }
            (None, true) => {
                let id = self.new_id(cx, &caller.client_id);
                if caller.api_version >= MEMBER_ID_REQUIRED_SINCE {
                    let at_ms = cx.now_ms + i64::from(request.session_timeout_ms);
                    cx.timers.set(timer(&self.name, Timer::Session(Arc::clone(&id))), at_ms);
                    self.pending.insert(Arc::clone(&id));
                    return Err(GroupError::MemberIdRequired { member_id: id.as_ref().to_owned() });
                }
                self.join_new(cx, token, caller, request, id);
            }
            (instance, false) if self.pending.contains(id) => {
                if instance.is_some() {
                    // Only dynamic members are given an id in advance.
                    return Err(unknown(id));
                }
                self.join_new(cx, token, caller, request, Arc::from(id));
            }
            (instance, false) => {
                self.check_member(id, instance)?;
                self.join_again(cx, token, caller, request);
            }
        }
        Ok(())
    }

    /// Whether `group.max.size` has room for it. While members join, those count that already have: so the
    /// last to come back are the ones that do not fit any more.
    fn has_room(&self, id: &str, max_size: i32) -> bool {
        let max_size = usize::try_from(max_size).unwrap_or_default();
        match self.phase {
            Phase::Empty => true,
            Phase::PreparingRebalance { .. } => {
                self.members.get(id).is_some_and(|member| member.awaiting_join.is_some())
                    || self.awaiting_join < max_size
            }
            Phase::CompletingRebalance | Phase::Stable => {
                self.members.contains_key(id) || self.members.len() < max_size
            }
        }
    }

    fn new_id(&self, cx: &mut Context, prefix: &str) -> MemberId {
        Arc::from(format!("{prefix}-{}", cx.rng.uuid().0))
    }
}
