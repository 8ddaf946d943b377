//! Raft's client side: our own messages over gRPC, each call with a deadline of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use openraft::OptionalSend;
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{RPCOption, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{SnapshotResponse, TransferLeaderResponse};
use parking_lot::RwLock;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use ottla_config::{HostPort, Voter};
use ottla_protocol::ids::{BrokerId, KafkaUuid};
use ottla_rpc::quorum as proto;
use ottla_rpc::{ChannelOptions, quorum_client};

use super::members::Member;
use super::types::{
    Address, AppendEntriesRequest, AppendEntriesResponse, Snapshot, TransferLeaderRequest,
    TypeConfig, Vote, VoteRequest, VoteResponse,
};
use super::wire::{self, broker_id};
use crate::identity::Identity;

/// A snapshot travels in pieces of this size.
const SNAPSHOT_CHUNK: usize = 512 * 1024;
/// A whole snapshot must have been sent and installed in this time.
const SNAPSHOT_DEADLINE: Duration = Duration::from_secs(60);

type RpcError = RPCError<TypeConfig>;

/// One channel per other controller, shared by all calls to it.
#[derive(Clone)]
pub(crate) struct Peers {
    identity: Arc<Identity>,
    settings: Arc<[Voter]>,
    routes: Arc<RwLock<BTreeMap<BrokerId, Route>>>,
}

struct Route {
    address: HostPort,
    channel: Channel,
}

impl Peers {
    /// `settings` is what the node's own settings say of the voters.
    pub(crate) fn new(
        identity: Arc<Identity>,
        settings: &[Voter],
    ) -> Result<Self, ottla_rpc::InvalidAddress> {
        let peers = Self { identity, settings: settings.into(), routes: Arc::default() };
        for voter in settings {
            peers.set(voter.id, HostPort { host: voter.host.clone(), port: voter.port })?;
        }
        Ok(peers)
    }

    /// Where a member is: a voter that was made one by its directory is where the log says. Of any other,
    /// the node's own settings are believed before the log: they may have been changed at a restart.
    pub(crate) fn locate(&self, member: &Member) -> HostPort {
        let configured = self.settings.iter().find(|voter| voter.id == member.id);
        match configured {
            Some(voter) if member.directory_id == KafkaUuid::ZERO => {
                HostPort { host: voter.host.clone(), port: voter.port }
            }
            _ => member.address.clone(),
        }
    }

    /// Takes over where a member is.
    pub(crate) fn learn(&self, member: &Member) {
        self.reach(member.id, &self.locate(member));
    }

    /// Takes over where a controller can be reached.
    pub(crate) fn reach(&self, id: BrokerId, address: &HostPort) {
        if let Err(error) = self.set(id, address.clone()) {
            tracing::warn!(controller = id, "{error}");
        }
    }

    fn set(&self, id: BrokerId, address: HostPort) -> Result<(), ottla_rpc::InvalidAddress> {
        let known = self.routes.read().get(&id).is_some_and(|route| route.address == address);
        if known || id == self.identity.node_id() {
            return Ok(());
        }
        let options = ChannelOptions::default();
        let channel = ottla_rpc::channel(&address.host, address.port, &options)?;
        self.routes.write().insert(id, Route { address, channel });
        Ok(())
    }

    pub(crate) fn channel(&self, id: BrokerId) -> Option<Channel> {
        self.routes.read().get(&id).map(|route| route.channel.clone())
    }

    /// Whether the node's own settings name it.
    pub(crate) fn is_configured(&self, id: BrokerId) -> bool {
        self.settings.iter().any(|voter| voter.id == id)
    }

    pub(crate) fn envelope(&self, to: BrokerId) -> proto::Envelope {
        proto::Envelope {
            cluster_id: self.identity.cluster_id().unwrap_or_default(),
            from: self.identity.node_id(),
            to,
        }
    }
}

/// The way to one member.
pub(crate) struct Network {
    peers: Peers,
    target: BrokerId,
    append: Option<AppendStream>,
    next_request_id: u64,
}

struct AppendStream {
    requests: mpsc::Sender<proto::AppendRequest>,
    replies: Streaming<proto::AppendReply>,
}

impl Network {
    fn client(&self) -> Result<proto::quorum_client::QuorumClient<Channel>, RpcError> {
        let channel = self.peers.channel(self.target);
        channel.map(quorum_client).ok_or_else(|| unreachable("its address is not known"))
    }

    async fn append_over_stream(
        &mut self,
        mut request: proto::AppendRequest,
    ) -> Result<proto::append_reply::Result, RpcError> {
        self.next_request_id += 1;
        request.request_id = self.next_request_id;
        request.envelope = Some(self.peers.envelope(self.target));
        let request_id = request.request_id;
        // Taken out, and put back only when the exchange was complete: an error starts a new stream.
        let mut stream = match self.append.take() {
            Some(stream) => stream,
            None => {
                // One request is under way at a time.
                let (requests, receiver) = mpsc::channel(1);
                let replies = self.client()?.append(ReceiverStream::new(receiver)).await;
                AppendStream { requests, replies: replies.map_err(status)?.into_inner() }
            }
        };
        stream.requests.send(request).await.map_err(|_| unreachable("its append stream ended"))?;
        loop {
            let reply = stream.replies.message().await.map_err(status)?;
            let reply = reply.ok_or_else(|| unreachable("its append stream ended"))?;
            if reply.request_id == request_id {
                self.append = Some(stream);
                return reply.result.ok_or_else(|| unreachable("it sent an empty append reply"));
            }
        }
    }
}

fn status(status: tonic::Status) -> RpcError {
    unreachable(status)
}

/// Every failure counts as "not reachable now", so that openraft backs off before it tries again.
fn unreachable(reason: impl ToString) -> RpcError {
    RPCError::Unreachable(Unreachable::from_string(reason))
}

async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<T, RpcError>>,
) -> Result<T, RpcError> {
    tokio::time::timeout(deadline, call)
        .await
        .unwrap_or_else(|_| Err(unreachable(format!("no answer in {deadline:?}"))))
}

