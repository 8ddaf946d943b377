//! Membership by the classic protocol: join, let the leader assign, keep the session, join again when
//! the group changes. Everything is given up before each join, unless all assignors are cooperative: then
//! members join with what they own, give up what the leader has taken from them, and join once more so
//! that others get it (KIP-429).

mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ottla_protocol::ids::{TopicName, TopicPartition};
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{self, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest};
use ottla_protocol::{ErrorCode, StrBytes};
use tokio::sync::oneshot;

use self::session::Beat;
use super::assignor::{Assignor, Subscriber};
use super::membership::{Event, Member, partition_counts, passes};
use super::protocol::{
    Subscription, decode_assignment, decode_subscription, encode_assignment, encode_subscription,
};
use crate::coordinator::Identity;
use crate::error::{ApiError, ClientError};

/// The protocol type of consumers.
const CONSUMER: &str = "consumer";
/// Beyond the rebalance timeout, the coordinator gets this long to answer a join.
const JOIN_GRACE: Duration = Duration::from_secs(5);

pub(super) struct Classic {
    pub(super) member: Member,
    member_id: String,
    owned: BTreeSet<TopicPartition>,
    /// The last generation that this member was given something in; -1: none.
    generation: i32,
    cooperative: bool,
}

/// A generation that was joined.
struct Joined {
    generation: i32,
    assignor: Assignor,
    /// The topics that were subscribed to.
    topics: BTreeSet<TopicName>,
    /// The leader's: what it shall assign.
    lead: Option<Lead>,
}

/// What the leader assigns from.
struct Lead {
    partition_counts: BTreeMap<TopicName, usize>,
    assignments: BTreeMap<String, BTreeSet<TopicPartition>>,
}

/// What the coordinator's refusals mean to a member.
enum Refusal {
    /// Try again: the coordinator moves or is busy.
    Later,
    /// Join again, in the same place.
    Rejoin,
    /// Join again, as a new member.
    Lost,
    /// Nothing will change it.
    Lasting,
}

