//! Raft's server side. A caller of another cluster, or one that meant another node, is refused.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures::{Stream, StreamExt, stream};
use openraft::errors::RaftError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use ottla_rpc::convert::id_to_proto;
use ottla_rpc::quorum as proto;
use ottla_rpc::quorum::quorum_server::Quorum as QuorumRpc;

use super::types::{Snapshot, SnapshotMeta, TransferLeaderRequest};
use super::wire::{self, Malformed, raft_id};
use super::{Gate, Quorum};

/// How long a vote waits for the gate of a quorum that is just forming.
const GATE_PATIENCE: Duration = Duration::from_millis(200);
/// The largest snapshot that is taken: far above what the metadata of a cluster can be.
const MAX_SNAPSHOT_BYTES: usize = 1024 * 1024 * 1024;

/// The gRPC service of the quorum.
#[derive(Clone)]
pub(crate) struct QuorumService {
    quorum: Arc<Quorum>,
    stop: CancellationToken,
}

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl QuorumService {
    /// Standing streams end when `stop` is cancelled.
    pub(crate) fn new(quorum: Arc<Quorum>, stop: CancellationToken) -> Self {
        Self { quorum, stop }
    }

    /// The sender, if it may be served.
    fn check(&self, envelope: Option<&proto::Envelope>) -> Result<i32, Status> {
        let envelope = envelope.ok_or_else(|| Status::invalid_argument("no envelope"))?;
        let identity = self.quorum.identity();
        if envelope.to != identity.node_id() {
            return Err(Status::failed_precondition(format!(
                "this is controller {}, and the call is for controller {}",
                identity.node_id(),
                envelope.to
            )));
        }
        // A leader, or a candidate, may have become a voter by an entry that is not here yet: who knows
        // the cluster's id is believed, until that turns out to be another one.
        if envelope.cluster_id.is_empty() && !self.quorum.may_know(envelope.from) {
            return Err(Status::failed_precondition(format!(
                "controller {} does not belong to the quorum, nor to controller.quorum.voters of this \
                 node",
                envelope.from
            )));
        }
        identity
            .meet(&envelope.cluster_id)
            .map_err(|mismatch| Status::permission_denied(mismatch.to_string()))?;
        Ok(envelope.from)
    }

    async fn gate(&self, needed: Gate, patience: Duration) -> Result<(), Status> {
        if self.quorum.passes(needed, patience).await {
            return Ok(());
        }
        Err(Status::unavailable("this controller has no data and does not take part yet"))
    }

    async fn append_one(
        &self,
        request: proto::AppendRequest,
    ) -> Result<proto::AppendReply, Status> {
        let from = self.check(request.envelope.as_ref())?;
        self.gate(Gate::Follow, GATE_PATIENCE).await?;
        let request_id = request.request_id;
        let request = wire::append_from_proto(request).map_err(malformed)?;
        self.quorum.contacts.lock().insert(from, Instant::now());
        let reply = self.quorum.raft.append_entries(request).await.map_err(stopped)?;
        Ok(proto::AppendReply { request_id, result: Some(wire::append_reply_to_proto(&reply)) })
    }
}

fn malformed(error: Malformed) -> Status {
    Status::invalid_argument(error.to_string())
}

fn stopped(error: RaftError<super::types::TypeConfig>) -> Status {
    Status::unavailable(error.to_string())
}

#[tonic::async_trait]
impl QuorumRpc for QuorumService {
    type AppendStream = ReceiverStream<Result<proto::AppendReply, Status>>;
    type PresenceStream = Replies<proto::PresenceReply>;

