//! The session of a member: heartbeats, and the farewell.

use std::future::Future;
use std::time::{Duration, Instant};

use ottla_protocol::StrBytes;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::{HeartbeatRequest, LeaveGroupRequest};

use super::super::membership::passes;
use super::{Classic, Refusal, judge, text};
use crate::error::{ApiError, ClientError};

/// How a time of heartbeats ended.
pub(super) enum Beat<T> {
    /// What was waited for came.
    Done(T),
    /// The group rebalances.
    Rebalance,
    /// The group has gone on without this member.
    Lost,
}

impl Classic {
    /// Keeps the session while something else is waited for; news of a rebalance ends it unless
    /// `through_rebalance`.
    pub(super) async fn beat_while<T>(
        &self,
        generation: i32,
        other: impl Future<Output = T>,
        through_rebalance: bool,
    ) -> Result<Beat<T>, ClientError> {
        let options = &self.member.shared.options;
        let interval = Duration::from_millis(options.heartbeat_interval_ms);
        let session = Duration::from_millis(options.session_timeout_ms);
        let mut alive_at = Instant::now();
        let mut attempt = 0;
        tokio::pin!(other);
        loop {
            let pause = match attempt {
                0 => interval,
                _ => self.member.client.options().backoff(attempt).min(interval),
            };
            let beat = async {
                tokio::time::sleep(pause).await;
                self.heartbeat(generation).await
            };
            let answer = tokio::select! {
                done = &mut other => return Ok(Beat::Done(done)),
                answer = beat => answer,
            };
            match answer {
                Ok(None) => {
                    alive_at = Instant::now();
                    attempt = 0;
                    continue;
                }
                Ok(Some(error)) => match judge(&error) {
                    Refusal::Rejoin if through_rebalance => {
                        alive_at = Instant::now();
                        attempt = 0;
                        continue;
                    }
                    Refusal::Rejoin => return Ok(Beat::Rebalance),
                    Refusal::Lost => return Ok(Beat::Lost),
                    Refusal::Later => {}
                    Refusal::Lasting => return Err(error.into()),
                },
                Err(error) if passes(&error) => {}
                Err(error) => return Err(error),
            }
            attempt += 1;
            if alive_at.elapsed() > session {
                return Ok(Beat::Lost);
            }
        }
    }

    /// One heartbeat; an answer's error is an answer.
    async fn heartbeat(&self, generation: i32) -> Result<Option<ApiError>, ClientError> {
        let build = |version: i16| {
            let request = HeartbeatRequest::default()
                .with_group_id(self.group_id())
                .with_generation_id(generation)
                .with_member_id(text(&self.member_id));
            if version >= 3 { request.with_group_instance_id(self.instance_id()) } else { request }
        };
        let coordinator = &self.member.shared.coordinator;
        let (_, response) = coordinator.ask(self.member.limit(), build).await?;
        let error = ApiError::from_wire(response.error_code, None);
        Ok(error.map(|error| coordinator.judge(error)))
    }

    /// Tells the group that this member goes. A static one stays until its session ends, so that it
    /// finds its partitions when it comes back (KIP-345).
    pub(in crate::group) async fn leave(&mut self) {
        if self.member_id.is_empty() || self.member.shared.options.instance_id.is_some() {
            return;
        }
        let build = |version: i16| {
            let request = LeaveGroupRequest::default().with_group_id(self.group_id());
            if version < 3 {
                return request.with_member_id(text(&self.member_id));
            }
            let identity = MemberIdentity::default().with_member_id(text(&self.member_id));
            let identity = if version >= 5 {
                identity
                    .with_reason(Some(StrBytes::from_static_str("the consumer is being closed")))
            } else {
                identity
            };
            request.with_members(vec![identity])
        };
        // Whether it arrives or not, the session ends.
        let _ = self.member.shared.coordinator.ask_apart(self.member.limit(), build).await;
        self.member_id.clear();
    }
}
