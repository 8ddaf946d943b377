//! A model of a consumer: what it believes to own, and how it behaves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ottla_protocol::ids::{KafkaUuid, PartitionIndex, TopicId};
use ottla_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, GroupId, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest, TopicName,
};

use super::scripts::subscription;
use super::{World, topic_id, topic_name};
use crate::consumer::embedded;
use crate::error::GroupError;
use crate::request::{Answer, Request, Response, Token, wire};

type Owned = BTreeSet<(TopicId, PartitionIndex)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The consumer protocol.
    Consumer,
    /// The same with an instance id.
    Static,
    /// The classic protocol; gives up everything before it joins.
    Eager,
    /// The classic protocol; keeps what it has while it joins.
    Cooperative,
}

#[derive(Debug)]
enum Next {
    Join,
    /// The assignments, if it leads.
    Sync(Vec<SyncGroupRequestAssignment>),
    Beat,
}

#[derive(Debug)]
pub(super) struct Client {
    kind: Kind,
    index: usize,
    lives: usize,
    pub(super) id: String,
    pub(super) topics: BTreeSet<String>,
    /// What it subscribed to when it last joined.
    said: BTreeSet<String>,
    /// What it works on.
    pub(super) owned: Owned,
    /// What it is to work on when it has given up what it must.
    told: Option<Owned>,
    epoch: i32,
    next: Next,
    waiting: Option<Token>,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, epoch, next, waiting, .. } = self;
        write!(f, "{:?} {id}: {epoch}, {next:?}, {waiting:?}, wants {:?}", self.kind, self.topics)?;
        write!(f, ", has {:?}, told {:?}", self.owned, self.told)
    }
}

impl Client {
    pub(super) fn new(index: usize, kind: Kind) -> Self {
        let mut client = Self {
            kind,
            index,
            lives: 0,
            id: String::new(),
            topics: ["t0", "t1"].map(str::to_owned).into(),
            said: BTreeSet::new(),
            owned: Owned::new(),
            told: None,
            epoch: 0,
            next: Next::Join,
            waiting: None,
        };
        client.crash();
        client
    }

    fn is_classic(&self) -> bool {
        matches!(self.kind, Kind::Eager | Kind::Cooperative)
    }

    /// Whether it believes to be in the group.
    pub(super) fn is_in(&self) -> bool {
        !self.owned.is_empty()
    }

    /// The process dies and another one begins.
    pub(super) fn crash(&mut self) {
        self.lives += 1;
        self.id = match self.is_classic() {
            true => String::new(),
            false => format!("c{}-{}", self.index, self.lives),
        };
        self.lose();
        self.waiting = None;
    }

    /// What it had is not its any more, and it joins anew.
    fn lose(&mut self) {
        self.owned.clear();
        self.told = None;
        self.epoch = 0;
        self.next = Next::Join;
    }

    pub(super) fn subscribe(&mut self, topics: BTreeSet<String>) {
        if topics != self.topics {
            self.topics = topics;
            self.next = Next::Join;
        }
    }

    pub(super) fn finish_revoking(&mut self) {
        if let Some(told) = self.told.take() {
            self.owned = told;
        }
    }

    /// The coordinator is gone: it will not answer.
    pub(super) fn forget_waiting(&mut self) {
        if self.waiting.take().is_some() && !self.is_classic() {
            self.next = Next::Join;
        }
    }

    /// Its next request is answered, and the answer does not arrive.
    pub(super) fn poll_and_lose(&mut self, world: &mut World) {
        if self.is_classic() || self.waiting.is_some() {
            return;
        }
        self.poll(world);
        if let Some(token) = self.waiting.take() {
            world.answers.remove(&token);
        }
        // After a failure, it says everything again.
        self.next = Next::Join;
    }

    /// Sends its next request, if it waits for nothing.
    pub(super) fn poll(&mut self, world: &mut World) {
        if self.waiting.is_some() {
            return;
        }
        let (version, request) = match self.kind {
            Kind::Consumer | Kind::Static => (1, self.heartbeat()),
            Kind::Eager | Kind::Cooperative => self.classic_request(),
        };
        self.waiting = Some(world.ask(version, request));
    }