    async fn append(
        &self,
        requests: Request<Streaming<proto::AppendRequest>>,
    ) -> Result<Response<Self::AppendStream>, Status> {
        let mut requests = requests.into_inner();
        let (replies, receiver) = mpsc::channel(1);
        let service = self.clone();
        tokio::spawn(async move {
            loop {
                let request = tokio::select! {
                    () = service.stop.cancelled() => return,
                    request = requests.message() => request,
                };
                let Ok(Some(request)) = request else { return };
                let reply = service.append_one(request).await;
                let refused = reply.is_err();
                if replies.send(reply).await.is_err() || refused {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn vote(
        &self,
        request: Request<proto::VoteRequest>,
    ) -> Result<Response<proto::VoteReply>, Status> {
        let request = request.into_inner();
        self.check(request.envelope.as_ref())?;
        self.gate(Gate::Open, GATE_PATIENCE).await?;
        let request = wire::vote_request_from_proto(request).map_err(malformed)?;
        let reply = self.quorum.raft.vote(request).await.map_err(stopped)?;
        Ok(Response::new(wire::vote_reply_to_proto(&reply)))
    }

    async fn pre_vote(
        &self,
        request: Request<proto::VoteRequest>,
    ) -> Result<Response<proto::VoteReply>, Status> {
        let request = request.into_inner();
        self.check(request.envelope.as_ref())?;
        self.gate(Gate::Open, Duration::ZERO).await?;
        let request = wire::vote_request_from_proto(request).map_err(malformed)?;
        let reply = self.quorum.raft.pre_vote(request).await.map_err(stopped)?;
        Ok(Response::new(wire::vote_reply_to_proto(&reply)))
    }

    async fn state(
        &self,
        request: Request<proto::StateRequest>,
    ) -> Result<Response<proto::StateReply>, Status> {
        self.check(request.get_ref().envelope.as_ref())?;
        self.gate(Gate::Open, Duration::ZERO).await?;
        let state = self.quorum.raft.with_raft_state(|state| proto::StateReply {
            vote: Some(wire::vote_to_proto(state.vote_ref())),
            last_log_id: state.log_ids.last().map(wire::log_id_to_proto),
            membership: Some(wire::stored_membership_to_proto(state.membership_state.effective())),
        });
        let state = state.await.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(state))
    }

    async fn install_snapshot(
        &self,
        chunks: Request<Streaming<proto::SnapshotChunk>>,
    ) -> Result<Response<proto::SnapshotReply>, Status> {
        let mut chunks = chunks.into_inner();
        let first = chunks.message().await?.ok_or_else(|| Status::invalid_argument("no chunk"))?;
        let from = self.check(first.envelope.as_ref())?;
        self.gate(Gate::Follow, Duration::ZERO).await?;
        let vote = wire::vote_from_proto(first.vote).map_err(malformed)?;
        let meta = SnapshotMeta {
            last_log_id: first.last_log_id.map(wire::log_id_from_proto),
            last_membership: wire::stored_membership_from_proto(first.membership)
                .map_err(malformed)?,
        };
        let mut data = BytesMut::from(first.data.as_ref());
        while let Some(chunk) = chunks.message().await? {
            self.quorum.contacts.lock().insert(from, Instant::now());
            if data.len() + chunk.data.len() > MAX_SNAPSHOT_BYTES {
                return Err(Status::resource_exhausted("the snapshot is too large"));
            }
            data.extend_from_slice(&chunk.data);
        }
        let snapshot = Snapshot { meta, snapshot: data.freeze() };
        let installed = self.quorum.raft.install_full_snapshot(vote, snapshot).await;
        let reply = installed.map_err(|error| Status::unavailable(error.to_string()))?;
        Ok(Response::new(proto::SnapshotReply { vote: Some(wire::vote_to_proto(&reply.vote)) }))
    }

    async fn transfer_leader(
        &self,
        request: Request<proto::TransferLeaderRequest>,
    ) -> Result<Response<proto::TransferLeaderReply>, Status> {
        let request = request.into_inner();
        self.check(request.envelope.as_ref())?;
        self.gate(Gate::Open, Duration::ZERO).await?;
        let request = TransferLeaderRequest::new(
            wire::vote_from_proto(request.from_leader).map_err(malformed)?,
            raft_id(request.to_node),
            request.last_log_id.map(wire::log_id_from_proto),
        );
        let taken = self.quorum.raft.handle_transfer_leader(request).await;
        taken
            .map_err(|error| Status::unavailable(error.to_string()))?
            .map_err(|refused| Status::failed_precondition(refused.to_string()))?;
        Ok(Response::new(proto::TransferLeaderReply {}))
    }

    async fn presence(
        &self,
        request: Request<proto::PresenceRequest>,
    ) -> Result<Response<Self::PresenceStream>, Status> {
        self.check(request.get_ref().envelope.as_ref())?;
        let incarnation_id = id_to_proto(&self.quorum.identity().incarnation());
        let first = stream::iter([Ok(proto::PresenceReply { incarnation_id })]);
        // Then it stands, and says nothing, as long as the process does.
        let rest = stream::pending().take_until(self.stop.clone().cancelled_owned());
        Ok(Response::new(Box::pin(first.chain(rest))))
    }
}
