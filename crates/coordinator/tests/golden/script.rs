//! The words of the scripts. Clients are named by one word; a client remembers the member id and the
//! generation that it was told, and its requests carry them unless the script says otherwise.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use ottla_coordinator::{Request, Response, Token};
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest,
    OffsetCommitRequest, OffsetDeleteRequest, SyncGroupRequest, TopicName,
};
use ottla_protocol::{ErrorCode, StrBytes};

use super::support::{World, settings, subscription};
use super::text::{Names, pairs, partitions};

#[derive(Default, Clone)]
struct Client {
    group: String,
    member_id: String,
    instance: Option<String>,
    generation: i32,
}

pub(crate) struct Script {
    world: World,
    clients: BTreeMap<String, Client>,
    waiting: BTreeMap<Token, String>,
    names: Names,
}

fn wire(text: &str) -> StrBytes {
    StrBytes::from(text.to_owned())
}

fn group_id(text: &str) -> GroupId {
    GroupId(wire(text))
}

/// The words of a line, by name; those without a name come first.
struct Words<'a> {
    plain: Vec<&'a str>,
    named: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    fn of(line: &'a str) -> Self {
        let mut words = Self { plain: Vec::new(), named: BTreeMap::new() };
        for word in line.split_whitespace() {
            match word.split_once('=').filter(|(name, _)| !name.contains('-')) {
                Some((name, value)) => {
                    words.named.insert(name, value);
                }
                None => words.plain.push(word),
            }
        }
        words
    }

    fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        self.named.get(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    fn list(&self, name: &str) -> Option<Vec<&'a str>> {
        let text = self.named.get(name)?;
        Some(text.split(',').filter(|word| !word.is_empty()).collect())
    }
}

impl Script {
    pub(crate) fn new() -> Self {
        let mut world =
            World::new(settings(&[("group.max.size", "4"), ("offset.metadata.max.bytes", "5")]));
        world.create_topics(&[("t", 4), ("u", 2)]);
        Self { world, clients: BTreeMap::new(), waiting: BTreeMap::new(), names: Names::default() }
    }

    pub(crate) fn run(&mut self, line: &str, out: &mut String) {
        let words = Words::of(line);
        let verb = words.plain[0];
        let name = words.plain.get(1).copied().unwrap_or_default();
        let version = words.number("v", if verb == "sync" { 3 } else { 5 });
        let request = match verb {
            "create" => return self.world.create_topics(&[(name, words.number("partitions", 1))]),
            "delete-topic" => {
                self.world.delete_topic(name);
                return self.say(out);
            }
            "pass" => {
                self.world.pass(name.parse().expect("milliseconds"));
                return self.say(out);
            }
            "writes" => {
                self.world.commits = name == "commit";
                self.world.refuses = words.named.get("refused").map(|code| {
                    *ErrorCode::ALL.iter().find(|it| it.name() == *code).expect("a code")
                });
                if name == "commit" && self.world.refuses.is_none() {
                    self.world.commit(usize::MAX);
                }
                return self.say(out);
            }
            "gone" => {
                let waits = self.waiting.iter().find(|(_, client)| *client == name);
                let token = *waits.expect("it waits").0;
                self.waiting.remove(&token);
                self.world.step(ottla_coordinator::Input::Gone { token });
                return self.say(out);
            }
            "restart" => {
                self.waiting.clear();
                self.world.restart();
                return self.say(out);
            }
            "join" => self.join(name, &words),
            "sync" => self.sync(name, &words),
            "beat" => {
                let client = self.client(name, &words);
                Request::Heartbeat(
                    HeartbeatRequest::default()
                        .with_group_id(group_id(&client.group))
                        .with_member_id(wire(&client.member_id))
                        .with_group_instance_id(client.instance.as_deref().map(wire))
                        .with_generation_id(client.generation),
                )
            }
            "leave" => {
                let client = self.client(name, &words);
                let member = |client: &Client| {
                    MemberIdentity::default()
                        .with_member_id(wire(&client.member_id))
                        .with_group_instance_id(client.instance.as_deref().map(wire))
                };
                let others = words.list("with").unwrap_or_default();
                let others = others.iter().map(|name| member(&self.clients[*name]));
                Request::LeaveGroup(
                    LeaveGroupRequest::default()
                        .with_group_id(group_id(&client.group))
                        .with_members(std::iter::once(member(&client)).chain(others).collect()),
                )
            }
            "commit" => self.commit(name, &words),
            "fetch" => fetch(name, &words),
            "delete-offsets" => delete_offsets(name, &words),
            "list" => {
                let filter = |name| {
                    let words = words.list(name).unwrap_or_default();
                    words.into_iter().map(wire).collect()
                };
                Request::ListGroups(
                    ListGroupsRequest::default()
                        .with_states_filter(filter("states"))
                        .with_types_filter(filter("types")),
                )
            }
            "describe" => Request::DescribeGroup(wire(name)),
            "delete" => Request::DeleteGroup(wire(name)),
            other => panic!("no such word: {other}"),
        };
        let token = self.world.ask(&format!("client-{name}"), version, request);
        self.waiting.insert(token, name.to_owned());
        self.say(out);
    }