    pub(super) fn leave(&mut self, world: &mut World) {
        if self.waiting.is_some() || self.id.is_empty() {
            return;
        }
        let (version, request) = if self.is_classic() {
            let member = MemberIdentity::default().with_member_id(wire(&self.id));
            let request = LeaveGroupRequest::default().with_group_id(group_id());
            (5, Request::LeaveGroup(request.with_members(vec![member])))
        } else {
            let epoch = if self.kind == Kind::Static { -2 } else { -1 };
            let request = ConsumerGroupHeartbeatRequest::default()
                .with_group_id(group_id())
                .with_member_id(wire(&self.id))
                .with_instance_id(self.instance())
                .with_member_epoch(epoch);
            (1, Request::ConsumerGroupHeartbeat(request))
        };
        world.ask(version, request);
        self.crash();
    }

    fn instance(&self) -> Option<ottla_protocol::StrBytes> {
        (self.kind == Kind::Static).then(|| wire("instance"))
    }

    fn heartbeat(&mut self) -> Request {
        let joins = self.epoch == 0;
        if joins {
            self.lose();
        }
        let names = || self.topics.iter().map(|topic| TopicName(wire(topic))).collect();
        let full = matches!(self.next, Next::Join);
        self.next = Next::Beat;
        let owned = by_topic(&self.owned).into_iter().map(|(topic, partitions)| {
            TopicPartitions::default().with_topic_id(topic.0).with_partitions(partitions)
        });
        Request::ConsumerGroupHeartbeat(
            ConsumerGroupHeartbeatRequest::default()
                .with_group_id(group_id())
                .with_member_id(wire(&self.id))
                .with_member_epoch(self.epoch)
                .with_instance_id(self.instance())
                .with_rebalance_timeout_ms(if full { 20_000 } else { -1 })
                .with_subscribed_topic_names(full.then(names))
                .with_topic_partitions(Some(owned.collect())),
        )
    }

    fn classic_request(&mut self) -> (i16, Request) {
        match &self.next {
            Next::Join => {
                self.finish_revoking();
                self.said = self.topics.clone();
                if self.kind == Kind::Eager {
                    self.owned.clear();
                }
                let topics: Vec<_> = self.topics.iter().map(String::as_str).collect();
                let metadata = subscription(&topics, &by_topic(&self.owned));
                let protocol = JoinGroupRequestProtocol::default()
                    .with_name(wire("some"))
                    .with_metadata(metadata);
                let request = JoinGroupRequest::default()
                    .with_group_id(group_id())
                    .with_session_timeout_ms(30_000)
                    .with_rebalance_timeout_ms(20_000)
                    .with_member_id(wire(&self.id))
                    .with_protocol_type(wire("consumer"))
                    .with_protocols(vec![protocol]);
                (9, Request::JoinGroup(request))
            }
            Next::Sync(assignments) => {
                let request = SyncGroupRequest::default()
                    .with_group_id(group_id())
                    .with_member_id(wire(&self.id))
                    .with_generation_id(self.epoch)
                    .with_protocol_type(Some(wire("consumer")))
                    .with_protocol_name(Some(wire("some")))
                    .with_assignments(assignments.clone());
                (5, Request::SyncGroup(request))
            }
            Next::Beat => {
                let request = HeartbeatRequest::default()
                    .with_group_id(group_id())
                    .with_member_id(wire(&self.id))
                    .with_generation_id(self.epoch);
                (4, Request::Heartbeat(request))
            }
        }
    }

    /// Takes the answer that it waits for, if it is there.
    pub(super) fn hear(&mut self, world: &mut World) {
        let Some(token) = self.waiting else { return };
        if let Some(answer) = world.answers.remove(&token) {
            self.waiting = None;
            self.take(world, answer);
        }
    }

