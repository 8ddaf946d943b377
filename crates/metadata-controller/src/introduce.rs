//! How the active controller gets to know the others: each says who and where it is, for as long as the
//! members in the log say otherwise, or the leader is not heard.

use std::sync::Arc;
use std::time::Duration;

use ottla_metadata::feature;
use ottla_rpc::controller::IntroduceRequest;
use ottla_rpc::controller_client;
use tonic::Code;
use tonic::transport::Channel;

use crate::contacts::{Contacts, Found};
use crate::node::Node;
use crate::quorum::{Gate, Member, wire};

/// Between two looks whether it is needed.
const LOOK: Duration = Duration::from_secs(1);
/// A controller that has not heard the leader for so long asks around who it is.
const SILENCE: Duration = Duration::from_secs(3);
/// One attempt: it may take a commit.
const DEADLINE: Duration = Duration::from_secs(2);

/// Introduces this controller whenever it is needed, for ever.
pub(crate) async fn keep(node: Arc<Node>) {
    let Ok(mut contacts) = Contacts::of(&node) else { return };
    loop {
        tokio::time::sleep(LOOK).await;
        if !is_needed(&node) {
            continue;
        }
        if let Some(active) = node.active() {
            if let Err(error) = node.introduced(&active, own(&node)).await {
                tracing::info!(%error, "could not take over where this controller is");
            }
            continue;
        }
        contacts.learn(&node, &node.quorum.members());
        let leader = node.leadership().leader.and_then(|leader| node.quorum.channel(leader));
        let known = match leader {
            Some(channel) => call(&node, channel).await.is_some(),
            None => false,
        };
        if !known {
            let found = contacts.probe(&node).await;
            for answer in found.iter().filter_map(|found| found.reply.as_ref()) {
                contacts.learn(&node, &answer.members);
            }
            ask_leader_of(&node, &found).await;
        }
    }
}

/// This controller.
fn own(node: &Node) -> Member {
    Member {
        id: node.options.node_id,
        address: node.options.address.clone(),
        directory_id: node.options.directory_id,
        voter: false,
    }
}

fn is_needed(node: &Node) -> bool {
    let members = node.quorum.members();
    if node.quorum.gate() == Gate::Closed || members.log_id.is_none() {
        return false;
    }
    let leadership = node.leadership();
    let heard = || {
        let leader = leadership.leader?;
        Some(node.quorum.last_contact(leader)?.elapsed() < SILENCE)
    };
    match members.get(node.options.node_id) {
        None => true,
        // It may have been removed or forgotten, by an entry that it never got.
        Some(_) if !leadership.leading && heard() != Some(true) => true,
        Some(member) => {
            let reconfigurable = node.committed.image().feature_level(feature::KRAFT_VERSION) >= 1;
            let known = Member { voter: false, ..member.clone() };
            (reconfigurable || !member.voter) && known != own(node)
        }
    }
}

/// A controller that is no voter, as far as anybody says, shows itself to the active controller. True when
/// that one has taken it for an observer.
pub(crate) async fn as_observer(node: &Node, found: &[Found]) -> bool {
    ask_leader_of(node, found).await == Some(Taken { voter: false })
}

/// The active controller's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken {
    voter: bool,
}

async fn ask_leader_of(node: &Node, found: &[Found]) -> Option<Taken> {
    let answers = || found.iter().filter_map(|found| found.reply.as_ref());
    for leader in answers().map(|answer| answer.leader).filter(|leader| *leader >= 0) {
        let at = found.iter().find(|found| found.reply.as_ref().is_some_and(|it| it.id == leader));
        if let Some(at) = at {
            node.quorum.reach(leader, &at.address);
        }
        let Some(channel) = node.quorum.channel(leader) else { continue };
        if let Some(taken) = call(node, channel).await {
            return Some(taken);
        }
    }
    None
}

async fn call(node: &Node, leader: Channel) -> Option<Taken> {
    let own = own(node);
    let request = IntroduceRequest {
        cluster_id: node.identity.cluster_id().unwrap_or_default(),
        node: Some(wire::node_to_proto(own.id, &own.to_address())),
    };
    match tokio::time::timeout(DEADLINE, controller_client(leader).introduce(request)).await {
        Ok(Ok(reply)) => Some(Taken { voter: reply.into_inner().voter }),
        Ok(Err(status)) => {
            match status.code() {
                Code::FailedPrecondition | Code::Unavailable => {
                    tracing::debug!("not introduced: {}", status.message());
                }
                _ => tracing::warn!("the active controller refuses this one: {}", status.message()),
            }
            None
        }
        Err(_) => None,
    }
}
