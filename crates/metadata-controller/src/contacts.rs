//! Controllers by their addresses: those that the settings name, and those that one has heard of. For as
//! long as nobody knows who belongs to the quorum.

use std::time::Duration;

use ottla_config::HostPort;
use ottla_protocol::ids::{BrokerId, KafkaUuid};
use ottla_rpc::controller::{ProbeReply, ProbeRequest};
use ottla_rpc::{ChannelOptions, controller_client};
use tonic::transport::Channel;

use crate::ControllerError;
use crate::node::Node;
use crate::quorum::{Member, Members, wire};

/// One answer to a probe.
const PROBE_DEADLINE: Duration = Duration::from_millis(250);
/// More addresses than any quorum has are not asked.
const MAX_CONTACTS: usize = 64;

/// The addresses to ask.
pub(crate) struct Contacts(Vec<Contact>);

struct Contact {
    address: HostPort,
    /// Who should answer there, where it is known.
    expected: Option<BrokerId>,
    channel: Channel,
}

/// What one address answered.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) address: HostPort,
    pub(crate) expected: Option<BrokerId>,
    pub(crate) reply: Option<Answer>,
}

/// A controller's answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) id: BrokerId,
    pub(crate) cluster_id: String,
    pub(crate) incarnation: Vec<u8>,
    pub(crate) founders: Vec<Vec<u8>>,
    pub(crate) has_data: bool,
    /// -1: none known.
    pub(crate) leader: BrokerId,
    pub(crate) directory_id: KafkaUuid,
    pub(crate) members: Members,
}

impl Contacts {
    /// The addresses that the node's settings name, but its own.
    ///
    /// # Errors
    /// An address that cannot be dialled.
    pub(crate) fn of(node: &Node) -> Result<Self, ControllerError> {
        let options = &node.options;
        let mut contacts = Self(Vec::new());
        let voters = options
            .voters
            .iter()
            .map(|voter| (HostPort { host: voter.host.clone(), port: voter.port }, Some(voter.id)));
        let servers = options.bootstrap_servers.iter().map(|server| (server.clone(), None));
        for (address, expected) in voters.chain(servers) {
            if expected != Some(options.node_id) {
                let added = contacts.add(address, expected);
                added.map_err(|error| ControllerError::Address { reason: error.to_string() })?;
            }
        }
        Ok(contacts)
    }

    fn add(
        &mut self,
        address: HostPort,
        expected: Option<BrokerId>,
    ) -> Result<(), ottla_rpc::InvalidAddress> {
        let known = self.0.iter().any(|contact| contact.address == address);
        if !known && self.0.len() < MAX_CONTACTS {
            let options = ChannelOptions::default();
            let channel = ottla_rpc::channel(&address.host, address.port, &options)?;
            self.0.push(Contact { address, expected, channel });
        }
        Ok(())
    }

    /// Takes up the voters that somebody told of.
    pub(crate) fn learn(&mut self, node: &Node, members: &Members) {
        for member in members.voters_but(node.options.node_id) {
            node.quorum.learn(member);
            if let Err(error) = self.add(node.quorum.locate(member), Some(member.id)) {
                tracing::warn!(controller = member.id, "{error}");
            }
        }
    }

    /// Asks all of them once.
    pub(crate) async fn probe(&self, node: &Node) -> Vec<Found> {
        let probes = self.0.iter().map(|contact| async move {
            let answer = tokio::time::timeout(PROBE_DEADLINE, contact.probe(node)).await;
            Found {
                address: contact.address.clone(),
                expected: contact.expected,
                reply: answer.ok().flatten(),
            }
        });
        futures::future::join_all(probes).await
    }
}

impl Contact {
    async fn probe(&self, node: &Node) -> Option<Answer> {
        let request = ProbeRequest {
            cluster_id: node.identity.cluster_id().unwrap_or_default(),
            node_id: node.identity.node_id(),
        };
        let reply = controller_client(self.channel.clone()).probe(request).await.ok()?;
        let answer = Answer::of(reply.into_inner())?;
        match self.expected {
            Some(expected) if expected != answer.id => {
                tracing::warn!(
                    "at {}, where controller {expected} should be, controller {} answers",
                    self.address,
                    answer.id
                );
                None
            }
            _ => Some(answer),
        }
    }
}

impl Answer {
    /// `None` if it holds what cannot be.
    fn of(reply: ProbeReply) -> Option<Self> {
        let directory_id = match &*reply.directory_id {
            [] => KafkaUuid::ZERO,
            bytes => KafkaUuid::from_bytes(bytes.try_into().ok()?),
        };
        Some(Self {
            id: reply.node_id,
            cluster_id: reply.cluster_id,
            incarnation: reply.incarnation_id.to_vec(),
            founders: reply.founders.into_iter().map(|id| id.to_vec()).collect(),
            has_data: reply.has_data,
            leader: reply.leader_id,
            directory_id,
            members: Members::of(&wire::stored_membership_from_proto(reply.membership).ok()?),
        })
    }

    /// The controller that answered, as a voter of a quorum to be formed.
    pub(crate) fn to_voter(&self, address: &HostPort) -> Member {
        Member {
            id: self.id,
            address: address.clone(),
            directory_id: self.directory_id,
            voter: true,
        }
    }
}
