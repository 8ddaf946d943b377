//! openraft, closed to the types of this crate. Other modules name these aliases, never its generics.

use std::fmt;

use bytes::Bytes;
use openraft::impls::leader_id_std::LeaderId;
use openraft::type_config::alias::{
    EntryOf, LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf, VoteOf,
};
use serde::{Deserialize, Serialize};

use super::state_machine::StateMachine;

openraft::declare_raft_types!(
    /// The quorum's types. The standard leader id: one leader per term, so that a term is an epoch.
    pub(crate) TypeConfig:
        D = EncodedBatch,
        R = (),
        NodeId = u64,
        Node = Address,
        Term = u64,
        LeaderId = LeaderId<u64, u64>,
);

pub(crate) type Raft = openraft::Raft<TypeConfig, StateMachine>;
pub(crate) type Vote = VoteOf<TypeConfig>;
pub(crate) type LogId = LogIdOf<TypeConfig>;
pub(crate) type Entry = EntryOf<TypeConfig>;
pub(crate) type Payload = openraft::EntryPayload<EncodedBatch, u64, Address>;
pub(crate) type Membership = openraft::Membership<u64, Address>;
pub(crate) type StoredMembership = StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = SnapshotMetaOf<TypeConfig>;
/// Its data is an encoded metadata batch that holds the whole image.
pub(crate) type Snapshot = SnapshotOf<TypeConfig, Bytes>;
pub(crate) type AppendEntriesRequest = openraft::raft::AppendEntriesRequest<TypeConfig>;
pub(crate) type AppendEntriesResponse = openraft::raft::AppendEntriesResponse<TypeConfig>;
pub(crate) type VoteRequest = openraft::raft::VoteRequest<TypeConfig>;
pub(crate) type VoteResponse = openraft::raft::VoteResponse<TypeConfig>;
pub(crate) type TransferLeaderRequest = openraft::raft::TransferLeaderRequest<TypeConfig>;

/// An encoded `ottla.records.v1.MetadataBatch`. (The serde traits are what openraft asks for: neither the
/// wire nor the disk sees them.)
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EncodedBatch(pub(crate) Bytes);

impl fmt::Debug for EncodedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "batch of {} bytes", self.0.len())
    }
}

impl fmt::Display for EncodedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Where a member is reached, and the directory of its log; zeros where that is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) directory_id: [u8; 16],
}

/// A log id by its two numbers.
pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId { leader_id: term.into(), index }
}
