//! SyncGroup: the leader's assignment, stored and handed out.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::live::unknown;
use super::{Live, Phase, Timer, timer};
use crate::context::Context;
use crate::error::GroupError;
use crate::groups::Groups;
use crate::request::{Caller, Response, Token, own, wire};
use crate::{MemberId, consumer};

/// From this version on a member says what it believes to be the group's protocol (KIP-559).
const PROTOCOL_REQUIRED_SINCE: i16 = 5;

impl Groups {
    pub(crate) fn sync_group(&mut self, token: Token, caller: &Caller, request: &SyncGroupRequest) {
        if request.group_id.is_empty() {
            return self.cx.refuse(token, GroupError::InvalidGroupId);
        }
        let names_both = request.protocol_type.is_some() && request.protocol_name.is_some();
        if caller.api_version >= PROTOCOL_REQUIRED_SINCE && !names_both {
            let error = "the request does not name the group's protocol".to_owned();
            return self.cx.refuse(token, GroupError::InconsistentGroupProtocol(error));
        }
        if self.cx.planned.consumer(&request.group_id).is_some_and(|group| !group.is_empty()) {
            return consumer::sync_classic(self, token, request);
        }
        let synced = self.with_classic(&request.group_id, |live, cx| live.sync(cx, token, request));
        let outcome = synced.unwrap_or_else(|| Err(unknown(&request.member_id)));
        if let Err(error) = outcome {
            self.cx.refuse(token, error);
        }
    }
}

impl Live {
    fn sync(
        &mut self,
        cx: &mut Context,
        token: Token,
        request: &SyncGroupRequest,
    ) -> Result<(), GroupError> {
        let id = &*request.member_id;
        self.check_member(id, request.group_instance_id.as_deref())?;
        self.check_generation(request.generation_id)?;
        let differs = |given: Option<&str>, own: Option<&str>| given.is_some() && given != own;
        if differs(request.protocol_type.as_deref(), self.protocol_type.as_deref())
            || differs(request.protocol_name.as_deref(), self.protocol.as_deref())
        {
            return Err(GroupError::InconsistentGroupProtocol(
                "the group has agreed upon another protocol".to_owned(),
            ));
        }
        match self.phase {
            Phase::Empty => Err(unknown(id)),
            Phase::PreparingRebalance { .. } => Err(GroupError::RebalanceInProgress),
            Phase::CompletingRebalance => {
                self.synced(cx, id);
                let former =
                    self.members.get_mut(id).and_then(|it| it.awaiting_sync.replace(token));
                if let Some(former) = former {
                    cx.refuse(former, GroupError::RebalanceInProgress);
                }
                if self.is_leader(id) && !self.storing {
                    let mut assignments: BTreeMap<&str, &Bytes> = BTreeMap::new();
                    for it in &request.assignments {
                        assignments.insert(&it.member_id, &it.assignment);
                    }
                    // Who is not named gets nothing.
                    let value = self.value(|member| {
                        assignments.get(&*member.id).map(|it| own(it)).unwrap_or_default()
                    });
                    self.store(cx, value);
                }
                Ok(())
            }
            Phase::Stable => {
                self.synced(cx, id);
                let answer = self.assignment(id);
                cx.respond(token, Ok(answer));
                Ok(())
            }
        }
    }

    fn synced(&mut self, cx: &mut Context, id: &str) {
        self.pending_sync.remove(id);
        if self.pending_sync.is_empty() {
            cx.timers.cancel(&timer(&self.name, Timer::Sync));
        }
    }

    fn assignment(&self, id: &str) -> Response {
        let assignment = self.members.get(id).map(|member| member.assignment.clone());
        Response::SyncGroup(
            SyncGroupResponse::default()
                .with_protocol_type(self.protocol_type.as_deref().map(wire))
                .with_protocol_name(self.protocol.as_deref().map(wire))
                .with_assignment(assignment.unwrap_or_default()),
        )
    }

    pub(super) fn check_generation(&self, generation: i32) -> Result<(), GroupError> {
        if generation == self.generation {
            return Ok(());
        }
        Err(GroupError::IllegalGeneration(format!(
            "the group is in generation {}, not {generation}",
            self.generation
        )))
    }

    /// A generation is written down: with the leader's assignment, or as an empty group.
    pub(super) fn stored(&mut self, cx: &mut Context, generation: i32) {
        if self.generation != generation || !self.storing {
            return;
        }
        self.storing = false;
        self.stored_generation = generation;
        if self.phase != Phase::CompletingRebalance {
            return;
        }
        let stored = cx.committed.classic(&self.name).and_then(|group| group.value.clone());
        let Some(value) = stored else { return };
        for stored in &value.members {
            if let Some(member) = self.members.get_mut(&stored.member_id) {
                member.assignment = stored.assignment.clone();
            }
        }
        self.enter(Phase::Stable, cx.now_ms);
        for id in self.member_ids() {
            if let Some(token) = self.take_sync(&id) {
                let answer = self.assignment(&id);
                cx.respond(token, Ok(answer));
                // A silence while it waited was none of its own.
                self.begin_session(cx, &id);
            }
        }
    }

    /// A generation could not be written down: the members try again in the next one, an empty group later.
    pub(super) fn not_stored(&mut self, cx: &mut Context, generation: i32, code: ErrorCode) {
        if self.generation != generation || !self.storing {
            return;
        }
        self.storing = false;
        match self.phase {
            Phase::CompletingRebalance => {
                self.refuse_syncs(cx, &GroupError::NotStored(code));
                self.prepare_rebalance(cx);
            }
            Phase::Empty => self.retry_store(cx),
            Phase::PreparingRebalance { .. } | Phase::Stable => {}
        }
    }

    /// Nobody gets an assignment of this generation.
    pub(super) fn refuse_syncs(&mut self, cx: &mut Context, error: &GroupError) {
        for id in self.member_ids() {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = Bytes::new();
            }
            if let Some(token) = self.take_sync(&id) {
                cx.refuse(token, error.clone());
                self.begin_session(cx, &id);
            }
        }
    }

    pub(super) fn member_ids(&self) -> Vec<MemberId> {
        self.members.keys().map(Arc::clone).collect()
    }
}
