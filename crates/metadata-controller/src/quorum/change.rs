//! Changes of the membership. Each is one entry that differs from the committed one before it by at most
//! one voter, so that any two majorities meet; a leader makes none before it has committed an entry of its
//! own term.

use std::collections::{BTreeMap, BTreeSet};

use openraft::ChangeMembers;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::raft::Precondition;
use ottla_protocol::ids::BrokerId;

use super::Quorum;
use super::members::{Member, Members};
use super::types::{Address, Membership, Payload, TypeConfig};
use super::wire::raft_id;

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChangeError {
    /// Nothing was written.
    #[error("this controller does not lead any more")]
    NotLeader,
    /// Nothing was written: another change is not committed yet, or was faster.
    #[error("another change of the members is under way")]
    Busy,
    /// It was appended, and may yet be committed by another leader.
    #[error("leadership was lost before the change was committed; it may have been made")]
    Unknown,
    /// openraft does not do such a thing.
    #[error("{0}")]
    Impossible(String),
}

type Outcome<T> = Result<T, RaftError<TypeConfig, ClientWriteError<TypeConfig>>>;

impl Quorum {
    /// Makes a controller an observer, or takes over what has changed of a member: where it is, and its
    /// directory. `seen` is the membership that this rests on.
    pub(crate) async fn set_member(
        &self,
        seen: &Members,
        member: &Member,
    ) -> Result<(), ChangeError> {
        let node = BTreeMap::from([(raft_id(member.id), member.to_address())]);
        let change = match seen.get(member.id) {
            None => ChangeMembers::AddNodes(node),
            Some(_) => ChangeMembers::SetNodes(node),
        };
        self.change(seen, change).await
    }

    /// Forgets an observer.
    pub(crate) async fn forget(&self, seen: &Members, id: BrokerId) -> Result<(), ChangeError> {
        self.change(seen, ChangeMembers::RemoveNodes(BTreeSet::from([raft_id(id)]))).await
    }

    async fn change(
        &self,
        seen: &Members,
        change: ChangeMembers<u64, Address>,
    ) -> Result<(), ChangeError> {
        judge(self.raft.change_membership_if(change, true, unchanged(seen)).await)
    }

    /// Makes `members` the members. Their voters differ from those of `seen` by one.
    pub(crate) async fn set_voters(
        &self,
        seen: &Members,
        members: &[Member],
    ) -> Result<(), ChangeError> {
        let voters = members.iter().filter(|member| member.voter).map(|member| raft_id(member.id));
        let nodes: BTreeMap<u64, Address> =
            members.iter().map(|member| (raft_id(member.id), member.to_address())).collect();
        let membership = Membership::new(vec![voters.collect::<BTreeSet<_>>()], nodes)
            .map_err(|error| ChangeError::Impossible(error.to_string()))?;
        judge(self.raft.append_membership(membership, Payload::Blank, unchanged(seen)).await)
    }
}

fn unchanged(seen: &Members) -> [Precondition<TypeConfig>; 1] {
    [Precondition::LastMembershipLogId { last_membership_log_id: seen.log_id }]
}

fn judge<T>(outcome: Outcome<T>) -> Result<(), ChangeError> {
    use ChangeMembershipError::{InProgress, UncommittedLeaderLog};
    let error = match outcome {
        Ok(_) => return Ok(()),
        Err(RaftError::APIError(error)) => error,
        Err(RaftError::Fatal(_)) => return Err(ChangeError::Unknown),
    };
    Err(match error {
        ClientWriteError::ForwardToLeader(_) => ChangeError::NotLeader,
        ClientWriteError::PreconditionFailed(_) => ChangeError::Busy,
        ClientWriteError::ChangeMembershipError(InProgress(_) | UncommittedLeaderLog(_)) => {
            ChangeError::Busy
        }
        ClientWriteError::LogEntryDiscarded(_) => ChangeError::Unknown,
        ClientWriteError::ChangeMembershipError(error) => {
            ChangeError::Impossible(error.to_string())
        }
    })
}