    fn take(&mut self, world: &World, answer: Answer) {
        match answer {
            Ok(Response::ConsumerGroupHeartbeat(response)) => self.take_heartbeat(&response),
            Ok(Response::JoinGroup(response)) => self.take_join(world, &response),
            Ok(Response::SyncGroup(response)) => {
                let assigned = embedded::assignment(&response.assignment).unwrap().partitions;
                let new: Owned = assigned
                    .iter()
                    .flat_map(|(topic, all)| all.iter().map(|p| (topic_id(topic), *p)))
                    .collect();
                // A cooperative member that gave something up joins again, and so does one that wants
                // something else by now.
                let gave_up = !self.owned.is_subset(&new);
                let changed = self.said != self.topics;
                self.next = if gave_up || changed { Next::Join } else { Next::Beat };
                self.owned = new;
            }
            Ok(Response::Heartbeat(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(GroupError::MemberIdRequired { member_id }) => self.id = member_id,
            Err(GroupError::RebalanceInProgress) => self.next = Next::Join,
            Err(GroupError::UnknownMemberId(_)) => {
                self.lose();
                if self.is_classic() {
                    self.id.clear();
                }
            }
            Err(
                GroupError::FencedMemberEpoch(_)
                | GroupError::IllegalGeneration(_)
                | GroupError::GroupIdNotFound(_),
            ) => self.lose(),
            Err(GroupError::FencedInstanceId(_) | GroupError::UnreleasedInstanceId(_)) => {
                self.lose();
            }
            // Not stored: it says everything again.
            Err(GroupError::NotStored(_)) => self.next = Next::Join,
            Err(other) => panic!("{other}"),
        }
    }

    fn take_heartbeat(&mut self, response: &ConsumerGroupHeartbeatResponse) {
        self.epoch = response.member_epoch;
        let Some(assignment) = &response.assignment else { return };
        let new: Owned = assignment
            .topic_partitions
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|p| (KafkaUuid(topic.topic_id), *p)))
            .collect();
        if self.owned.is_subset(&new) {
            self.owned = new;
            self.told = None;
        } else {
            self.told = Some(new);
        }
    }

    fn take_join(&mut self, world: &World, response: &JoinGroupResponse) {
        self.id = response.member_id.to_string();
        self.epoch = response.generation_id;
        self.next = Next::Sync(match response.leader == response.member_id {
            true => assign(world, response),
            false => Vec::new(),
        });
    }
}

/// What a leader gives to whom: who has something keeps it, the rest goes round.
fn assign(world: &World, response: &JoinGroupResponse) -> Vec<SyncGroupRequestAssignment> {
    let mut given = BTreeMap::<String, Vec<(String, PartitionIndex)>>::new();
    let mut wants = BTreeMap::<String, Vec<String>>::new();
    let mut claimed = BTreeMap::<(String, PartitionIndex), String>::new();
    for member in &response.members {
        let id = member.member_id.to_string();
        given.insert(id.clone(), Vec::new());
        let subscription = embedded::subscription(&member.metadata).unwrap();
        for topic in subscription.topics {
            wants.entry(topic.to_owned()).or_default().push(id.clone());
        }
        for (topic, partitions) in subscription.owned {
            for partition in partitions {
                claimed.entry((topic.to_owned(), partition)).or_insert_with(|| id.clone());
            }
        }
    }
    for (topic, subscribers) in wants {
        let Some(partitions) = world.image.topic_by_name(&topic) else { continue };
        for partition in partitions.partitions.keys() {
            let claimant = claimed.get(&(topic.clone(), *partition));
            let to = match claimant {
                // Not in one step from one to another.
                Some(claimant) if !subscribers.contains(claimant) => continue,
                Some(claimant) => claimant.clone(),
                None => {
                    let emptiest = subscribers.iter().min_by_key(|id| given[*id].len());
                    emptiest.unwrap().clone()
                }
            };
            given.get_mut(&to).unwrap().push((topic.clone(), *partition));
        }
    }
    let encode = |(id, partitions): (String, Vec<(String, PartitionIndex)>)| {
        let mut topics = BTreeMap::<&str, Vec<PartitionIndex>>::new();
        partitions.iter().for_each(|(topic, p)| topics.entry(topic).or_default().push(*p));
        SyncGroupRequestAssignment::default()
            .with_member_id(wire(&id))
            .with_assignment(embedded::encode_assignment(1, &topics.into_iter().collect()))
    };
    given.into_iter().map(encode).collect()
}

fn by_topic(owned: &Owned) -> BTreeMap<TopicId, Vec<PartitionIndex>> {
    let mut topics = BTreeMap::<_, Vec<_>>::new();
    owned.iter().for_each(|(topic, p)| topics.entry(*topic).or_default().push(*p));
    topics
}

fn group_id() -> GroupId {
    GroupId(wire("g"))
}

/// So that the name is not only for ids.
#[test]
fn names_and_ids_of_topics_belong_together() {
    assert_eq!(topic_name(topic_id("foo")), "foo");
}
