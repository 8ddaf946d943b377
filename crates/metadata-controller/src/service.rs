//! The controller's gRPC service: what brokers and the console ask.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use ottla_config::HostPort;
use ottla_metadata::Proposer;
use ottla_protocol::ids::KafkaUuid;
use ottla_rpc::controller as proto;
use ottla_rpc::controller::controller_server::Controller as ControllerRpc;
use ottla_rpc::convert::{
    id_to_proto, proposal_from_proto, registration_from_proto, reply_to_proto,
};
use ottla_rpc::quorum::Node as QuorumNode;
use ottla_rpc::status;

use crate::active::{Answer, Failure, Wish};
use crate::feed::{self, Feed};
use crate::identity::OtherCluster;
use crate::liveness::BeatState;
use crate::node::{Active, Node};
use crate::quorum::{Gate, Member, WriteError};

/// No change of the voters is waited for longer than this.
const MAX_CHANGE_TIME: Duration = Duration::from_secs(60);
/// Answers to beats under way to one broker.
const BEAT_ANSWERS: usize = 16;

/// The controller's gRPC service.
#[derive(Clone)]
pub(crate) struct ControllerService {
    node: Arc<Node>,
}

impl ControllerService {
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    fn check(&self, cluster_id: &str) -> Result<(), Status> {
        let refuse = |mismatch: OtherCluster| Status::permission_denied(mismatch.to_string());
        self.node.identity.check(cluster_id).map_err(refuse)
    }

    fn active(&self) -> Result<Active, Status> {
        self.node.active().ok_or_else(|| self.not_active())
    }

    fn not_active(&self) -> Status {
        let leadership = self.node.leadership();
        // A leader that is not active yet will be in a moment: the hint is right nevertheless.
        status::not_active(leadership.leader)
    }

    /// A change that has begun is not given up when the caller goes.
    async fn to_its_end(
        &self,
        change: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) -> Result<Response<proto::AlterVotersReply>, Status> {
        let changed = tokio::spawn(change).await;
        let changed = changed.map_err(|error| Status::internal(error.to_string()))?;
        changed.map_err(|failure| self.failed(failure))?;
        Ok(Response::new(proto::AlterVotersReply {}))
    }

    fn failed(&self, failure: Failure) -> Status {
        match failure {
            Failure::Refused(refusal) => status::refused(&refusal),
            Failure::Write(error) => match error {
                WriteError::NotLeader => self.not_active(),
                WriteError::Unknown => Status::unavailable(error.to_string()),
            },
        }
    }
}

fn invalid(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}

#[tonic::async_trait]
impl ControllerRpc for ControllerService {
    type SessionStream = ReceiverStream<Result<proto::BeatReply, Status>>;
    type FeedStream = ReceiverStream<Result<proto::FeedEvent, Status>>;

    async fn probe(
        &self,
        _request: Request<proto::ProbeRequest>,
    ) -> Result<Response<proto::ProbeReply>, Status> {
        let node = &self.node;
        let store = node.quorum.store();
        let unreadable = |error: std::io::Error| Status::internal(error.to_string());
        Ok(Response::new(proto::ProbeReply {
            cluster_id: node.identity.cluster_id().unwrap_or_default(),
            node_id: node.identity.node_id(),
            // While it comes back it has nothing that counts.
            has_data: node.quorum.gate() == Gate::Open && store.has_data().map_err(unreadable)?,
            leader_id: node.leadership().leader.unwrap_or(-1),
            incarnation_id: id_to_proto(&node.identity.incarnation()),
            founders: store.founders().map_err(unreadable)?.into_iter().map(Into::into).collect(),
            directory_id: id_to_proto(&node.options.directory_id),
            membership: Some(node.quorum.membership_to_proto()),
        }))
    }

    async fn register(
        &self,
        request: Request<proto::RegisterRequest>,
    ) -> Result<Response<proto::RegisterReply>, Status> {
        let request = request.into_inner();
        self.check(&request.cluster_id)?;
        let active = self.active()?;
        let registration = registration_from_proto(request).map_err(invalid)?;
        let broker_id = registration.broker_id;
        let (answer, offset) = active
            .wishes
            .bring(Wish::Register(registration))
            .await
            .map_err(|failure| self.failed(failure))?;
        let Answer::Registered(broker_epoch) = answer else {
            return Err(Status::internal("a registration was answered with something else"));
        };
        if offset > 0 {
            active.sessions.registered(broker_id, broker_epoch, offset).await;
        }
        Ok(Response::new(proto::RegisterReply { broker_epoch }))
    }

