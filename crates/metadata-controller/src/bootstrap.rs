//! How a controller comes into the quorum: as one of those who form it, as a new observer, or as a voter
//! that comes back, with its data or without.
//!
//! A controller without data asks all others that it knows of before it takes part in anything:
//!
//! - All answer, and nobody has data: the quorum is new. The one with the lowest id forms it, and remembers
//!   whom it asked (its founders).
//! - Somebody has data and names this process as a founder: the quorum has just been formed.
//! - Somebody has data, and knows the members. This controller is not among them: it is new, shows itself
//!   to the active controller, and becomes an observer until somebody makes it a voter.
//! - It is among the voters: its data is lost ([`crate::rejoin`]).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use ottla_config::HostPort;
use ottla_protocol::ids::{BrokerId, KafkaUuid};

use crate::ControllerError;
use crate::contacts::{Answer, Contacts, Found};
use crate::introduce;
use crate::node::Node;
use crate::quorum::{Gate, Member, Members, PeerState};
use crate::rejoin::{Lost, Return};

/// Between rounds, as long as others are likely to be just starting.
const EAGER_PAUSE: Duration = Duration::from_millis(10);
const EAGER_TIME: Duration = Duration::from_secs(5);
const PATIENT_PAUSE: Duration = Duration::from_millis(100);
/// How long a restarted voter looks whether all others are there, to have an election at once.
const RESTART_LOOK: Duration = Duration::from_secs(2);
/// One answer of another voter.
const ASK_DEADLINE: Duration = Duration::from_millis(250);

/// Brings this controller into the quorum.
pub(crate) async fn bootstrap(node: &Arc<Node>) -> Result<(), ControllerError> {
    if node.quorum.gate() == Gate::Open {
        restart(node).await;
        return Ok(());
    }
    let started = Instant::now();
    let store_error = |error: io::Error| node.store_error(error.to_string());
    let mut lost = Lost::begin(node).map_err(store_error)?;
    let mut contacts = Contacts::of(node)?;
    let mut announced = false;
    loop {
        let found = contacts.probe(node).await;
        check(node, &found)?;
        let holders: Vec<&Answer> = answers(&found).filter(|answer| answer.has_data).collect();
        if holders.iter().any(|holder| holder.founders.contains(&incarnation(node))) {
            node.quorum.open_gate(Gate::Open);
            return Ok(());
        }
        let newest = holders.iter().max_by_key(|holder| holder.members.log_id);
        match newest.filter(|holder| holder.members.log_id.is_some()) {
            None => {
                if holders.is_empty()
                    && !lost.half_way
                    && let Some(voters) = founding(node, &found)
                {
                    node.quorum.open_gate(Gate::Open);
                    if voters.iter().all(|voter| node.options.node_id <= voter.id) {
                        form(node, &found, &voters).await?;
                    }
                    return Ok(());
                }
            }
            Some(holder) => {
                contacts.learn(node, &holder.members);
                if holder.members.is_voter(node.options.node_id) {
                    match lost.round(node, holder, &found).await? {
                        Return::Done => return Ok(()),
                        Return::NotYet => {}
                    }
                } else if introduce::as_observer(node, &found).await {
                    // It may be asked for its vote before it knows that it has one. It has never voted in
                    // this quorum with what it has forgotten: the active controller has committed that
                    // it was no voter.
                    tracing::info!("an observer of the quorum");
                    node.quorum.open_gate(Gate::Open);
                    return Ok(());
                } else if !announced {
                    announced = true;
                    tracing::info!("waiting for the active controller, to become an observer");
                }
            }
        }
        let eager = started.elapsed() < EAGER_TIME;
        tokio::time::sleep(if eager { EAGER_PAUSE } else { PATIENT_PAUSE }).await;
    }
}

fn answers(found: &[Found]) -> impl Iterator<Item = &Answer> {
    found.iter().filter_map(|found| found.reply.as_ref())
}

fn incarnation(node: &Node) -> Vec<u8> {
    node.identity.incarnation().as_bytes().to_vec()
}

/// The voters of a quorum that does not exist yet, if everybody is there to form it: those that
/// `controller.quorum.voters` names; else the bootstrap servers, if this node is one of them.
fn founding(node: &Node, found: &[Found]) -> Option<Vec<Member>> {
    let named = node.options.voters.iter().map(|voter| Member {
        id: voter.id,
        address: HostPort { host: voter.host.clone(), port: voter.port },
        // Where it is stands in the settings of every node, and may change there.
        directory_id: KafkaUuid::ZERO,
        voter: true,
    });
    let named: Vec<Member> = named.collect();
    if !named.is_empty() {
        return answers(found).count().eq(&found.len()).then_some(named);
    }
    let servers = found.iter().filter(|found| found.expected.is_none());
    let voters: Vec<Member> = servers
        .map(|found| found.reply.as_ref().map(|answer| answer.to_voter(&found.address)))
        .collect::<Option<_>>()?;
    let ids: BTreeSet<BrokerId> = voters.iter().map(|voter| voter.id).collect();
    let complete = ids.len() == voters.len() && ids.contains(&node.options.node_id);
    complete.then_some(voters)
}

/// The quorum is new, and this node forms it.
async fn form(node: &Node, found: &[Found], voters: &[Member]) -> Result<(), ControllerError> {
    let me = incarnation(node);
    let founders: Vec<Vec<u8>> =
        answers(found).map(|other| other.incarnation.clone()).filter(|id| *id != me).collect();
    let saved = node.quorum.store().save_founders(&founders).await;
    saved.map_err(|error| node.store_error(error.to_string()))?;
    tracing::info!(voters = voters.len(), "forming a new quorum");
    node.quorum.initialize(voters).await.map_err(|reason| node.store_error(reason))
}

/// A voter with data. When all start together, nobody need wait for a timeout to elect: the one with the
/// longest log, of those the one with the lowest id, campaigns as soon as all are there.
async fn restart(node: &Node) {
    let started = Instant::now();
    while started.elapsed() < RESTART_LOOK && node.leadership().leader.is_none() {
        let members: Arc<Members> = node.quorum.members();
        if !members.is_voter(node.options.node_id) {
            return;
        }
        let others = node.quorum.ask_voters(&members, ASK_DEADLINE).await;
        if let Some(others) = all_answered(others) {
            let mine = (node.quorum.last_log_id().await, Reverse(node.identity.node_id()));
            if others.iter().all(|(id, state)| (state.last_log_id, Reverse(*id)) < mine) {
                node.quorum.campaign().await;
            }
            return;
        }
        tokio::time::sleep(EAGER_PAUSE).await;
    }
}

fn all_answered(
    others: BTreeMap<BrokerId, Option<PeerState>>,
) -> Option<Vec<(BrokerId, PeerState)>> {
    others.into_iter().map(|(id, state)| Some((id, state?))).collect()
}

/// An empty controller takes over the cluster's id that the others have; another one than it was told is
/// an error. So is its own node id, if somebody else uses it.
fn check(node: &Node, found: &[Found]) -> Result<(), ControllerError> {
    for found in found {
        let Some(answer) = &found.reply else { continue };
        if answer.id == node.options.node_id && answer.incarnation != incarnation(node) {
            return Err(ControllerError::NodeIdInUse {
                node_id: answer.id,
                at: found.address.clone(),
            });
        }
        node.identity.meet(&answer.cluster_id).map_err(|mismatch| {
            ControllerError::ClusterIdMismatch {
                ours: mismatch.ours,
                who: format!("controller {}", answer.id),
                theirs: mismatch.theirs,
            }
        })?;
    }
    Ok(())
}