fn judge(error: &ApiError) -> Refusal {
    match error.error_code() {
        ErrorCode::RebalanceInProgress => Refusal::Rejoin,
        ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration => Refusal::Lost,
        code if code.is_retriable() => Refusal::Later,
        _ => Refusal::Lasting,
    }
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

impl Classic {
    pub(super) fn new(member: Member) -> Self {
        let assignors = &member.shared.options.assignors;
        let cooperative = assignors.iter().all(|assignor| assignor.is_cooperative());
        Self {
            member,
            member_id: String::new(),
            owned: BTreeSet::new(),
            generation: -1,
            cooperative,
        }
    }

    fn group_id(&self) -> messages::GroupId {
        messages::GroupId(text(&self.member.shared.options.group_id))
    }

    fn instance_id(&self) -> Option<StrBytes> {
        self.member.shared.options.instance_id.as_deref().map(text)
    }

    /// Stays in the group; returns why it cannot.
    pub(super) async fn run(&mut self) -> ClientError {
        loop {
            if let Err(error) = self.generation().await {
                return error;
            }
        }
    }

    /// One generation, from joining to the reason for the next.
    async fn generation(&mut self) -> Result<(), ClientError> {
        let Some(joined) = self.join().await? else { return Ok(()) };
        let Some(assignment) = self.sync(&joined).await? else { return Ok(()) };
        let generation = joined.generation;
        self.member.shared.set_identity(Identity {
            member_id: self.member_id.clone(),
            epoch: generation,
            instance_id: self.member.shared.options.instance_id.clone(),
        });
        self.generation = generation;
        let taken: BTreeSet<_> = self.owned.difference(&assignment).cloned().collect();
        let rejoin = !taken.is_empty();
        if rejoin && !self.give_up(taken).await? {
            return Ok(());
        }
        let added = assignment.difference(&self.owned).cloned().collect();
        self.owned = assignment;
        self.member.tell(Event::Assigned(added));
        if rejoin {
            return Ok(());
        }

        let reason = async {
            tokio::select! {
                () = self.outdated(&joined) => false,
                () = self.member.shared.idle_too_long() => true,
            }
        };
        match self.beat_while(generation, reason, false).await? {
            Beat::Done(true) => {
                self.leave().await;
                self.lost();
                self.member.shared.polled().await;
            }
            Beat::Lost => self.lost(),
            Beat::Done(false) | Beat::Rebalance if self.cooperative => {}
            Beat::Done(false) | Beat::Rebalance => {
                let all = std::mem::take(&mut self.owned);
                self.give_up(all).await?;
            }
        }
        Ok(())
    }

    /// Has the consumer give up partitions, and keeps the session meanwhile; returns whether the group
    /// still knows this member.
    async fn give_up(&mut self, partitions: BTreeSet<TopicPartition>) -> Result<bool, ClientError> {
        let (done, given_up) = oneshot::channel();
        self.member.tell(Event::Revoked(partitions, done));
        let lost = matches!(self.beat_while(self.generation, given_up, true).await?, Beat::Lost);
        if lost {
            self.lost();
        }
        Ok(!lost)
    }

    fn lost(&mut self) {
        self.member_id.clear();
        self.owned.clear();
        self.generation = -1;
        self.member.lost();
    }

    /// Returns once another assignment is due: other topics match, or, seen by the leader, topics have
    /// come, gone, or grown.
    async fn outdated(&self, joined: &Joined) {
        let mut changes = self.member.client.metadata_changes();
        loop {
            if self.member.subscribed() != joined.topics {
                return;
            }
            if let Some(Lead { partition_counts: before, .. }) = &joined.lead {
                let topics = joined.group_topics();
                let now = partition_counts(&self.member.client.metadata(), &topics, before);
                if now != *before {
                    return;
                }
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Joins the group; `None` asks to begin again.
    async fn join(&mut self) -> Result<Option<Joined>, ClientError> {
        let mut attempt = 0;
        loop {
            let topics = self.member.subscribed();
            let answer = self.ask_to_join(&topics).await;
            attempt += 1;
            let response = match answer {
                Ok(response) => response,
                Err(error) if passes(&error) => {
                    self.member.pause(attempt).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some(error) = ApiError::from_wire(response.error_code, None) else {
                self.member_id = response.member_id.to_string();
                return self.joined(topics, &response).await.map(Some);
            };
            if error.error_code() == ErrorCode::MemberIdRequired {
                self.member_id = response.member_id.to_string();
                continue;
            }
            let error = self.member.shared.coordinator.judge(error);
            match judge(&error) {
                Refusal::Lost => self.lost(),
                Refusal::Later | Refusal::Rejoin => {}
                Refusal::Lasting => return Err(error.into()),
            }
            self.member.pause(attempt).await;
        }
    }

    async fn ask_to_join(
        &self,
        topics: &BTreeSet<TopicName>,
    ) -> Result<JoinGroupResponse, ClientError> {
        let options = &self.member.shared.options;
        let milliseconds = |ms: u64| i32::try_from(ms).unwrap_or(i32::MAX);
        let metadata = encode_subscription(&Subscription {
            topics: topics.clone(),
            owned: self.owned.clone(),
            generation: self.generation,
            rack: options.rack.clone(),
        })
        .map_err(unencodable)?;
        let protocol = |assignor: &Assignor| {
            JoinGroupRequestProtocol::default()
                .with_name(StrBytes::from_static_str(assignor.name()))
                .with_metadata(metadata.clone())
        };
        let protocols: Vec<_> = options.assignors.iter().map(protocol).collect();
        let build = |version: i16| {
            let request = JoinGroupRequest::default()
                .with_group_id(self.group_id())
                .with_session_timeout_ms(milliseconds(options.session_timeout_ms))
                .with_member_id(text(&self.member_id))
                .with_protocol_type(StrBytes::from_static_str(CONSUMER))
                .with_protocols(protocols.clone());
            let request = if version >= 1 {
                request.with_rebalance_timeout_ms(milliseconds(options.max_poll_interval_ms))
            } else {
                request
            };
            if version >= 5 { request.with_group_instance_id(self.instance_id()) } else { request }
        };
        let limit = Duration::from_millis(options.max_poll_interval_ms) + JOIN_GRACE;
        self.member.shared.coordinator.ask(limit, build).await.map(|(_, response)| response)
    }

    /// Takes the answer in; the leader divides the partitions.
    async fn joined(
        &self,
        topics: BTreeSet<TopicName>,
        response: &JoinGroupResponse,
    ) -> Result<Joined, ClientError> {
        let name = response.protocol_name.as_deref().unwrap_or_default();
        let assignor = Assignor::by_name(name)
            .ok_or_else(|| ApiError::of(ErrorCode::InconsistentGroupProtocol))?;
        let leads = response.leader == response.member_id;
        let lead = if leads && !response.skip_assignment {
            Some(self.lead(response, assignor).await?)
        } else {
            None
        };
        Ok(Joined { generation: response.generation_id, assignor, topics, lead })
    }

    async fn lead(
        &self,
        response: &JoinGroupResponse,
        assignor: Assignor,
    ) -> Result<Lead, ClientError> {
        let mut subscribers = Vec::with_capacity(response.members.len());
        for member in &response.members {
            let subscription = decode_subscription(&member.metadata).map_err(unencodable)?;
            subscribers.push(Subscriber {
                member_id: member.member_id.to_string(),
                instance_id: member.group_instance_id.as_ref().map(ToString::to_string),
                topics: subscription.topics,
                owned: subscription.owned,
                generation: subscription.generation,
            });
        }
        let client = &self.member.client;
        let topics: BTreeSet<TopicName> =
            subscribers.iter().flat_map(|subscriber| subscriber.topics.clone()).collect();
        for topic in &topics {
            client.follow_topic(topic, false);
        }
        if topics.iter().any(|topic| !matches!(client.metadata().topic(topic), Some(Ok(_)))) {
            // Topics that cannot be described now are assigned when they can be.
            match client.refresh().await {
                Err(error) if !passes(&error) => return Err(error),
                _ => {}
            }
        }
        let partition_counts = partition_counts(&client.metadata(), &topics, &BTreeMap::new());
        let assignments = assignor.divide(&subscribers, &partition_counts);
        Ok(Lead { partition_counts, assignments })
    }

    /// Learns the assignment; `None` asks to join again.
    async fn sync(
        &mut self,
        joined: &Joined,
    ) -> Result<Option<BTreeSet<TopicPartition>>, ClientError> {
        let mut assignments = Vec::new();
        for (member_id, partitions) in joined.lead.iter().flat_map(|lead| &lead.assignments) {
            assignments.push(
                SyncGroupRequestAssignment::default()
                    .with_member_id(text(member_id))
                    .with_assignment(encode_assignment(partitions).map_err(unencodable)?),
            );
        }
        let build = |version: i16| {
            let request = SyncGroupRequest::default()
                .with_group_id(self.group_id())
                .with_generation_id(joined.generation)
                .with_member_id(text(&self.member_id))
                .with_assignments(assignments.clone());
            let request = if version >= 3 {
                request.with_group_instance_id(self.instance_id())
            } else {
                request
            };
            if version >= 5 {
                request
                    .with_protocol_type(Some(StrBytes::from_static_str(CONSUMER)))
                    .with_protocol_name(Some(StrBytes::from_static_str(joined.assignor.name())))
            } else {
                request
            }
        };
        let limit =
            Duration::from_millis(self.member.shared.options.max_poll_interval_ms) + JOIN_GRACE;
        let response = match self.member.shared.coordinator.ask(limit, build).await {
            Ok((_, response)) => response,
            Err(error) if passes(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(error) = ApiError::from_wire(response.error_code, None) else {
            return decode_assignment(&response.assignment).map(Some).map_err(unencodable);
        };
        let error = self.member.shared.coordinator.judge(error);
        match judge(&error) {
            Refusal::Lasting => return Err(error.into()),
            Refusal::Lost => self.lost(),
            Refusal::Later | Refusal::Rejoin => {}
        }
        self.member.pause(1).await;
        Ok(None)
    }
}

impl Joined {
    /// The topics that the leader assigns.
    fn group_topics(&self) -> BTreeSet<TopicName> {
        let subscribed = self.topics.iter().cloned();
        let counted = self.lead.iter().flat_map(|lead| lead.partition_counts.keys().cloned());
        subscribed.chain(counted).collect()
    }
}

/// What a member wrote cannot be read, or the other way round: no attempt will change it.
fn unencodable(error: super::protocol::Unreadable) -> ClientError {
    ApiError { code: ErrorCode::InconsistentGroupProtocol.code(), message: Some(error.to_string()) }
        .into()
}