    async fn session(
        &self,
        request: Request<Streaming<proto::Beat>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let active = self.active()?;
        let mut beats = request.into_inner();
        let (answers, receiver) = mpsc::channel(BEAT_ANSWERS);
        let service = self.clone();
        tokio::spawn(async move {
            let first = tokio::select! {
                first = beats.message() => first,
                () = active.over.cancelled() => return,
            };
            let Ok(Some(first)) = first else { return };
            if let Err(refused) = service.check(&first.cluster_id) {
                // Whoever asked may have gone.
                let _ = answers.send(Err(refused)).await;
                return;
            }
            let (id, epoch) = (first.broker_id, first.broker_epoch);
            let session = active.sessions.open(id, epoch, answers.clone()).await;
            let mut next = Some(first);
            while let Some(beat) = next {
                let state = BeatState {
                    metadata_offset: beat.metadata_offset,
                    want_fence: beat.want_fence,
                    want_shutdown: beat.want_shutdown,
                    directory_id: beat.directory_id[..].try_into().unwrap_or_default(),
                };
                active.sessions.beat(session, id, epoch, state).await;
                next = tokio::select! {
                    beat = beats.message() => beat.ok().flatten(),
                    () = active.over.cancelled() => {
                        let _ = answers.try_send(Err(service.not_active()));
                        None
                    }
                    () = service.node.stop.cancelled() => None,
                };
            }
            active.sessions.close(session, id).await;
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn feed(
        &self,
        request: Request<proto::FeedRequest>,
    ) -> Result<Response<Self::FeedStream>, Status> {
        let request = request.into_inner();
        self.check(&request.cluster_id)?;
        let (events, receiver) = mpsc::channel(feed::BUFFER);
        let feed = Feed {
            committed: Arc::clone(&self.node.committed),
            leadership: self.node.quorum.leadership(),
            quorum: Arc::clone(&self.node.quorum),
            stop: self.node.stop.clone(),
            events,
        };
        tokio::spawn(feed.run(request.from_offset));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn propose(
        &self,
        request: Request<proto::ProposeRequest>,
    ) -> Result<Response<proto::ProposeReply>, Status> {
        let request = request.into_inner();
        self.check(&request.cluster_id)?;
        let active = self.active()?;
        let proposer =
            Proposer { broker_id: request.broker_id, broker_epoch: request.broker_epoch };
        let proposal =
            request.proposal.ok_or_else(|| invalid("a proposal of a kind not known here"))?;
        let proposal = proposal_from_proto(proposal).map_err(invalid)?;
        let (answer, offset) = active
            .wishes
            .bring(Wish::Propose(proposer, proposal))
            .await
            .map_err(|failure| self.failed(failure))?;
        let Answer::Reply(reply) = answer else {
            return Err(Status::internal("a proposal was answered with something else"));
        };
        Ok(Response::new(proto::ProposeReply { reply: Some(reply_to_proto(&reply)), offset }))
    }

    async fn describe_quorum(
        &self,
        _request: Request<proto::DescribeQuorumRequest>,
    ) -> Result<Response<proto::DescribeQuorumReply>, Status> {
        Ok(Response::new(self.node.describe_quorum().await))
    }

    async fn introduce(
        &self,
        request: Request<proto::IntroduceRequest>,
    ) -> Result<Response<proto::IntroduceReply>, Status> {
        let request = request.into_inner();
        self.check(&request.cluster_id)?;
        let active = self.active()?;
        let who = member(request.node)?;
        let voter = self.node.introduced(&active, who).await;
        let voter = voter.map_err(|failure| self.failed(failure))?;
        Ok(Response::new(proto::IntroduceReply { voter }))
    }

    async fn add_voter(
        &self,
        request: Request<proto::AddVoterRequest>,
    ) -> Result<Response<proto::AlterVotersReply>, Status> {
        let request = request.into_inner();
        let active = self.active()?;
        let who = member(request.node)?;
        let time = Duration::from_millis(request.timeout_ms.into()).min(MAX_CHANGE_TIME);
        let node = Arc::clone(&self.node);
        let change = async move { node.add_voter(&active, who, Instant::now() + time).await };
        self.to_its_end(change).await
    }

    async fn remove_voter(
        &self,
        request: Request<proto::RemoveVoterRequest>,
    ) -> Result<Response<proto::AlterVotersReply>, Status> {
        let request = request.into_inner();
        let active = self.active()?;
        let directory_id = directory_id(&request.directory_id)?;
        let node = Arc::clone(&self.node);
        let change = async move { node.remove_voter(&active, request.node_id, directory_id).await };
        self.to_its_end(change).await
    }
}

fn member(node: Option<QuorumNode>) -> Result<Member, Status> {
    let node = node.ok_or_else(|| invalid("no node"))?;
    let port = u16::try_from(node.port).map_err(|_| invalid("a port above 65535"))?;
    Ok(Member {
        id: node.node_id,
        address: HostPort { host: node.host, port },
        directory_id: directory_id(&node.directory_id)?,
        voter: false,
    })
}

fn directory_id(bytes: &[u8]) -> Result<KafkaUuid, Status> {
    match bytes {
        [] => Ok(KafkaUuid::ZERO),
        bytes => {
            let bytes = bytes.try_into().map_err(|_| invalid("a directory id of 16 bytes"))?;
            Ok(KafkaUuid::from_bytes(bytes))
        }
    }
}
