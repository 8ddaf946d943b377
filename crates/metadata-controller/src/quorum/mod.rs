//! The quorum: openraft with its store and network, behind what the rest of the controller needs of it.

mod change;
mod members;
mod network;
mod service;
mod state_machine;
pub(crate) mod store;
mod types;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{ClientWriteError, InitializeError, RaftError};
use openraft::impls::ProgressResponder;
use openraft::{Config, Instant as _, ServerState, SnapshotPolicy};
use parking_lot::Mutex;
use tokio::sync::watch;
use tonic::transport::Channel;

use ottla_config::{HostPort, Voter};
use ottla_protocol::ids::BrokerId;
use ottla_rpc::quorum as proto;
use ottla_rpc::quorum_client;

use crate::committed::Committed;
use crate::identity::Identity;
use crate::options::ControllerOptions;
use network::Peers;
use state_machine::StateMachine;
use store::{LogStore, Store};
use types::{EncodedBatch, LogId, Raft, TransferLeaderRequest, Vote};
use wire::{broker_id, raft_id};

pub(crate) use change::ChangeError;
pub(crate) use members::{Member, Members};
pub(crate) use service::QuorumService;

/// Who leads, as this node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Leadership {
    pub(crate) leader: Option<BrokerId>,
    pub(crate) term: u64,
    /// This node leads.
    pub(crate) leading: bool,
}

/// What a voter may take part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gate {
    /// Nothing: it is empty, and does not know yet whether the cluster is.
    Closed,
    /// It takes entries and snapshots, but neither votes nor campaigns.
    Follow,
    /// Everything.
    Open,
}

/// What another voter says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerState {
    pub(crate) vote: Vote,
    pub(crate) last_log_id: Option<LogId>,
    /// The entry that holds the members it knows.
    pub(crate) members_at: Option<LogId>,
}

impl PeerState {
    /// Both follow, or are, one and the same elected leader.
    pub(crate) fn has_accepted_leader_of(&self, other: &Self) -> bool {
        self.vote.is_committed() && self.vote == other.vote
    }
}

/// Why a batch was not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WriteError {
    /// It was not even appended.
    #[error("this controller does not lead any more")]
    NotLeader,
    /// It was appended, and may yet be committed by another leader.
    #[error("leadership was lost before the change was committed; it may have been made")]
    Unknown,
}

/// How far one member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplicaStatus {
    pub(crate) member: Member,
    /// The next index after the last one it is known to have.
    pub(crate) log_end_offset: u64,
    /// Since the leader last had an answer of it.
    pub(crate) since_contact: Option<Duration>,
}

/// The quorum, running.
pub(crate) struct Quorum {
    raft: Raft,
    store: Arc<Store>,
    identity: Arc<Identity>,
    peers: Peers,
    members: watch::Receiver<Arc<Members>>,
    gate: watch::Sender<Gate>,
    leadership: watch::Receiver<Leadership>,
    fatal: watch::Receiver<Option<String>>,
    contacts: Mutex<BTreeMap<BrokerId, Instant>>,
}

impl Quorum {
    /// Starts the engine over an open store. A voter without data, or with a part of it only,
    /// starts behind a closed gate.
    pub(crate) async fn start(
        options: &ControllerOptions,
        store: Arc<Store>,
        identity: Arc<Identity>,
        committed: Arc<Committed>,
    ) -> Result<Arc<Self>, String> {
        let readable = |error: std::io::Error| error.to_string();
        let whole =
            store.has_data().map_err(readable)? && !store.is_rejoining().map_err(readable)?;
        let gate = if whole { Gate::Open } else { Gate::Closed };
        let peers = Peers::new(Arc::clone(&identity), &options.voters)
            .map_err(|error| error.to_string())?;
        let config = raft_config(options).validate().map_err(|error| error.to_string())?;
        let raft = Raft::new(
            raft_id(options.node_id),
            Arc::new(config),
            peers.clone(),
            LogStore::new(Arc::clone(&store)),
            StateMachine::new(Arc::clone(&store), committed),
        )
        .await
        .map_err(|error| error.to_string())?;
        raft.runtime_config().elect(gate == Gate::Open);
        let Watched { leadership, members, fatal } = watch_metrics(&raft, peers.clone());
        Ok(Arc::new(Self {
            raft,
            store,
            identity,
            peers,
            members,
            gate: watch::Sender::new(gate),
            leadership,
            fatal,
            contacts: Mutex::default(),
        }))
    }

