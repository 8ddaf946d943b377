//! Who belongs to the quorum: openraft's membership in the terms of the rest of the controller.

use std::fmt;

use ottla_config::HostPort;
use ottla_protocol::ids::{BrokerId, KafkaUuid};

use super::types::{Address, LogId, StoredMembership};
use super::wire::broker_id;

/// A controller that votes, or one that only follows (an observer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: BrokerId,
    pub(crate) address: HostPort,
    /// Names the directory of its log; zero where it is not known.
    pub(crate) directory_id: KafkaUuid,
    pub(crate) voter: bool,
}

/// The members that a controller knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members {
    /// The entry that says so; none before the quorum is formed.
    pub(crate) log_id: Option<LogId>,
    pub(crate) all: Vec<Member>,
}

/// A voter as Kafka writes it.
struct ReplicaKey<'a>(&'a Member);

impl fmt::Display for ReplicaKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplicaKey(id={}, directoryId={})", self.0.id, self.0.directory_id)
    }
}

impl Member {
    pub(super) fn of(id: u64, address: &Address, voter: bool) -> Self {
        Self {
            id: broker_id(id),
            address: HostPort { host: address.host.clone(), port: address.port },
            directory_id: KafkaUuid::from_bytes(address.directory_id),
            voter,
        }
    }

    /// Its id and directory, as Kafka writes them.
    pub(crate) fn key(&self) -> impl fmt::Display + '_ {
        ReplicaKey(self)
    }

    /// As it stands in the log.
    pub(crate) fn to_address(&self) -> Address {
        Address {
            host: self.address.host.clone(),
            port: self.address.port,
            directory_id: *self.directory_id.as_bytes(),
        }
    }
}

impl Members {
    pub(crate) fn of(stored: &StoredMembership) -> Self {
        let voters: Vec<u64> = stored.voter_ids().collect();
        let all = stored.nodes().map(|(id, node)| Member::of(*id, node, voters.contains(id)));
        Self { log_id: *stored.log_id(), all: all.collect() }
    }

    pub(crate) fn get(&self, id: BrokerId) -> Option<&Member> {
        self.all.iter().find(|member| member.id == id)
    }

    pub(crate) fn is_voter(&self, id: BrokerId) -> bool {
        self.get(id).is_some_and(|member| member.voter)
    }

    pub(crate) fn voters(&self) -> impl Iterator<Item = &Member> {
        self.all.iter().filter(|member| member.voter)
    }

    /// The voters but one.
    pub(crate) fn voters_but(&self, id: BrokerId) -> impl Iterator<Item = &Member> {
        self.voters().filter(move |member| member.id != id)
    }
}
