//! Membership by the protocol of KIP-848: the coordinator assigns; heartbeats carry what the member
//! wants and owns, their answers what it shall own. Partitions are given up one by one, and only then
//! are others taken.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ottla_protocol::ids::{KafkaUuid, TopicId, TopicName, TopicPartition};
use ottla_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use ottla_protocol::messages::{
    self, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
};
use ottla_protocol::{ErrorCode, StrBytes};
use tokio::sync::oneshot;

use super::membership::{Event, Member, passes};
use crate::coordinator::Identity;
use crate::error::{ApiError, ClientError};

/// The member epoch of a heartbeat that joins.
const JOINING: i32 = 0;
/// The member epoch of a heartbeat that leaves.
const LEAVING: i32 = -1;
/// The member epoch of a static member that leaves and will be back.
const LEAVING_FOR_A_WHILE: i32 = -2;
/// Until the coordinator has said how often it wants to hear from members.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct Reconciled {
    pub(super) member: Member,
    member_id: String,
    epoch: i32,
    interval: Duration,
    owned: BTreeSet<TopicPartition>,
    /// What the member shall own.
    target: Option<BTreeMap<TopicId, Vec<i32>>>,
    /// What the coordinator knows of the member; unknown after a lost answer.
    known: Option<Known>,
}

/// What was sent last.
#[derive(Clone, PartialEq, Eq)]
struct Known {
    topics: BTreeSet<TopicName>,
    owned: BTreeSet<TopicPartition>,
}

/// Partitions that the consumer is asked to give up.
struct Revocation {
    partitions: BTreeSet<TopicPartition>,
    done: oneshot::Receiver<()>,
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

impl Reconciled {
    pub(super) fn new(member: Member) -> Self {
        let member_id = KafkaUuid::from_bytes(rand::random()).to_string();
        Self {
            member,
            member_id,
            epoch: JOINING,
            interval: FIRST_INTERVAL,
            owned: BTreeSet::new(),
            target: None,
            known: None,
        }
    }

    /// Stays in the group; returns why it cannot.
    pub(super) async fn run(&mut self) -> ClientError {
        let mut changes = self.member.client.metadata_changes();
        let mut revocation: Option<Revocation> = None;
        let mut next_beat = Instant::now();
        let mut attempt = 0;
        loop {
            if revocation.is_none() {
                revocation = self.reconcile();
            }
            if self.known.as_ref().is_some_and(|known| *known != self.knowledge()) && attempt == 0 {
                next_beat = Instant::now();
            }
            tokio::select! {
                () = tokio::time::sleep_until(next_beat.into()) => {}
                () = given_up(&mut revocation) => {
                    if let Some(done) = revocation.take() {
                        self.owned.retain(|partition| !done.partitions.contains(partition));
                    }
                    continue;
                }
                changed = changes.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                    continue;
                }
                () = self.member.shared.idle_too_long() => {
                    self.leave().await;
                    self.lost();
                    revocation = None;
                    self.member.shared.polled().await;
                    next_beat = Instant::now();
                    continue;
                }
            }
            match self.heartbeat().await {
                Ok(None) => {
                    attempt = 0;
                    next_beat = Instant::now() + self.interval;
                    continue;
                }
                Ok(Some(error)) => match error.error_code() {
                    ErrorCode::FencedMemberEpoch | ErrorCode::UnknownMemberId => {
                        self.lost();
                        revocation = None;
                    }
                    code if code.is_retriable() => {}
                    _ => return error.into(),
                },
                Err(error) if passes(&error) => {}
                Err(error) => return error,
            }
            // What the coordinator has taken in is not known.
            self.known = None;
            attempt += 1;
            let pause = self.member.client.options().backoff(attempt);
            next_beat = Instant::now() + pause.min(self.interval);
        }
    }

    fn lost(&mut self) {
        self.epoch = JOINING;
        self.owned.clear();
        self.target = None;
        self.known = None;
        self.member.lost();
    }

    fn knowledge(&self) -> Known {
        Known { topics: self.member.subscribed(), owned: self.owned.clone() }
    }

    /// Moves towards the target: first away from what is not in it, then to what is new in it. Topics
    /// that are not known by their id yet are taken when they are.
    fn reconcile(&mut self) -> Option<Revocation> {
        let target = self.target.as_ref()?;
        let metadata = self.member.client.metadata();
        let mut wanted = BTreeSet::new();
        let mut unknown = false;
        for (id, partitions) in target {
            match metadata.topic_name(*id) {
                Some(name) => wanted.extend(
                    partitions.iter().map(|p| TopicPartition::new(TopicName::clone(name), *p)),
                ),
                None => unknown = true,
            }
        }
        if unknown {
            self.member.client.want_metadata();
        }
        let partitions: BTreeSet<_> = self.owned.difference(&wanted).cloned().collect();
        if !partitions.is_empty() {
            let (given_up, done) = oneshot::channel();
            self.member.tell(Event::Revoked(partitions.clone(), given_up));
            return Some(Revocation { partitions, done });
        }
        let added: BTreeSet<_> = wanted.difference(&self.owned).cloned().collect();
        if !added.is_empty() {
            self.owned.extend(added.iter().cloned());
            self.member.tell(Event::Assigned(added));
        }
        if !unknown {
            self.target = None;
        }
        None
    }