    pub(crate) fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.clone()
    }

    pub(crate) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// The members by the latest that stands in this node's log, committed or not.
    pub(crate) fn members(&self) -> Arc<Members> {
        let metrics = self.raft.metrics();
        let members = Members::of(&metrics.borrow_watched().membership_config);
        Arc::new(members)
    }

    /// [`Quorum::members`], as they change.
    pub(crate) fn watch_members(&self) -> watch::Receiver<Arc<Members>> {
        self.members.clone()
    }

    /// The voters and where they are, as far as this node knows.
    pub(crate) fn voters(&self) -> Vec<Voter> {
        let members = self.members.borrow();
        let located = members.voters().map(|member| {
            let HostPort { host, port } = self.locate(member);
            Voter { id: member.id, host, port }
        });
        located.collect()
    }

    /// The voters, with their addresses as this node believes them.
    pub(crate) fn voters_to_proto(&self) -> Vec<proto::Node> {
        let members = self.members.borrow();
        let located = members.voters().map(|member| {
            let member = Member { address: self.locate(member), ..member.clone() };
            wire::node_to_proto(member.id, &member.to_address())
        });
        located.collect()
    }

    /// The members, as they stand in this node's log.
    pub(crate) fn membership_to_proto(&self) -> proto::StoredMembership {
        wire::stored_membership_to_proto(&self.raft.metrics().borrow_watched().membership_config)
    }

    /// Where a member is, by the log or by this node's settings.
    pub(crate) fn locate(&self, member: &Member) -> HostPort {
        self.peers.locate(member)
    }

    /// Takes over where a member is: for who has heard of it by other ways than the log.
    pub(crate) fn learn(&self, member: &Member) {
        self.peers.learn(member);
    }

    /// Takes over where a controller has just answered.
    pub(crate) fn reach(&self, id: BrokerId, address: &HostPort) {
        self.peers.reach(id, address);
    }

    /// Whether a controller is a member, or named by this node's settings; it may be, as long as this node
    /// knows no members.
    fn may_know(&self, id: BrokerId) -> bool {
        let members = self.members.borrow();
        members.log_id.is_none() || members.get(id).is_some() || self.peers.is_configured(id)
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Completes with the reason when the engine has stopped by itself.
    pub(crate) async fn fatal(&self) -> String {
        let mut fatal = self.fatal.clone();
        match fatal.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "its task has ended".to_owned(),
        }
    }

    pub(crate) fn gate(&self) -> Gate {
        *self.gate.borrow()
    }

    /// Lets this voter take part in more. It is never closed again.
    pub(crate) fn open_gate(&self, gate: Gate) {
        self.raft.runtime_config().elect(gate == Gate::Open);
        self.gate.send_replace(gate);
    }

    /// Waits a little for the gate: a quorum that is just forming opens it in a moment.
    async fn passes(&self, needed: Gate, patience: Duration) -> bool {
        let mut gate = self.gate.subscribe();
        let passed = gate.wait_for(|gate| *gate >= needed);
        tokio::time::timeout(patience, passed).await.is_ok_and(|passed| passed.is_ok())
    }

    /// Forms the quorum out of these voters; only on an empty one, and only one of them.
    pub(crate) async fn initialize(&self, voters: &[Member]) -> Result<(), String> {
        let members: BTreeMap<_, _> =
            voters.iter().map(|voter| (raft_id(voter.id), voter.to_address())).collect();
        match self.raft.initialize(members).await {
            // Somebody was faster.
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Commits a batch in `term`, and returns its offset once it is applied here.
    pub(crate) async fn write(&self, term: u64, batch: Bytes) -> Result<u64, WriteError> {
        let (responder, done) = ProgressResponder::complete_only();
        self.raft
            .write(EncodedBatch(batch))
            .with_leader(term)
            .responder(responder)
            .await
            .map_err(|_| WriteError::NotLeader)?;
        match done.await {
            Ok(Ok(written)) => Ok(written.log_id.index),
            Ok(Err(ClientWriteError::LogEntryDiscarded(_))) | Err(_) => Err(WriteError::Unknown),
            Ok(Err(_)) => Err(WriteError::NotLeader),
        }
    }

    /// Campaigns at once, as if the leader had handed over: for when its process is known to be gone. A
    /// wrong suspicion costs one needless election; term and log are checked as ever.
    pub(crate) async fn take_over(&self) {
        let Ok(vote) = self.raft.with_raft_state(|state| *state.vote_ref()).await else { return };
        let me = raft_id(self.identity.node_id());
        match self.raft.handle_transfer_leader(TransferLeaderRequest::new(vote, me, None)).await {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => tracing::info!(%refused, "did not campaign"),
            Err(error) => tracing::warn!(%error, "did not campaign"),
        }
    }

    /// Campaigns now instead of at the end of a timeout, if the others would vote for this node.
    pub(crate) async fn campaign(&self) {
        if let Err(error) = self.raft.trigger().elect(true).await {
            tracing::warn!(%error, "did not campaign");
        }
    }

    /// The way to another voter, which connects when it is used.
    pub(crate) fn channel(&self, id: BrokerId) -> Option<Channel> {
        self.peers.channel(id)
    }

    /// Asks the other voters among `members` for their state; `None` for who does not answer.
    pub(crate) async fn ask_voters(
        &self,
        members: &Members,
        patience: Duration,
    ) -> BTreeMap<BrokerId, Option<PeerState>> {
        let others = members.voters_but(self.identity.node_id());
        let asked = others.map(|member| async move {
            let answer = tokio::time::timeout(patience, self.ask_state(member.id)).await;
            (member.id, answer.ok().flatten())
        });
        futures::future::join_all(asked).await.into_iter().collect()
    }

    async fn ask_state(&self, id: BrokerId) -> Option<PeerState> {
        let request = proto::StateRequest { envelope: Some(self.peers.envelope(id)) };
        let reply = quorum_client(self.peers.channel(id)?).state(request).await.ok()?.into_inner();
        Some(PeerState {
            vote: wire::vote_from_proto(reply.vote).ok()?,
            last_log_id: reply.last_log_id.map(wire::log_id_from_proto),
            members_at: *wire::stored_membership_from_proto(reply.membership).ok()?.log_id(),
        })
    }

    /// The end of this node's own log.
    pub(crate) async fn last_log_id(&self) -> Option<LogId> {
        self.raft.with_raft_state(|state| state.log_ids.last().copied()).await.ok().flatten()
    }

    /// When this node last heard from that one as the quorum's leader.
    pub(crate) fn last_contact(&self, id: BrokerId) -> Option<Instant> {
        self.contacts.lock().get(&id).copied()
    }

    /// What is committed: the next offset after it.
    pub(crate) fn high_watermark(&self) -> u64 {
        let metrics = self.raft.metrics();
        let committed = metrics.borrow_watched().cluster_committed;
        committed.map_or(0, |id| id.index + 1)
    }

    /// The next offset after this node's last entry.
    pub(crate) fn log_end(&self) -> u64 {
        self.raft.metrics().borrow_watched().last_log_index.map_or(0, |last| last + 1)
    }

    /// When a majority last answered this node as their leader; `None` if it does not lead.
    pub(crate) fn last_majority(&self) -> Option<Instant> {
        let metrics = self.raft.metrics();
        let acknowledged = metrics.borrow_watched().last_quorum_acked;
        acknowledged.map(|at| Instant::now().checked_sub(at.elapsed()).unwrap_or_else(Instant::now))
    }

    /// How far the members are; only the leader knows it of the others.
    pub(crate) fn replicas(&self) -> Vec<ReplicaStatus> {
        let metrics = self.raft.metrics();
        let metrics = metrics.borrow_watched();
        let me = self.identity.node_id();
        let members = Members::of(&metrics.membership_config).all.into_iter();
        let status = |member: Member| {
            let id = raft_id(member.id);
            let matched =
                metrics.replication.as_ref().and_then(|all| all.get(&id).copied().flatten());
            let seen = metrics.heartbeat.as_ref().and_then(|all| all.get(&id).copied().flatten());
            if member.id == me {
                return ReplicaStatus {
                    member,
                    log_end_offset: metrics.last_log_index.map_or(0, |last| last + 1),
                    since_contact: Some(Duration::ZERO),
                };
            }
            ReplicaStatus {
                member,
                log_end_offset: matched.map_or(0, |id| id.index + 1),
                since_contact: seen.map(|seen| seen.elapsed()),
            }
        };
        members.map(status).collect()
    }

    /// Hands the leadership to the follower that has most and answers; waits until it is taken, at most
    /// `patience`. Does nothing if this node does not lead.
    pub(crate) async fn hand_over(&self, patience: Duration) {
        let mut leadership = self.leadership();
        if !leadership.borrow_and_update().leading {
            return;
        }
        let me = self.identity.node_id();
        let heir = self
            .replicas()
            .into_iter()
            .filter(|replica| replica.member.voter && replica.member.id != me)
            .filter(|replica| replica.since_contact.is_some_and(|since| since < patience))
            .max_by_key(|replica| replica.log_end_offset);
        let Some(heir) = heir else { return };
        let heir = heir.member.id;
        tracing::info!(to = heir, "handing the active controller's role over");
        if self.raft.trigger().transfer_leader(raft_id(heir)).await.is_ok() {
            let taken = leadership.wait_for(|now| !now.leading && now.leader.is_some());
            // Whether it was taken or not: this node stops.
            let _ = tokio::time::timeout(patience, taken).await;
        }
    }

    pub(crate) async fn shutdown(&self) {
        if let Err(error) = self.raft.shutdown().await {
            tracing::warn!(%error, "the quorum's task did not end well");
        }
    }
}

fn raft_config(options: &ControllerOptions) -> Config {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let election_timeout_min = millis(options.election_timeout);
    Config {
        cluster_name: "ottla".to_owned(),
        heartbeat_interval: millis(options.heartbeat_interval),
        election_timeout_min,
        election_timeout_max: election_timeout_min * 2,
        enable_pre_vote: Some(true),
        // A restarted leader wins a new election before it leads: its image may be behind.
        enable_leader_restore: Some(false),
        // A voter whose data was lost starts from nothing, behind the gate of `bootstrap`.
        allow_log_reversion: Some(true),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(options.snapshot_entries),
        max_in_snapshot_log_to_keep: options.snapshot_entries / 4,
        replication_lag_threshold: options.snapshot_entries.saturating_mul(2),
        purge_batch_size: 256,
        install_snapshot_timeout: 60_000,
        backoff: "10ms 20ms 50ms 100ms ...200ms".to_owned(),
        ..Config::default()
    }
}

struct Watched {
    leadership: watch::Receiver<Leadership>,
    members: watch::Receiver<Arc<Members>>,
    fatal: watch::Receiver<Option<String>>,
}

/// Turns the engine's metrics into what changes seldom, and has the peers learn of the members.
fn watch_metrics(raft: &Raft, peers: Peers) -> Watched {
    let mut metrics = raft.metrics();
    let (leadership_sender, leadership) = watch::channel(Leadership::default());
    let (members_sender, members) = watch::channel(Arc::<Members>::default());
    let (fatal_sender, fatal) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            let (now, membership, running) = {
                let metrics = metrics.borrow_watched();
                let now = Leadership {
                    leader: metrics.current_leader.map(broker_id),
                    term: metrics.current_term,
                    leading: metrics.state == ServerState::Leader,
                };
                let membership = Arc::clone(&metrics.membership_config);
                (now, membership, metrics.running_state.clone())
            };
            if members_sender.borrow().log_id != *membership.log_id() {
                let members = Members::of(&membership);
                members.all.iter().for_each(|member| peers.learn(member));
                members_sender.send_replace(Arc::new(members));
            }
            leadership_sender.send_if_modified(|before| {
                let changed = *before != now;
                *before = now;
                changed
            });
            if let Err(error) = running {
                fatal_sender.send_replace(Some(error.to_string()));
                return;
            }
            if metrics.changed().await.is_err() {
                return;
            }
        }
    });
    Watched { leadership, members, fatal }
}
