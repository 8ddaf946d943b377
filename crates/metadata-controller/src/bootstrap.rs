//! How a quorum comes to be, and how a voter that has lost its data comes back.
//!
//! A voter without data asks all others before it takes part in anything:
//!
//! - All answer, and nobody has data: the quorum is new. The one with the lowest id forms it, and remembers
//!   whom it asked (its founders).
//! - Somebody has data and names this process as a founder: the quorum has just been formed.
//! - Otherwise this voter's data is lost, and with it its votes and its part of the log. It neither votes
//!   nor campaigns until all others follow one leader and it has all that they have. Should the voters
//!   without data be a majority, they could outvote what is left: they stop, and say so.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use ottla_protocol::ids::BrokerId;
use ottla_rpc::controller::{ProbeReply, ProbeRequest};
use ottla_rpc::controller_client;

use crate::ControllerError;
use crate::node::Node;
use crate::quorum::{Gate, PeerState};

/// One answer to a probe.
const PROBE_DEADLINE: Duration = Duration::from_millis(250);
/// Between rounds, as long as others are likely to be just starting.
const EAGER_PAUSE: Duration = Duration::from_millis(10);
const EAGER_TIME: Duration = Duration::from_secs(5);
const PATIENT_PAUSE: Duration = Duration::from_millis(100);
/// Answers of one round are not from one moment: only what so many rounds in a row say is believed.
const SURE_ROUNDS: u32 = 20;
/// How long a restarted voter looks whether all others are there, to have an election at once.
const RESTART_LOOK: Duration = Duration::from_secs(2);

type Probed = BTreeMap<BrokerId, Option<ProbeReply>>;

/// Brings this voter into the quorum.
pub(crate) async fn bootstrap(node: &Arc<Node>) -> Result<(), ControllerError> {
    if node.quorum.gate() == Gate::Open {
        restart(node).await;
        return Ok(());
    }
    let me = node.identity.node_id();
    let majority = node.quorum.voters().len() / 2 + 1;
    let started = Instant::now();
    let mut empty_majority_rounds = 0;
    let mut announced = false;
    let store_error = |error: io::Error| node.store_error(error.to_string());
    let rejoining = node.quorum.store().is_rejoining().map_err(store_error)?;
    loop {
        let probed = probe_all(node).await;
        check_cluster(node, &probed)?;
        let answered: Vec<&ProbeReply> = probed.values().flatten().collect();
        let all = answered.len() == probed.len();
        let holders = || answered.iter().filter(|reply| reply.has_data);
        let my_incarnation = node.identity.incarnation();
        if holders()
            .any(|reply| reply.founders.iter().any(|id| id[..] == my_incarnation.as_bytes()[..]))
        {
            node.quorum.open_gate(Gate::Open);
            return Ok(());
        }
        match holders().next() {
            None if all && !rejoining => {
                node.quorum.open_gate(Gate::Open);
                if node.quorum.voters().iter().all(|voter| me <= voter.id) {
                    form(node, &answered).await?;
                }
                return Ok(());
            }
            None => empty_majority_rounds = 0,
            Some(holder) => {
                let empty = probed.len() + 1 - holders().count();
                empty_majority_rounds =
                    if all && empty >= majority { empty_majority_rounds + 1 } else { 0 };
                if empty_majority_rounds >= SURE_ROUNDS {
                    return Err(ControllerError::EmptyMajority {
                        empty,
                        voters: probed.len() + 1,
                        holder: holder.node_id,
                    });
                }
                if !announced {
                    announced = true;
                    tracing::warn!(
                        "this controller has no data, but controller {} has: it does not vote until it has \
                         caught up",
                        holder.node_id
                    );
                }
                if rejoin(node).await.map_err(store_error)? {
                    return Ok(());
                }
            }
        }
        let eager = started.elapsed() < EAGER_TIME;
        tokio::time::sleep(if eager { EAGER_PAUSE } else { PATIENT_PAUSE }).await;
    }
}

