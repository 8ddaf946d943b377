//! Controllers watch one another by a standing stream. When the leader's ends and the reconnect is refused,
//! its process is gone, and a survivor takes over without waiting for the lease.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::{AbortHandle, JoinSet};
use tonic::Streaming;

use ottla_config::Voter;
use ottla_protocol::ids::BrokerId;
use ottla_rpc::quorum as proto;
use ottla_rpc::{ChannelOptions, connect, is_refused, quorum_client};

use crate::node::Node;
use crate::quorum::Gate;

/// Survivors go one after the other, so that they do not split the votes.
const STAGGER: Duration = Duration::from_millis(30);
/// After so many rounds the election timeouts decide.
const ROUNDS: usize = 10;
/// How long the other survivors are asked for the end of their logs.
const ASK_PATIENCE: Duration = Duration::from_millis(20);
/// A connection that broke is dialled again at once; one that never was, now and then.
const SUSPICIOUS_RETRY: Duration = Duration::from_millis(4);
const QUIET_RETRY: Duration = Duration::from_millis(100);
/// From connecting to the first word.
const GREETING_DEADLINE: Duration = Duration::from_millis(1000);

/// What an attempt to reach a controller found.
enum Found {
    /// It is there, in this incarnation; the stream stands.
    There(Bytes, Box<Streaming<proto::PresenceReply>>),
    Refused,
    NoAnswer,
}

/// Watches the other voters, whoever they are, for as long as this node is a voter.
pub(crate) async fn watch_peers(node: Arc<Node>) {
    let me = node.options.node_id;
    let mut members = node.quorum.watch_members();
    let mut watches = JoinSet::new();
    let mut watched: BTreeMap<BrokerId, (Voter, AbortHandle)> = BTreeMap::new();
    loop {
        let known = Arc::clone(&members.borrow_and_update());
        let wanted: Vec<Voter> = match known.is_voter(me) {
            true => node.quorum.voters().into_iter().filter(|voter| voter.id != me).collect(),
            false => Vec::new(),
        };
        watched.retain(|_, (voter, watch)| {
            let stays = wanted.contains(voter);
            if !stays {
                watch.abort();
            }
            stays
        });
        for voter in wanted {
            watched.entry(voter.id).or_insert_with(|| {
                let watch = watches.spawn(watch_peer(Arc::clone(&node), voter.clone()));
                (voter, watch)
            });
        }
        while watches.try_join_next().is_some() {}
        if members.changed().await.is_err() {
            return;
        }
    }
}

/// Watches one other voter for ever.
async fn watch_peer(node: Arc<Node>, peer: Voter) {
    let mut known: Option<Bytes> = None;
    loop {
        match greet(&node, &peer).await {
            Found::There(incarnation, mut stream) => {
                let replaced =
                    known.replace(incarnation.clone()).is_some_and(|was| was != incarnation);
                if replaced {
                    process_is_gone(&node, peer.id).await;
                }
                // Stands until the process goes, or the connection breaks.
                while let Ok(Some(_)) = stream.message().await {}
                tracing::info!(controller = peer.id, "its presence stream ended");
            }
            Found::Refused => {
                if known.take().is_some() {
                    process_is_gone(&node, peer.id).await;
                }
                tokio::time::sleep(QUIET_RETRY).await;
            }
            Found::NoAnswer => {
                let pause = if known.is_some() { SUSPICIOUS_RETRY } else { QUIET_RETRY };
                tokio::time::sleep(pause).await;
            }
        }
    }
}

async fn greet(node: &Node, peer: &Voter) -> Found {
    tokio::time::timeout(GREETING_DEADLINE, greet_once(node, peer)).await.unwrap_or(Found::NoAnswer)
}

async fn greet_once(node: &Node, peer: &Voter) -> Found {
    let channel = match connect(&peer.host, peer.port, &ChannelOptions::default()).await {
        Ok(channel) => channel,
        Err(error) if is_refused(&*error) => return Found::Refused,
        Err(_) => return Found::NoAnswer,
    };
    let request = proto::PresenceRequest {
        envelope: Some(proto::Envelope {
            cluster_id: node.identity.cluster_id().unwrap_or_default(),
            from: node.identity.node_id(),
            to: peer.id,
        }),
    };
    let Ok(stream) = quorum_client(channel).presence(request).await else { return Found::NoAnswer };
    let mut stream = stream.into_inner();
    match stream.message().await {
        Ok(Some(first)) => Found::There(first.incarnation_id, Box::new(stream)),
        _ => Found::NoAnswer,
    }
}

/// If it led: one of the survivors leads from here on.
async fn process_is_gone(node: &Node, dead: BrokerId) {
    let members = node.quorum.members();
    let me = node.identity.node_id();
    let may_lead = node.quorum.gate() == Gate::Open && members.is_voter(me);
    if node.leadership().leader != Some(dead) || !may_lead {
        return;
    }
    tracing::warn!(controller = dead, "the active controller's process is gone");
    let mut leadership = node.quorum.leadership();
    let rank = members.voters_but(dead).filter(|voter| voter.id < me).count();
    let mut patience = STAGGER * u32::try_from(rank).unwrap_or(u32::MAX);
    for _ in 0..ROUNDS {
        let taken = leadership.wait_for(|now| now.leader.is_some_and(|leader| leader != dead));
        if tokio::time::timeout(patience, taken).await.is_ok() {
            return;
        }
        patience = STAGGER * 2;
        let mine = node.quorum.last_log_id().await;
        let others = node.quorum.ask_voters(&members, ASK_PATIENCE).await;
        // Who has more of the log wins; to campaign against it only costs time.
        if others.into_values().flatten().any(|other| other.last_log_id > mine) {
            continue;
        }
        node.quorum.take_over().await;
    }
}
