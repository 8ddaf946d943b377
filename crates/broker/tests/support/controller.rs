//! A controller of one, in memory: the plans of `ottla-metadata` without a quorum.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use ottla_metadata::{Batch, FenceCause, Image, Limits, Proposer, Refusal, plan};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerEpoch, BrokerId};
use ottla_rpc::controller::controller_server::{Controller, ControllerServer};
use ottla_rpc::controller::feed_event::Event;
use ottla_rpc::controller::{
    AddVoterRequest, AlterVotersReply, Beat, BeatReply, DescribeQuorumReply, DescribeQuorumRequest,
    FeedBatch, FeedEvent, FeedRequest, FeedStatus, IntroduceReply, IntroduceRequest, ProbeReply,
    ProbeRequest, ProposeReply, ProposeRequest, QuorumReplica, RegisterReply, RegisterRequest,
    RemoveVoterRequest,
};
use ottla_rpc::{convert, status};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::{TcpListenerStream, WatchStream};
use tonic::{Request, Response, Status, Streaming};

/// Its node id.
pub(crate) const CONTROLLER_ID: BrokerId = 100;
/// The id of its cluster.
pub(crate) const CLUSTER_ID: &str = "AAECAwQFBgcICQoLDA0ODw";

#[derive(Clone)]
pub(crate) struct FakeController {
    state: Arc<Mutex<State>>,
    committed: Arc<watch::Sender<u64>>,
}

struct State {
    image: Image,
    log: Vec<Batch>,
}