    /// The client as the line wants it.
    fn client(&mut self, name: &str, words: &Words<'_>) -> Client {
        let known = self.clients.entry(name.to_owned()).or_insert_with(|| Client {
            group: "g".to_owned(),
            generation: -1,
            ..Client::default()
        });
        if let Some(group) = words.named.get("group") {
            known.group = (*group).to_owned();
        }
        if let Some(instance) = words.named.get("instance") {
            known.instance = Some((*instance).to_owned()).filter(|it| !it.is_empty());
        }
        let mut client = known.clone();
        match words.named.get("id") {
            Some(&"none") => client.member_id.clear(),
            Some(id) => client.member_id = (*id).to_owned(),
            None => {}
        }
        if let Some(other) = words.named.get("as") {
            client.member_id = self.clients[*other].member_id.clone();
        }
        client.generation = words.number("generation", client.generation);
        client
    }

    fn join(&mut self, name: &str, words: &Words<'_>) -> Request {
        let client = self.client(name, words);
        let topics = words.list("topics").unwrap_or_else(|| vec!["t"]);
        let protocol = |name: &&str| {
            JoinGroupRequestProtocol::default()
                .with_name(wire(name))
                .with_metadata(subscription(&topics))
        };
        let protocols = words.list("protocols").unwrap_or_else(|| vec!["range"]);
        Request::JoinGroup(
            JoinGroupRequest::default()
                .with_group_id(group_id(&client.group))
                .with_member_id(wire(&client.member_id))
                .with_group_instance_id(client.instance.as_deref().map(wire))
                .with_protocol_type(wire(words.named.get("type").unwrap_or(&"consumer")))
                .with_protocols(protocols.iter().map(protocol).collect())
                .with_session_timeout_ms(words.number("session", 10_000))
                .with_rebalance_timeout_ms(words.number("rebalance", 60_000)),
        )
    }

    fn sync(&mut self, name: &str, words: &Words<'_>) -> Request {
        let client = self.client(name, words);
        let assignments = words.list("assign").unwrap_or_default();
        let assignment = |word: &&str| {
            let (name, what) = word.split_once(':').expect("client:assignment");
            SyncGroupRequestAssignment::default()
                .with_member_id(wire(&self.clients[name].member_id))
                .with_assignment(Bytes::from(what.to_owned()))
        };
        Request::SyncGroup(
            SyncGroupRequest::default()
                .with_group_id(group_id(&client.group))
                .with_member_id(wire(&client.member_id))
                .with_group_instance_id(client.instance.as_deref().map(wire))
                .with_generation_id(client.generation)
                .with_protocol_type(words.named.get("type").map(|it| wire(it)))
                .with_protocol_name(words.named.get("protocol").map(|it| wire(it)))
                .with_assignments(assignments.iter().map(assignment).collect()),
        )
    }

    fn commit(&mut self, name: &str, words: &Words<'_>) -> Request {
        let client = self.client(name, words);
        let metadata = words.named.get("metadata").map(|text| wire(text));
        let topics = pairs(&words.plain[2..]).into_iter().map(|(topic, partitions)| {
            let partition = |(index, offset): (i32, i64)| {
                OffsetCommitRequestPartition::default()
                    .with_partition_index(index)
                    .with_committed_offset(offset)
                    .with_committed_leader_epoch(words.number("epoch", -1))
                    .with_committed_metadata(metadata.clone())
            };
            OffsetCommitRequestTopic::default()
                .with_name(TopicName(wire(&topic)))
                .with_partitions(partitions.into_iter().map(partition).collect())
        });
        Request::OffsetCommit(
            OffsetCommitRequest::default()
                .with_group_id(group_id(&client.group))
                .with_member_id(wire(&client.member_id))
                .with_group_instance_id(client.instance.as_deref().map(wire))
                .with_generation_id_or_member_epoch(client.generation)
                .with_retention_time_ms(words.number("retention", -1))
                .with_topics(topics.collect()),
        )
    }

    /// Says what has come out, and lets clients learn.
    fn say(&mut self, out: &mut String) {
        for record in std::mem::take(&mut self.world.appended) {
            let line = self.names.record(&record);
            writeln!(out, "  {line}").expect("a string");
        }
        for (token, answer) in std::mem::take(&mut self.world.answers) {
            let Some(name) = self.waiting.remove(&token) else { continue };
            let line = self.names.answer(&answer);
            writeln!(out, "{name}: {line}").expect("a string");
            let Some(client) = self.clients.get_mut(&name) else { continue };
            match answer {
                Ok(Response::JoinGroup(joined)) => {
                    client.member_id = joined.member_id.to_string();
                    client.generation = joined.generation_id;
                }
                Err(ottla_coordinator::GroupError::MemberIdRequired { member_id }) => {
                    client.member_id = member_id;
                }
                _ => {}
            }
        }
    }
}

fn fetch(name: &str, words: &Words<'_>) -> Request {
    let topics = words.plain.get(2).map(|_| {
        let topics = partitions(&words.plain[2..]).into_iter().map(|(topic, partitions)| {
            OffsetFetchRequestTopics::default()
                .with_name(TopicName(wire(&topic)))
                .with_partition_indexes(partitions)
        });
        topics.collect()
    });
    let group = OffsetFetchRequestGroup::default()
        .with_group_id(group_id(name))
        .with_member_epoch(-1)
        .with_topics(topics);
    Request::OffsetFetch { group, require_stable: true }
}

fn delete_offsets(name: &str, words: &Words<'_>) -> Request {
    let topics = partitions(&words.plain[2..]).into_iter().map(|(topic, partitions)| {
        let partition = |index| OffsetDeleteRequestPartition::default().with_partition_index(index);
        OffsetDeleteRequestTopic::default()
            .with_name(TopicName(wire(&topic)))
            .with_partitions(partitions.into_iter().map(partition).collect())
    });
    Request::OffsetDelete(
        OffsetDeleteRequest::default().with_group_id(group_id(name)).with_topics(topics.collect()),
    )
}
