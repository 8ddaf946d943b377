//! Sessions: who still lives.

use std::sync::Arc;

use ottla_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::live::unknown;
use super::{Live, Phase, Timer, timer};
use crate::consumer;
use crate::context::Context;
use crate::error::GroupError;
use crate::groups::Groups;
use crate::request::{Response, Token};

impl Groups {
    pub(crate) fn heartbeat(&mut self, token: Token, request: &HeartbeatRequest) {
        if request.group_id.is_empty() {
            return self.cx.refuse(token, GroupError::InvalidGroupId);
        }
        if self.cx.planned.consumer(&request.group_id).is_some() {
            return consumer::heartbeat_classic(self, token, request);
        }
        let outcome = match self.classic.get(&**request.group_id) {
            Some(live) => live.heartbeat(&mut self.cx, request),
            None => Err(unknown(&request.member_id)),
        };
        let answer = outcome.map(|()| Response::Heartbeat(HeartbeatResponse::default()));
        self.cx.respond(token, answer);
    }
}

impl Live {
    fn heartbeat(&self, cx: &mut Context, request: &HeartbeatRequest) -> Result<(), GroupError> {
        let id = &*request.member_id;
        self.check_member(id, request.group_instance_id.as_deref())?;
        self.check_generation(request.generation_id)?;
        self.begin_session(cx, id);
        match self.phase {
            Phase::Empty => Err(unknown(id)),
            Phase::PreparingRebalance { .. } => Err(GroupError::RebalanceInProgress),
            Phase::CompletingRebalance | Phase::Stable => Ok(()),
        }
    }

    /// A group begins to live: its members' sessions begin.
    pub(super) fn begin(&mut self, cx: &mut Context) {
        for id in self.member_ids() {
            self.begin_session(cx, &id);
        }
        let max_size = usize::try_from(cx.settings.group_max_size).unwrap_or_default();
        if self.members.len() > max_size {
            self.prepare_rebalance(cx);
        }
    }

    /// The member's session begins anew.
    pub(crate) fn begin_session(&self, cx: &mut Context, id: &str) {
        if let Some(member) = self.members.get(id) {
            let at_ms = cx.now_ms + i64::from(member.session_timeout_ms);
            cx.timers.set(timer(&self.name, Timer::Session(Arc::clone(&member.id))), at_ms);
        }
    }

    /// Somebody has been silent for too long.
    pub(super) fn session_over(&mut self, cx: &mut Context, id: &str) {
        if self.pending.remove(id) {
            return self.complete_join_if_all(cx);
        }
        if self.members.get(id).is_none_or(|member| member.may_be_silent()) {
            return;
        }
        self.let_go(cx, id);
        self.rebalance_or_complete(cx);
    }

    /// Lets a member go; what it waits for is refused, so that it joins anew if it lives.
    pub(super) fn let_go(&mut self, cx: &mut Context, id: &str) {
        let Some(member) = self.remove(id) else { return };
        if let Some(join) = member.awaiting_join {
            cx.refuse(join.token, unknown(id));
        }
        if let Some(token) = member.awaiting_sync {
            cx.refuse(token, unknown(id));
        }
        cx.timers.cancel(&timer(&self.name, Timer::Session(member.id)));
    }

    /// Everybody who waits is told `error`.
    pub(super) fn dissolve(self, cx: &mut Context, error: &GroupError) {
        for id in self.pending {
            cx.timers.cancel(&timer(&self.name, Timer::Session(id)));
        }
        for member in self.members.into_values() {
            if let Some(join) = member.awaiting_join {
                cx.refuse(join.token, error.clone());
            }
            if let Some(token) = member.awaiting_sync {
                cx.refuse(token, error.clone());
            }
            cx.timers.cancel(&timer(&self.name, Timer::Session(member.id)));
        }
        cx.timers.cancel(&timer(&self.name, Timer::Join));
        cx.timers.cancel(&timer(&self.name, Timer::Sync));
    }
}
