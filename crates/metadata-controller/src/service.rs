//! The controller's gRPC service: what brokers and the console ask.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use ottla_metadata::Proposer;
use ottla_rpc::controller as proto;
use ottla_rpc::controller::controller_server::Controller as ControllerRpc;
use ottla_rpc::convert::{
    id_to_proto, proposal_from_proto, registration_from_proto, reply_to_proto,
};
use ottla_rpc::status;

use crate::active::{Answer, Failure, Wish};
use crate::clock::wall_clock_ms;
use crate::feed::{self, Feed};
use crate::identity::OtherCluster;
use crate::liveness::BeatState;
use crate::node::{Active, Node};
use crate::quorum::{Gate, WriteError};

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
        let quorum = &self.node.quorum;
        let leadership = self.node.leadership();
        let replicas = quorum.replicas();
        let last = replicas.iter().map(|replica| replica.log_end_offset).max().unwrap_or(0);
        let voters = replicas.into_iter().zip(quorum.voters()).map(|(replica, voter)| {
            let seen = replica.since_contact.map_or(-1, |since| {
                wall_clock_ms() - i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            });
            proto::QuorumReplica {
                node_id: replica.id,
                log_end_offset: replica.log_end_offset,
                last_fetch_timestamp_ms: seen,
                last_caught_up_timestamp_ms: if replica.log_end_offset == last { seen } else { -1 },
                host: voter.host.clone(),
                port: u32::from(voter.port),
            }
        });
        Ok(Response::new(proto::DescribeQuorumReply {
            leader_id: leadership.leader.unwrap_or(-1),
            leader_epoch: leadership.term,
            high_watermark: quorum.high_watermark(),
            voters: voters.collect(),
            observers: Vec::new(),
        }))
    }
}