/// The quorum is new, and this node forms it.
async fn form(node: &Node, others: &[&ProbeReply]) -> Result<(), ControllerError> {
    let founders: Vec<Vec<u8>> = others.iter().map(|reply| reply.incarnation_id.to_vec()).collect();
    let saved = node.quorum.store().save_founders(&founders).await;
    saved.map_err(|error| node.store_error(error.to_string()))?;
    tracing::info!(voters = founders.len() + 1, "forming a new quorum");
    node.quorum.initialize().await.map_err(|reason| node.store_error(reason))
}

/// One round of coming back: true when this voter is a full one again.
async fn rejoin(node: &Node) -> io::Result<bool> {
    let others = node.quorum.ask_peers(PROBE_DEADLINE).await;
    let Some(target) = agreed(&others) else { return Ok(false) };
    if node.quorum.gate() == Gate::Closed {
        // Before the first entry: should it restart half-way, it must not take itself for whole.
        node.quorum.store().set_rejoining(true).await?;
        node.quorum.open_gate(Gate::Follow);
        tracing::info!(target = ?target.last_log_id, "the others follow one leader: catching up with it");
    }
    if node.quorum.last_log_id().await < target.last_log_id {
        return Ok(false);
    }
    node.quorum.store().set_rejoining(false).await?;
    tracing::info!("caught up: voting again");
    node.quorum.open_gate(Gate::Open);
    Ok(true)
}

/// The furthest of the others, if all of them answered and have accepted the same leader. Then nobody can
/// come to lead by a vote that this node gave and has forgotten.
fn agreed(others: &BTreeMap<BrokerId, Option<PeerState>>) -> Option<PeerState> {
    let states: Vec<&PeerState> = others.values().map(Option::as_ref).collect::<Option<_>>()?;
    let first = states.first()?;
    let same = states.iter().all(|state| state.has_accepted_leader_of(first));
    let furthest = states.iter().max_by_key(|state| state.last_log_id)?;
    same.then(|| (*furthest).clone())
}

/// A voter with data. When all start together, nobody need wait for a timeout to elect: the one with the
/// longest log, of those the one with the lowest id, campaigns as soon as all are there.
async fn restart(node: &Node) {
    let started = Instant::now();
    while started.elapsed() < RESTART_LOOK && node.leadership().leader.is_none() {
        let others = node.quorum.ask_peers(PROBE_DEADLINE).await;
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

async fn probe_all(node: &Node) -> Probed {
    let me = node.identity.node_id();
    let others = node.quorum.voters().iter().filter(|voter| voter.id != me);
    let probes = others.map(|voter| async move {
        let answer = tokio::time::timeout(PROBE_DEADLINE, probe(node, voter.id)).await;
        (voter.id, answer.ok().flatten())
    });
    futures::future::join_all(probes).await.into_iter().collect()
}

async fn probe(node: &Node, id: BrokerId) -> Option<ProbeReply> {
    let request = ProbeRequest {
        cluster_id: node.identity.cluster_id().unwrap_or_default(),
        node_id: node.identity.node_id(),
    };
    let reply = controller_client(node.quorum.channel(id)?).probe(request).await.ok()?.into_inner();
    if reply.node_id != id {
        tracing::warn!(
            "controller.quorum.voters says that controller {id} is where controller {} answers",
            reply.node_id
        );
        return None;
    }
    Some(reply)
}

/// An empty voter takes over the id that the others have; another one than it was told is an error.
fn check_cluster(node: &Node, probed: &Probed) -> Result<(), ControllerError> {
    for (id, reply) in probed {
        let Some(reply) = reply else { continue };
        node.identity.meet(&reply.cluster_id).map_err(|mismatch| {
            ControllerError::ClusterIdMismatch {
                ours: mismatch.ours,
                who: format!("controller {id}"),
                theirs: mismatch.theirs,
            }
        })?;
    }
    Ok(())
}
