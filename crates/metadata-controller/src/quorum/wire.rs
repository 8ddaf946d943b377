//! Raft's values to and from protobuf (`quorum.proto`), for the wire and for the disk alike.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use openraft::Vote as OpenraftVote;
use ottla_protocol::ids::BrokerId;
use ottla_rpc::quorum as proto;

use super::types::{
    Address, AppendEntriesRequest, AppendEntriesResponse, EncodedBatch, Entry, LogId, Membership,
    Payload, StoredMembership, Vote, VoteRequest, VoteResponse, log_id,
};

/// A message that lacks what it must have, or holds what it cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed quorum message: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Raft's node ids are not negative by configuration.
pub(crate) fn raft_id(id: BrokerId) -> u64 {
    u64::try_from(id).unwrap_or(u64::MAX)
}

/// Back to a `node.id`; -1 for what is none.
pub(crate) fn broker_id(id: u64) -> BrokerId {
    BrokerId::try_from(id).unwrap_or(-1)
}

pub(crate) fn vote_to_proto(vote: &Vote) -> proto::Vote {
    proto::Vote {
        term: vote.leader_id.term,
        node_id: broker_id(vote.leader_id.voted_for),
        committed: vote.committed,
    }
}

pub(crate) fn vote_from_proto(vote: Option<proto::Vote>) -> Result<Vote, Malformed> {
    let vote = vote.ok_or(Malformed("no vote"))?;
    let node = raft_id(vote.node_id);
    Ok(if vote.committed {
        OpenraftVote::new_committed(vote.term, node)
    } else {
        OpenraftVote::new(vote.term, node)
    })
}

/// One leader per term: the term alone names an entry's leader.
pub(crate) fn log_id_to_proto(id: &LogId) -> proto::LogId {
    proto::LogId { term: id.leader_id.term, node_id: 0, index: id.index }
}

pub(crate) fn log_id_from_proto(id: proto::LogId) -> LogId {
    log_id(id.term, id.index)
}

pub(crate) fn entry_to_proto(entry: &Entry) -> proto::Entry {
    let payload = match &entry.payload {
        Payload::Blank => proto::entry::Payload::Blank(true),
        Payload::Normal(batch) => proto::entry::Payload::Batch(batch.0.clone()),
        Payload::Membership(membership) => {
            proto::entry::Payload::Membership(membership_to_proto(membership))
        }
    };
    proto::Entry { log_id: Some(log_id_to_proto(&entry.log_id)), payload: Some(payload) }
}

pub(crate) fn entry_from_proto(entry: proto::Entry) -> Result<Entry, Malformed> {
    let log_id = entry.log_id.ok_or(Malformed("an entry without log id"))?;
    let payload = match entry.payload.ok_or(Malformed("an entry of a kind not known here"))? {
        proto::entry::Payload::Blank(_) => Payload::Blank,
        proto::entry::Payload::Batch(bytes) => Payload::Normal(EncodedBatch(bytes)),
        proto::entry::Payload::Membership(membership) => {
            Payload::Membership(membership_from_proto(membership)?)
        }
    };
    Ok(Entry { log_id: log_id_from_proto(log_id), payload })
}

fn membership_to_proto(membership: &Membership) -> proto::Membership {
    proto::Membership {
        configs: membership
            .get_joint_config()
            .iter()
            .map(|voters| proto::VoterSet {
                voters: voters.iter().map(|id| broker_id(*id)).collect(),
            })
            .collect(),
        nodes: membership
            .nodes()
            .map(|(id, address)| node_to_proto(broker_id(*id), address))
            .collect(),
    }
}

fn membership_from_proto(membership: proto::Membership) -> Result<Membership, Malformed> {
    if membership.configs.is_empty() && membership.nodes.is_empty() {
        return Ok(Membership::default());
    }
    let configs: Vec<BTreeSet<u64>> = membership
        .configs
        .into_iter()
        .map(|set| set.voters.into_iter().map(raft_id).collect())
        .collect();
    let nodes: BTreeMap<u64, Address> = membership
        .nodes
        .into_iter()
        .map(|node| Ok((raft_id(node.node_id), address_from_proto(node)?)))
        .collect::<Result<_, Malformed>>()?;
    Membership::new(configs, nodes).map_err(|_| Malformed("a membership that cannot be"))
}

pub(crate) fn node_to_proto(node_id: BrokerId, address: &Address) -> proto::Node {
    let known = address.directory_id != [0; 16];
    proto::Node {
        node_id,
        host: address.host.clone(),
        port: u32::from(address.port),
        directory_id: if known { address.directory_id.to_vec().into() } else { Bytes::new() },
    }
}

