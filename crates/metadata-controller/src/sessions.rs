//! The shell around `liveness`: streams, dials and proposals.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tonic::Code;

use ottla_metadata::Broker;
use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, MetadataOffset, TimestampMs};
use ottla_rpc::controller as proto;
use ottla_rpc::replication::IdentifyRequest;
use ottla_rpc::{ChannelOptions, connect, is_refused, replication_client};

use crate::active::{Failure, Wish, Wishes};
use crate::clock::Clock;
use crate::committed::Committed;
use crate::liveness::{BeatAnswer, BeatState, Dialled, Effect, Input, Liveness, Millis, SessionId};
use crate::quorum::Quorum;

/// Events of all sessions that may wait.
const QUEUE: usize = 1024;
/// One dial, from connecting to the answer.
const DIAL_DEADLINE: Duration = Duration::from_millis(500);
/// A dying process resets what it has just accepted: then it is dialled again soon, a few times.
const DIAL_RETRY: Duration = Duration::from_millis(4);
const DIAL_TRIES: usize = 5;
/// A majority that has not answered for so long is not there: heartbeats are far more frequent.
const MAJORITY_SILENCE: Duration = Duration::from_millis(800);

/// The answers to one session's beats.
pub(crate) type Answers = mpsc::Sender<Result<proto::BeatReply, tonic::Status>>;

enum Event {
    Opened(SessionId, BrokerId, BrokerEpoch, Answers),
    Settled(oneshot::Sender<BTreeSet<BrokerId>>),
    Observed(oneshot::Sender<Vec<Observed>>),
    Other(Input),
}

/// A broker that follows the metadata, with times on the wall's clock.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    pub(crate) id: BrokerId,
    pub(crate) directory_id: [u8; 16],
    pub(crate) metadata_offset: MetadataOffset,
    /// It has every batch that is committed.
    pub(crate) has_all: bool,
    pub(crate) heard_ms: TimestampMs,
    pub(crate) caught_up_ms: Option<TimestampMs>,
}

/// Where the streams report to.
#[derive(Clone)]
pub(crate) struct Sessions {
    events: mpsc::Sender<Event>,
    next_id: Arc<AtomicU64>,
}

impl Sessions {
    /// A session begins; its id names it from here on.
    pub(crate) async fn open(
        &self,
        id: BrokerId,
        epoch: BrokerEpoch,
        answers: Answers,
    ) -> SessionId {
        let session = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.send(Event::Opened(session, id, epoch, answers)).await;
        session
    }

    pub(crate) async fn beat(
        &self,
        session: SessionId,
        id: BrokerId,
        epoch: BrokerEpoch,
        state: BeatState,
    ) {
        self.send(Event::Other(Input::Beat(session, id, epoch, state))).await;
    }

    pub(crate) async fn close(&self, session: SessionId, id: BrokerId) {
        self.send(Event::Other(Input::Closed(session, id))).await;
    }

    pub(crate) async fn registered(&self, id: BrokerId, epoch: BrokerEpoch, at: MetadataOffset) {
        self.send(Event::Other(Input::Registered(id, epoch, at))).await;
    }

    /// The brokers that may be given leadership unasked; none when the controller is not active any more.
    pub(crate) async fn settled(&self) -> BTreeSet<BrokerId> {
        let (answer, settled) = oneshot::channel();
        self.send(Event::Settled(answer)).await;
        settled.await.unwrap_or_default()
    }

    /// The brokers that follow the metadata; none when the controller is not active any more.
    pub(crate) async fn observed(&self) -> Vec<Observed> {
        let (answer, observed) = oneshot::channel();
        self.send(Event::Observed(answer)).await;
        observed.await.unwrap_or_default()
    }

    async fn send(&self, event: Event) {
        // Nobody listens when the controller is not active any more: its streams end then.
        let _ = self.events.send(event).await;
    }
}

/// Watches over the brokers as long as the controller is active.
pub(crate) struct Watch {
    liveness: Liveness,
    clock: Clock,
    committed: Arc<Committed>,
    quorum: Arc<Quorum>,
    wishes: Wishes,
    sessions: Sessions,
    events: mpsc::Receiver<Event>,
    answers: HashMap<SessionId, Answers>,
}

impl Watch {
    pub(crate) fn new(
        session_timeout: Duration,
        clock: Clock,
        committed: Arc<Committed>,
        quorum: Arc<Quorum>,
        wishes: Wishes,
    ) -> (Sessions, Self) {
        let (sender, events) = mpsc::channel(QUEUE);
        let sessions = Sessions { events: sender, next_id: Arc::default() };
        let timeout = Millis::try_from(session_timeout.as_millis()).unwrap_or(Millis::MAX / 2);
        let watch = Self {
            liveness: Liveness::new(timeout),
            clock,
            committed,
            quorum,
            wishes,
            sessions: sessions.clone(),
            events,
            answers: HashMap::new(),
        };
        (sessions, watch)
    }

