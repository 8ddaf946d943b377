//! Members that join: new ones, known ones, and static ones that come back under another id.

use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::join_group_response::JoinGroupResponseMember;
use ottla_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use super::live::unknown;
use super::member::{self, AwaitingJoin};
use super::{Live, Member, Phase, Then, Timer, timer};
use crate::MemberId;
use crate::context::{self, Context};
use crate::error::GroupError;
use crate::record::Record;
use crate::request::{Caller, Response, Token, wire};

/// For so long a new member may wait for its first join: then its client has surely given up. Kafka's
/// `group.new.member.join.timeout.ms`.
const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 5 * 60 * 1000;
/// From this version on a leader can be told not to assign (KIP-814).
const SKIP_ASSIGNMENT_SINCE: i16 = 9;

impl Live {
    pub(super) fn join_new(
        &mut self,
        cx: &mut Context,
        token: Token,
        caller: &Caller,
        request: &JoinGroupRequest,
        id: MemberId,
    ) {
        if let Phase::PreparingRebalance { initial: Some(initial) } = &mut self.phase {
            initial.new_member = true;
        }
        if self.members.is_empty() {
            self.protocol_type = Some(Arc::from(&*request.protocol_type));
        }
        // Nobody would notice if its client were gone: it has no session yet.
        let at_ms = cx.now_ms + NEW_MEMBER_JOIN_TIMEOUT_MS;
        cx.timers.set(timer(&self.name, Timer::Session(Arc::clone(&id))), at_ms);
        self.add(Member::joining(id, token, caller, request));
        self.rebalance_or_complete(cx);
    }

    /// A member joins again: because it was asked to, because something has changed on its side, or because
    /// the answer was lost.
    pub(super) fn join_again(
        &mut self,
        cx: &mut Context,
        token: Token,
        caller: &Caller,
        request: &JoinGroupRequest,
    ) {
        let id = &*request.member_id;
        let Some(member) = self.members.get(id) else {
            return cx.refuse(token, unknown(id));
        };
        let protocols = member::protocols(request);
        let same = member.protocols == protocols;
        let rebalance = match self.phase {
            Phase::PreparingRebalance { .. } => true,
            Phase::CompletingRebalance => !same,
            // The leader may know of changes that its words do not show.
            Phase::Stable => !same || self.is_leader(id),
            Phase::Empty => return cx.refuse(token, unknown(id)),
        };
        let join = AwaitingJoin { token, api_version: caller.api_version };
        if !rebalance {
            let with_members = self.phase == Phase::CompletingRebalance && self.is_leader(id);
            let answer = self.joined(id, with_members);
            return cx.respond(token, Ok(Response::JoinGroup(answer)));
        }
        let former = self.update(id, |member| {
            member.protocols = protocols;
            member.rebalance_timeout_ms = request.rebalance_timeout_ms;
            member.session_timeout_ms = request.session_timeout_ms;
            member.awaiting_join.replace(join)
        });
        if let Some(former) = former.flatten() {
            // It has asked twice: its first request must not wait for ever.
            cx.refuse(former.token, GroupError::RebalanceInProgress);
        }
        self.rebalance_or_complete(cx);
    }

    /// A static member comes back without knowing its id: it takes its own place, under a new id.
    pub(super) fn replace_static(
        &mut self,
        cx: &mut Context,
        token: Token,
        caller: &Caller,
        request: &JoinGroupRequest,
        former: &MemberId,
        id: MemberId,
    ) {
        let leads = self.is_leader(former);
        let Some(mut former) = self.remove(former) else {
            return cx.refuse(token, unknown(former));
        };
        // Whoever still waits as the former member is a second one with the same group.instance.id.
        let fenced = || {
            GroupError::FencedInstanceId(
                "another member has taken over its group.instance.id".into(),
            )
        };
        if let Some(join) = former.awaiting_join.take() {
            cx.refuse(join.token, fenced());
        }
        if let Some(sync) = former.awaiting_sync.take() {
            cx.refuse(sync, fenced());
        }
        cx.timers.cancel(&timer(&self.name, Timer::Session(Arc::clone(&former.id))));
        let member = Member {
            id: Arc::clone(&id),
            protocols: member::protocols(request),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            awaiting_join: Some(AwaitingJoin { token, api_version: caller.api_version }),
            is_new: false,
            ..former.clone()
        };
        self.add(member);
        if leads {
            self.leader = Some(Arc::clone(&id));
        }
        self.begin_session(cx, &id);
        match self.phase {
            Phase::Stable if self.elected_protocol() == self.protocol => {
                // Nothing changes for the others: it is enough to write down its new id.
                let value = Some(self.value(|member| member.assignment.clone()));
                let then = Then::Replaced {
                    group: Arc::clone(&self.name),
                    generation: self.generation,
                    member: id,
                    former: Box::new(former),
                };
                let record = Record::ClassicGroup { group: Arc::clone(&self.name), value };
                cx.append(vec![record], vec![context::Then::Classic(then)]);
            }
            // The leader may have assigned to the former id already.
            Phase::Stable | Phase::CompletingRebalance => self.prepare_rebalance(cx),
            Phase::PreparingRebalance { .. } | Phase::Empty => self.complete_join_if_all(cx),
        }
    }

    pub(super) fn replacement_stored(
        &mut self,
        cx: &mut Context,
        generation: i32,
        id: &str,
        former: &Member,
    ) {
        if self.phase != Phase::Stable || self.generation != generation {
            // A rebalance has begun, and answers it in the end.
            return;
        }
        let Some(join) = self.take_join(id) else { return };
        // A leader would assign anew, unless it can be told not to; an old client is kept from it by being
        // told that its former self leads.
        let skip = join.api_version >= SKIP_ASSIGNMENT_SINCE && self.is_leader(id);
        let mut answer = self.joined(id, skip);
        answer.skip_assignment = skip;
        if self.is_leader(id) && !skip {
            answer.leader = wire(&former.id);
        }
        cx.respond(join.token, Ok(Response::JoinGroup(answer)));
    }

    pub(super) fn replacement_not_stored(
        &mut self,
        cx: &mut Context,
        generation: i32,
        id: &str,
        former: Member,
        code: ErrorCode,
    ) {
        if self.phase != Phase::Stable || self.generation != generation {
            return;
        }
        let leads = self.is_leader(id);
        let Some(mut member) = self.remove(id) else { return };
        cx.timers.cancel(&timer(&self.name, Timer::Session(Arc::clone(&member.id))));
        if let Some(join) = member.awaiting_join.take() {
            cx.refuse(join.token, GroupError::NotStored(code));
        }
        let id = Arc::clone(&former.id);
        self.add(former);
        if leads {
            self.leader = Some(Arc::clone(&id));
        }
        self.begin_session(cx, &id);
    }

    /// The answer to a join in the group's present generation.
    pub(super) fn joined(&self, id: &str, with_members: bool) -> JoinGroupResponse {
        let protocol = self.protocol.as_deref();
        let response = JoinGroupResponse::default()
            .with_generation_id(self.generation)
            .with_protocol_type(self.protocol_type.as_deref().map(wire))
            .with_protocol_name(protocol.map(wire))
            .with_leader(wire(self.leader.as_deref().unwrap_or_default()))
            .with_member_id(wire(id));
        if !with_members {
            return response;
        }
        let member = |member: &Member| {
            JoinGroupResponseMember::default()
                .with_member_id(wire(&member.id))
                .with_group_instance_id(member.instance_id.as_deref().map(wire))
                .with_metadata(member.metadata(protocol.unwrap_or_default()))
        };
        response.with_members(self.members.values().map(member).collect())
    }
}