pub(crate) fn address_from_proto(node: proto::Node) -> Result<Address, Malformed> {
    let directory_id = match &*node.directory_id {
        [] => [0; 16],
        bytes => bytes.try_into().map_err(|_| Malformed("a directory id that is not 16 bytes"))?,
    };
    let port = u16::try_from(node.port).map_err(|_| Malformed("a port above 65535"))?;
    Ok(Address { host: node.host, port, directory_id })
}

pub(crate) fn stored_membership_to_proto(stored: &StoredMembership) -> proto::StoredMembership {
    proto::StoredMembership {
        log_id: stored.log_id().as_ref().map(log_id_to_proto),
        membership: Some(membership_to_proto(stored.membership())),
    }
}

pub(crate) fn stored_membership_from_proto(
    stored: Option<proto::StoredMembership>,
) -> Result<StoredMembership, Malformed> {
    let Some(stored) = stored else { return Ok(StoredMembership::default()) };
    let membership =
        stored.membership.map_or_else(|| Ok(Membership::default()), membership_from_proto)?;
    Ok(StoredMembership::new(stored.log_id.map(log_id_from_proto), membership))
}

pub(crate) fn append_to_proto(request: &AppendEntriesRequest) -> proto::AppendRequest {
    proto::AppendRequest {
        envelope: None,
        vote: Some(vote_to_proto(&request.vote)),
        prev_log_id: request.prev_log_id.as_ref().map(log_id_to_proto),
        entries: request.entries.iter().map(entry_to_proto).collect(),
        leader_commit: request.leader_commit.as_ref().map(log_id_to_proto),
        request_id: 0,
    }
}

pub(crate) fn append_from_proto(
    request: proto::AppendRequest,
) -> Result<AppendEntriesRequest, Malformed> {
    Ok(AppendEntriesRequest {
        vote: vote_from_proto(request.vote)?,
        prev_log_id: request.prev_log_id.map(log_id_from_proto),
        entries: request.entries.into_iter().map(entry_from_proto).collect::<Result<_, _>>()?,
        leader_commit: request.leader_commit.map(log_id_from_proto),
    })
}

pub(crate) fn append_reply_to_proto(reply: &AppendEntriesResponse) -> proto::append_reply::Result {
    use proto::append_reply::Result as Wire;
    match reply {
        AppendEntriesResponse::Success => Wire::Success(true),
        AppendEntriesResponse::PartialSuccess(Some(upto)) => Wire::Partial(log_id_to_proto(upto)),
        // Nothing of it is there: no different, to the sender, from a conflict at its start.
        AppendEntriesResponse::PartialSuccess(None) | AppendEntriesResponse::Conflict => {
            Wire::Conflict(true)
        }
        AppendEntriesResponse::HigherVote(vote) => Wire::HigherVote(vote_to_proto(vote)),
    }
}

pub(crate) fn append_reply_from_proto(
    reply: proto::append_reply::Result,
) -> Result<AppendEntriesResponse, Malformed> {
    use proto::append_reply::Result as Wire;
    Ok(match reply {
        Wire::Success(_) => AppendEntriesResponse::Success,
        Wire::Partial(upto) => AppendEntriesResponse::PartialSuccess(Some(log_id_from_proto(upto))),
        Wire::Conflict(_) => AppendEntriesResponse::Conflict,
        Wire::HigherVote(vote) => AppendEntriesResponse::HigherVote(vote_from_proto(Some(vote))?),
    })
}

pub(crate) fn vote_request_to_proto(request: &VoteRequest) -> proto::VoteRequest {
    proto::VoteRequest {
        envelope: None,
        vote: Some(vote_to_proto(&request.vote)),
        last_log_id: request.last_log_id.as_ref().map(log_id_to_proto),
        leadership_transfer: request.leadership_transfer,
    }
}

pub(crate) fn vote_request_from_proto(
    request: proto::VoteRequest,
) -> Result<VoteRequest, Malformed> {
    Ok(VoteRequest {
        vote: vote_from_proto(request.vote)?,
        last_log_id: request.last_log_id.map(log_id_from_proto),
        leadership_transfer: request.leadership_transfer,
    })
}

pub(crate) fn vote_reply_to_proto(reply: &VoteResponse) -> proto::VoteReply {
    proto::VoteReply {
        vote: Some(vote_to_proto(&reply.vote)),
        granted: reply.vote_granted,
        last_log_id: reply.last_log_id.as_ref().map(log_id_to_proto),
    }
}

pub(crate) fn vote_reply_from_proto(reply: proto::VoteReply) -> Result<VoteResponse, Malformed> {
    Ok(VoteResponse {
        vote: vote_from_proto(reply.vote)?,
        vote_granted: reply.granted,
        last_log_id: reply.last_log_id.map(log_id_from_proto),
    })
}