    /// Runs until it is dropped. `contacts` are known contacts with brokers that lie before now.
    pub(crate) async fn run(mut self, contacts: BTreeMap<BrokerId, Millis>) {
        let mut applied = self.committed.applied();
        self.step(Input::Activated(contacts));
        loop {
            let now = self.clock.now();
            let wait =
                Duration::from_millis(self.liveness.next_step(now).saturating_sub(now).max(1));
            let input = tokio::select! {
                event = self.events.recv() => match event {
                    Some(Event::Opened(session, id, epoch, answers)) => {
                        self.answers.insert(session, answers);
                        Input::Opened(session, id, epoch)
                    }
                    Some(Event::Settled(answer)) => {
                        self.step(Input::Tick);
                        // Whoever asked may have gone.
                        let _ = answer.send(self.liveness.settled(self.clock.now()));
                        continue;
                    }
                    Some(Event::Observed(answer)) => {
                        let _ = answer.send(self.observed());
                        continue;
                    }
                    Some(Event::Other(input)) => input,
                    None => return,
                },
                _ = applied.changed() => Input::Tick,
                () = tokio::time::sleep(wait) => Input::Tick,
            };
            self.step(input);
        }
    }

    fn step(&mut self, input: Input) {
        if let Input::Closed(session, _) = &input {
            self.answers.remove(session);
        }
        let mut effects = Vec::new();
        let image = self.committed.image();
        self.liveness.step(self.clock.now(), &image, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Answer(session, answer) => self.answer(session, answer),
                Effect::Dial(id, epoch, incarnation) => {
                    if let Some(broker) = image.broker(id) {
                        self.dial(Arc::clone(broker), epoch, incarnation);
                    }
                }
                Effect::Fence(id, epoch, cause, seen) => {
                    tracing::warn!(broker = id, ?cause, "fencing a broker");
                    self.wish(Wish::Fence(id, epoch, cause, self.clock.on_the_wall(seen)));
                }
                Effect::Unfence(id, epoch) => self.wish(Wish::Unfence(id, epoch)),
                Effect::ControlledShutdown(id, epoch) => {
                    self.wish(Wish::ControlledShutdown(id, epoch))
                }
            }
        }
    }

    fn observed(&self) -> Vec<Observed> {
        let committed = self.committed.image().offset();
        let followers = self.liveness.followers(self.clock.now()).into_iter();
        let observed = followers.map(|follower| Observed {
            id: follower.id,
            directory_id: follower.directory_id,
            metadata_offset: follower.metadata_offset,
            has_all: follower.metadata_offset >= committed,
            heard_ms: self.clock.on_the_wall(follower.heard),
            caught_up_ms: follower.caught_up.map(|at| self.clock.on_the_wall(at)),
        });
        observed.collect()
    }

    /// A majority may have gone without leadership ending: nobody else can lead either.
    fn has_majority(&self) -> bool {
        let last = self.quorum.last_majority();
        let alone = || self.quorum.voters().len() == 1;
        last.is_none_or(|last| last.elapsed() < MAJORITY_SILENCE) || alone()
    }

    fn answer(&self, session: SessionId, answer: BeatAnswer) {
        if let Some(answers) = self.answers.get(&session) {
            let reply = proto::BeatReply {
                fenced: answer.fenced,
                should_shut_down: answer.should_shut_down,
                stale_epoch: answer.stale_epoch,
                unregistered: answer.unregistered,
                no_majority: !self.has_majority(),
            };
            // Who does not read its answers misses some: the next one says the same.
            let _ = answers.try_send(Ok(reply));
        }
    }

    fn wish(&self, wish: Wish) {
        let wishes = self.wishes.clone();
        tokio::spawn(async move {
            if let Err(Failure::Refused(refusal)) = wishes.bring(wish).await {
                tracing::warn!(%refusal, "the controller's own wish was refused");
            }
        });
    }

    fn dial(&self, broker: Arc<Broker>, epoch: BrokerEpoch, incarnation: KafkaUuid) {
        let sessions = self.sessions.clone();
        tokio::spawn(async move {
            let outcome = dial(&broker, incarnation).await;
            tracing::info!(broker = broker.id, ?outcome, "dialled a broker without a session");
            sessions.send(Event::Other(Input::Dialled(broker.id, epoch, outcome))).await;
        });
    }
}

async fn dial(broker: &Broker, incarnation: KafkaUuid) -> Dialled {
    for _ in 0..DIAL_TRIES {
        match tokio::time::timeout(DIAL_DEADLINE, dial_once(broker, incarnation)).await {
            Ok(Some(outcome)) => return outcome,
            Ok(None) => tokio::time::sleep(DIAL_RETRY).await,
            Err(_) => break,
        }
    }
    Dialled::NoAnswer
}

/// `None`: the connection broke.
async fn dial_once(broker: &Broker, incarnation: KafkaUuid) -> Option<Dialled> {
    let endpoint = broker.inter_broker_endpoint()?;
    let options = ChannelOptions { connect_timeout: DIAL_DEADLINE, ..ChannelOptions::default() };
    let channel = match connect(&endpoint.host, endpoint.port, &options).await {
        Ok(channel) => channel,
        Err(error) => return is_refused(&*error).then_some(Dialled::Refused),
    };
    match replication_client(channel).identify(IdentifyRequest {}).await {
        Ok(reply) => {
            let reply = reply.into_inner();
            let same =
                reply.broker_id == broker.id && reply.incarnation_id == incarnation.as_bytes()[..];
            Some(if same { Dialled::Same } else { Dialled::Other })
        }
        // Somebody who is no broker of ours has taken the port.
        Err(status) if status.code() == Code::Unimplemented => Some(Dialled::Other),
        Err(_) => None,
    }
}