    /// One heartbeat; an answer's error is an answer.
    async fn heartbeat(&mut self) -> Result<Option<ApiError>, ClientError> {
        let sending = self.knowledge();
        let coordinator = &self.member.shared.coordinator;
        let build = |version: i16| self.request(version, &sending);
        let (_, response) = match coordinator.ask(self.member.limit(), build).await {
            Ok(answer) => answer,
            Err(ClientError::Unsupported { .. }) => return Ok(Some(no_such_protocol())),
            Err(error) => return Err(error),
        };
        let message = response.error_message.as_deref();
        if let Some(error) = ApiError::from_wire(response.error_code, message) {
            if error.error_code() == ErrorCode::UnsupportedVersion {
                return Ok(Some(no_such_protocol()));
            }
            return Ok(Some(coordinator.judge(error)));
        }
        self.known = Some(sending);
        self.take_in(&response);
        Ok(None)
    }

    fn request(&self, version: i16, sending: &Known) -> ConsumerGroupHeartbeatRequest {
        let options = &self.member.shared.options;
        let known = self.known.as_ref().filter(|_| self.epoch != JOINING);
        let member_id = if version == 0 && self.epoch == JOINING { "" } else { &self.member_id };
        let mut request = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(messages::GroupId(text(&options.group_id)))
            .with_member_id(text(member_id))
            .with_member_epoch(self.epoch)
            .with_instance_id(options.instance_id.as_deref().map(text))
            .with_rebalance_timeout_ms(-1);
        if known.is_none() {
            let limit = i32::try_from(options.max_poll_interval_ms).unwrap_or(i32::MAX);
            request = request
                .with_rebalance_timeout_ms(limit)
                .with_rack_id(options.rack.as_deref().map(text))
                .with_server_assignor(options.remote_assignor.as_deref().map(text));
        }
        if known.is_none_or(|known| known.topics != sending.topics) {
            let names = sending.topics.iter().map(|name| messages::TopicName(text(name)));
            request = request.with_subscribed_topic_names(Some(names.collect()));
        }
        if known.is_none_or(|known| known.owned != sending.owned) {
            request = request.with_topic_partitions(Some(self.owned_by_id(&sending.owned)));
        }
        request
    }

    fn owned_by_id(&self, owned: &BTreeSet<TopicPartition>) -> Vec<TopicPartitions> {
        let metadata = self.member.client.metadata();
        let all: Vec<&TopicPartition> = owned.iter().collect();
        let runs = all.chunk_by(|a, b| a.topic == b.topic);
        let topics = runs.filter_map(|run| {
            let Some(Ok(info)) = metadata.topic(&run[0].topic) else { return None };
            let partitions = run.iter().map(|partition| partition.partition).collect();
            Some(TopicPartitions::default().with_topic_id(info.id.0).with_partitions(partitions))
        });
        topics.collect()
    }

    fn take_in(&mut self, response: &ConsumerGroupHeartbeatResponse) {
        if let Some(id) = response.member_id.as_deref().filter(|id| !id.is_empty()) {
            id.clone_into(&mut self.member_id);
        }
        self.epoch = response.member_epoch;
        if let Ok(interval_ms @ 1..) = u64::try_from(response.heartbeat_interval_ms) {
            self.interval = Duration::from_millis(interval_ms);
        }
        if let Some(assignment) = &response.assignment {
            let topics = assignment.topic_partitions.iter();
            self.target = Some(
                topics.map(|topic| (KafkaUuid(topic.topic_id), topic.partitions.clone())).collect(),
            );
        }
        self.member.shared.set_identity(Identity {
            member_id: self.member_id.clone(),
            epoch: self.epoch,
            instance_id: self.member.shared.options.instance_id.clone(),
        });
    }

    /// Tells the coordinator that this member goes; a static one says that it will be back.
    pub(super) async fn leave(&mut self) {
        if self.epoch == JOINING && self.known.is_none() {
            return;
        }
        let options = &self.member.shared.options;
        let epoch = if options.instance_id.is_some() { LEAVING_FOR_A_WHILE } else { LEAVING };
        let build = |_| {
            ConsumerGroupHeartbeatRequest::default()
                .with_group_id(messages::GroupId(text(&options.group_id)))
                .with_member_id(text(&self.member_id))
                .with_instance_id(options.instance_id.as_deref().map(text))
                .with_member_epoch(epoch)
                .with_rebalance_timeout_ms(-1)
        };
        // Whether it arrives or not, the session ends.
        let _ = self.member.shared.coordinator.ask_apart(self.member.limit(), build).await;
        self.epoch = JOINING;
        self.known = None;
    }
}

/// Returns once the consumer has given up what it was asked to, or is gone.
async fn given_up(revocation: &mut Option<Revocation>) {
    match revocation {
        Some(revocation) => {
            let _ = (&mut revocation.done).await;
        }
        None => std::future::pending().await,
    }
}

fn no_such_protocol() -> ApiError {
    ApiError {
        code: ErrorCode::UnsupportedVersion.code(),
        message: Some(
            "The cluster does not support group.protocol=consumer. Use group.protocol=classic \
             until it is upgraded."
                .to_owned(),
        ),
    }
}
