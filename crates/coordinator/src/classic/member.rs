//! A member of a classic group.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::messages::JoinGroupRequest;

use crate::MemberId;
use crate::record::ClassicMemberValue;
use crate::request::{Caller, Token, own};

/// A client that waits for its join to be answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AwaitingJoin {
    pub(crate) token: Token,
    pub(crate) api_version: i16,
}

/// A member of a classic group.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    /// What it speaks, the best first, with its words for each.
    pub(crate) protocols: Vec<(Arc<str>, Bytes)>,
    /// What the leader has assigned to it.
    pub(crate) assignment: Bytes,
    pub(crate) awaiting_join: Option<AwaitingJoin>,
    pub(crate) awaiting_sync: Option<Token>,
    /// Its first join has not been answered yet.
    pub(crate) is_new: bool,
}

impl Member {
    pub(super) fn joining(
        id: MemberId,
        token: Token,
        caller: &Caller,
        request: &JoinGroupRequest,
    ) -> Self {
        Self {
            id,
            instance_id: request.group_instance_id.as_deref().map(Arc::from),
            client_id: Arc::from(&*caller.client_id),
            client_host: Arc::clone(&caller.client_host),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: protocols(request),
            assignment: Bytes::new(),
            awaiting_join: Some(AwaitingJoin { token, api_version: caller.api_version }),
            awaiting_sync: None,
            is_new: true,
        }
    }

    pub(super) fn from_value(value: &ClassicMemberValue, protocol: Option<&Arc<str>>) -> Self {
        let unset = value.rebalance_timeout_ms == -1;
        Self {
            id: Arc::clone(&value.member_id),
            instance_id: value.group_instance_id.clone(),
            client_id: Arc::clone(&value.client_id),
            client_host: Arc::clone(&value.client_host),
            rebalance_timeout_ms: if unset {
                value.session_timeout_ms
            } else {
                value.rebalance_timeout_ms
            },
            session_timeout_ms: value.session_timeout_ms,
            protocols: protocol
                .map(|protocol| (Arc::clone(protocol), value.subscription.clone()))
                .into_iter()
                .collect(),
            assignment: value.assignment.clone(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }

    pub(super) fn value(&self, protocol: &str, assignment: Bytes) -> ClassicMemberValue {
        ClassicMemberValue {
            member_id: Arc::clone(&self.id),
            group_instance_id: self.instance_id.clone(),
            client_id: Arc::clone(&self.client_id),
            client_host: Arc::clone(&self.client_host),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
        }
    }

    /// Its words for a protocol; none if it does not speak it.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let found = self.protocols.iter().find(|(name, _)| &**name == protocol);
        found.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// Whether a silence is no reason to lose it: it waits for the coordinator, and it is not so new that
    /// its client may be gone without anybody knowing.
    pub(super) fn may_be_silent(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}

/// The protocols of a join, each name once.
pub(super) fn protocols(request: &JoinGroupRequest) -> Vec<(Arc<str>, Bytes)> {
    let mut names = BTreeSet::new();
    let protocols = request.protocols.iter().filter(|protocol| names.insert(&*protocol.name));
    protocols.map(|protocol| (Arc::from(&*protocol.name), own(&protocol.metadata))).collect()
}