impl FakeController {
    /// Serves on a free port.
    pub(crate) async fn start() -> (Self, SocketAddr) {
        let state = State { image: Image::default(), log: Vec::new() };
        let controller =
            Self { state: Arc::new(Mutex::new(state)), committed: Arc::new(watch::Sender::new(0)) };
        controller.commit(|_| vec![ottla_metadata::Record::ClusterId(CLUSTER_ID.into())]);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let server = tonic::transport::Server::builder()
            .add_service(ControllerServer::new(controller.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        (controller, address)
    }

    fn commit(&self, plan: impl FnOnce(&Image) -> Vec<ottla_metadata::Record>) -> u64 {
        let mut state = self.state.lock();
        let records = plan(&state.image);
        if records.is_empty() {
            return 0;
        }
        let batch = Batch { records, timestamp_ms: 0 };
        let offset = state.log.len() as u64 + 1;
        let delta = state.image.replay_batch(offset, &batch);
        assert!(delta.ignored.is_empty(), "{:?}", delta.ignored);
        state.log.push(batch);
        self.committed.send_replace(offset);
        offset
    }

    fn beat(&self, id: BrokerId, epoch: BrokerEpoch, beat: &Beat) -> BeatReply {
        let known = self.state.lock().image.broker(id).cloned();
        let Some(known) = known.filter(|known| known.epoch == epoch) else {
            return BeatReply { stale_epoch: true, ..BeatReply::default() };
        };
        let limits = Limits::default();
        if beat.want_shutdown {
            self.commit(|image| {
                let plan = plan::brokers::controlled_shutdown(image, &limits, id, epoch);
                plan.expect("registered").records
            });
            self.commit(|image| {
                let cause = FenceCause::ControlledShutdown;
                let plan = plan::brokers::fence(image, &limits, id, epoch, cause, 0);
                plan.expect("registered").records
            });
            return BeatReply { should_shut_down: true, ..BeatReply::default() };
        }
        if known.fenced && beat.metadata_offset > 0 {
            self.commit(|image| {
                plan::brokers::unfence(image, &limits, id, epoch).expect("registered").records
            });
        }
        BeatReply { fenced: known.fenced, ..BeatReply::default() }
    }
}

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Controller for FakeController {
    type SessionStream = Replies<BeatReply>;
    type FeedStream = Replies<FeedEvent>;

    async fn probe(&self, _: Request<ProbeRequest>) -> Result<Response<ProbeReply>, Status> {
        Ok(Response::new(ProbeReply {
            cluster_id: CLUSTER_ID.to_owned(),
            node_id: CONTROLLER_ID,
            has_data: true,
            leader_id: CONTROLLER_ID,
            ..ProbeReply::default()
        }))
    }

    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterReply>, Status> {
        let request = request.into_inner();
        if !request.cluster_id.is_empty() && request.cluster_id != CLUSTER_ID {
            let ours = request.cluster_id;
            return Err(Status::permission_denied(format!("{ours} is not {CLUSTER_ID}")));
        }
        let registration = convert::registration_from_proto(request)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let mut broker_epoch = -1;
        let mut refusal = None;
        self.commit(|image| {
            match plan::brokers::register(image, &Limits::default(), &registration) {
                Ok(plan) => {
                    broker_epoch = plan.reply;
                    plan.records
                }
                Err(error) => {
                    refusal = Some(error);
                    Vec::new()
                }
            }
        });
        match refusal {
            Some(refusal) => Err(Status::already_exists(refusal.to_string())),
            None => Ok(Response::new(RegisterReply { broker_epoch })),
        }
    }

    async fn session(
        &self,
        request: Request<Streaming<Beat>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let controller = self.clone();
        let replies = request.into_inner().map(move |beat| {
            let beat = beat?;
            Ok(controller.beat(beat.broker_id, beat.broker_epoch, &beat))
        });
        Ok(Response::new(replies.boxed()))
    }

    async fn feed(
        &self,
        request: Request<FeedRequest>,
    ) -> Result<Response<Self::FeedStream>, Status> {
        let controller = self.clone();
        let mut next = request.into_inner().from_offset.max(1);
        let status = FeedStatus { leader_id: CONTROLLER_ID, term: 1, ..FeedStatus::default() };
        let first = FeedEvent { event: Some(Event::Status(status)) };
        let changes = WatchStream::new(self.committed.subscribe());
        let batches = changes.flat_map(move |committed| {
            let state = controller.state.lock();
            let new: Vec<_> = (next..=committed)
                .map(|offset| {
                    let batch = &state.log[usize::try_from(offset).expect("small") - 1];
                    let batch = Some(batch.into());
                    Ok(FeedEvent { event: Some(Event::Batch(FeedBatch { offset, batch })) })
                })
                .collect();
            next = next.max(committed + 1);
            futures::stream::iter(new)
        });
        Ok(Response::new(futures::stream::iter([Ok(first)]).chain(batches).boxed()))
    }

    async fn propose(
        &self,
        request: Request<ProposeRequest>,
    ) -> Result<Response<ProposeReply>, Status> {
        let request = request.into_inner();
        let proposer =
            Proposer { broker_id: request.broker_id, broker_epoch: request.broker_epoch };
        let proposal = request.proposal.ok_or_else(|| Status::invalid_argument("empty"))?;
        let proposal = convert::proposal_from_proto(proposal)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        let mut reply = None;
        let seed = rand::random();
        let offset = self.commit(|image| {
            let plan = plan::propose(image, &Limits::default(), seed, proposer, &proposal);
            reply = Some(convert::reply_to_proto(&plan.reply));
            plan.records
        });
        Ok(Response::new(ProposeReply { offset, reply }))
    }

    async fn describe_quorum(
        &self,
        _: Request<DescribeQuorumRequest>,
    ) -> Result<Response<DescribeQuorumReply>, Status> {
        let high_watermark = *self.committed.borrow();
        let voter = QuorumReplica {
            node_id: CONTROLLER_ID,
            log_end_offset: high_watermark,
            last_fetch_timestamp_ms: -1,
            last_caught_up_timestamp_ms: -1,
            host: "127.0.0.1".to_owned(),
            port: 1,
            ..QuorumReplica::default()
        };
        Ok(Response::new(DescribeQuorumReply {
            leader_id: CONTROLLER_ID,
            leader_epoch: 1,
            high_watermark,
            voters: vec![voter],
            observers: Vec::new(),
        }))
    }

    async fn introduce(
        &self,
        _: Request<IntroduceRequest>,
    ) -> Result<Response<IntroduceReply>, Status> {
        Err(Status::unimplemented("there is no quorum"))
    }

    /// As a quorum whose voters are fixed.
    async fn add_voter(
        &self,
        _: Request<AddVoterRequest>,
    ) -> Result<Response<AlterVotersReply>, Status> {
        Err(status::refused(&Refusal::plain(ErrorCode::UnsupportedVersion)))
    }

    async fn remove_voter(
        &self,
        _: Request<RemoveVoterRequest>,
    ) -> Result<Response<AlterVotersReply>, Status> {
        Err(status::refused(&Refusal::plain(ErrorCode::UnsupportedVersion)))
    }
}