impl RaftNetworkV2<TypeConfig> for Network {
    type SnapshotData = Bytes;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse, RpcError> {
        let request = wire::append_to_proto(&rpc);
        let reply = within(option.soft_ttl(), self.append_over_stream(request)).await?;
        wire::append_reply_from_proto(reply).map_err(unreachable)
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest,
        option: RPCOption,
    ) -> Result<VoteResponse, RpcError> {
        let mut request = wire::vote_request_to_proto(&rpc);
        request.envelope = Some(self.peers.envelope(self.target));
        let mut client = self.client()?;
        let call = async { client.vote(request).await.map_err(status) };
        let reply = within(option.soft_ttl(), call).await?;
        wire::vote_reply_from_proto(reply.into_inner()).map_err(unreachable)
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest,
        option: RPCOption,
    ) -> Result<VoteResponse, RpcError> {
        let mut request = wire::vote_request_to_proto(&rpc);
        request.envelope = Some(self.peers.envelope(self.target));
        let mut client = self.client()?;
        let call = async { client.pre_vote(request).await.map_err(status) };
        let reply = within(option.soft_ttl(), call).await?;
        wire::vote_reply_from_proto(reply.into_inner()).map_err(unreachable)
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let chunks = snapshot_chunks(self.peers.envelope(self.target), &vote, snapshot);
        let mut client = self.client()?;
        let call =
            async { client.install_snapshot(futures::stream::iter(chunks)).await.map_err(status) };
        let reply = tokio::select! {
            closed = cancel.fuse() => return Err(StreamingError::Closed(closed)),
            reply = within(SNAPSHOT_DEADLINE, call) => reply?,
        };
        let vote = wire::vote_from_proto(reply.into_inner().vote).map_err(unreachable)?;
        Ok(SnapshotResponse::new(vote))
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let request = proto::TransferLeaderRequest {
            envelope: Some(self.peers.envelope(self.target)),
            from_leader: Some(wire::vote_to_proto(request.from_leader())),
            to_node: broker_id(*request.to_node_id()),
            last_log_id: request.last_log_id().map(wire::log_id_to_proto),
        };
        let mut client = self.client()?;
        let call = async { client.transfer_leader(request).await.map_err(status) };
        within(option.soft_ttl(), call).await?;
        Ok(Ok(()))
    }
}

fn snapshot_chunks(
    envelope: proto::Envelope,
    vote: &Vote,
    snapshot: Snapshot,
) -> Vec<proto::SnapshotChunk> {
    let first = proto::SnapshotChunk {
        envelope: Some(envelope),
        vote: Some(wire::vote_to_proto(vote)),
        last_log_id: snapshot.meta.last_log_id.as_ref().map(wire::log_id_to_proto),
        membership: Some(wire::stored_membership_to_proto(&snapshot.meta.last_membership)),
        ..proto::SnapshotChunk::default()
    };
    let mut data = snapshot.snapshot;
    let mut chunks = vec![first];
    while !data.is_empty() {
        let piece = data.split_to(data.len().min(SNAPSHOT_CHUNK));
        chunks.push(proto::SnapshotChunk { data: piece, ..proto::SnapshotChunk::default() });
    }
    chunks
}

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = Network;

    async fn new_client(&mut self, target: u64, node: &Address) -> Network {
        self.learn(&Member::of(target, node, false));
        Network { peers: self.clone(), target: broker_id(target), append: None, next_request_id: 0 }
    }
}
