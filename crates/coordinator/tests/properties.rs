//! What holds of classic groups and offsets whatever clients, the log and the clock do: members that come,
//! go and fall silent, writes that wait or are refused, coordinators that die and others that load what is
//! committed, the log compacted at any place.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ottla_coordinator::{
    Answer, GroupError, Groups, LogRecord, Record, Request, Response, Settings, Token,
};
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::leave_group_request::MemberIdentity;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    GroupId, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest,
    OffsetCommitRequest, SyncGroupRequest, TopicName,
};
use ottla_protocol::{ErrorCode, StrBytes};
use proptest::prelude::*;
use support::{Line, World, settings, subscription};

const GROUPS: [&str; 2] = ["g", "h"];
const CLIENTS: usize = 5;

#[derive(Debug, Clone)]
enum Step {
    /// A client joins, with the id that it knows or without.
    Join {
        client: usize,
        forgetful: bool,
    },
    Sync(usize),
    Beat(usize),
    Leave(usize),
    Commit {
        client: usize,
        partition: i32,
    },
    Fetch(usize),
    DeleteGroup(usize),
    Pass(i64),
    /// From here on writes wait, or do not.
    Hold(bool),
    /// From here on writes are refused, or not.
    Refuse(bool),
    CommitWrites(usize),
    /// The coordinator dies; so many of the writes on their way are committed all the same.
    Restart(usize),
    Recreate,
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS;
    prop_oneof![
        8 => (client(), prop::bool::weighted(0.2))
            .prop_map(|(client, forgetful)| Step::Join { client, forgetful }),
        8 => client().prop_map(Step::Sync),
        4 => client().prop_map(Step::Beat),
        2 => client().prop_map(Step::Leave),
        6 => (client(), 0..2).prop_map(|(client, partition)| Step::Commit { client, partition }),
        3 => (0..GROUPS.len()).prop_map(Step::Fetch),
        1 => (0..GROUPS.len()).prop_map(Step::DeleteGroup),
        6 => prop_oneof![Just(1), Just(1000), Just(3000), Just(5000)].prop_map(Step::Pass),
        2 => any::<bool>().prop_map(Step::Hold),
        2 => prop::bool::weighted(0.3).prop_map(Step::Refuse),
        4 => (1..4_usize).prop_map(Step::CommitWrites),
        1 => (0..4_usize).prop_map(Step::Restart),
        1 => Just(Step::Recreate),
    ]
}

/// A client: two are static, the last one belongs to no group and commits all the same.
#[derive(Debug, Clone, Default)]
struct Client {
    member_id: String,
    generation: i32,
    /// The members of its generation, if it leads.
    members: Vec<String>,
}

/// What a client waits for.
#[derive(Debug, Clone)]
enum Wait {
    Join { client: usize },
    Sync { group: usize, generation: i32, member: String },
    Commit { key: (usize, i32), offset: i64 },
    Other,
}

struct Model {
    world: World,
    clients: Vec<Client>,
    waiting: BTreeMap<Token, Wait>,
    answered: BTreeSet<Token>,
    /// The highest offset that was acknowledged or read, and the next to commit.
    acknowledged: BTreeMap<(usize, i32), i64>,
    /// Refused: must never be read.
    refused: BTreeSet<i64>,
    next_offset: i64,
    /// What was committed before was committed for another life of the topic.
    recreated_at: i64,
    /// Per group and generation: whose assignment it is, and who has which part.
    assigned: BTreeMap<(usize, i32), (u32, BTreeMap<String, String>)>,
    syncs: u32,
    /// Per group: the generation of the last join in this life of the coordinator.
    joined: BTreeMap<usize, i32>,
}

fn wire(text: &str) -> StrBytes {
    StrBytes::from(text.to_owned())
}

fn group_of(client: usize) -> usize {
    usize::from(client >= 3)
}

fn group_id(group: usize) -> GroupId {
    GroupId(wire(GROUPS[group]))
}

fn instance(client: usize) -> Option<StrBytes> {
    (client == 1).then(|| wire("i1"))
}

impl Model {
    fn new() -> Self {
        let mut world = World::new(settings(&[("group.min.session.timeout.ms", "1000")]));
        world.create_topics(&[("t", 2)]);
        Self {
            world,
            clients: vec![Client::default(); CLIENTS],
            waiting: BTreeMap::new(),
            answered: BTreeSet::new(),
            acknowledged: BTreeMap::new(),
            refused: BTreeSet::new(),
            next_offset: 1,
            recreated_at: 0,
            assigned: BTreeMap::new(),
            syncs: 0,
            joined: BTreeMap::new(),
        }
    }

    fn ask(&mut self, version: i16, request: Request, wait: Wait) {
        // Its answer may come within the step.
        let token = self.world.ask("client", version, request);
        self.waiting.insert(token, wait);
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Join { client, forgetful } => self.join(client, forgetful),
            Step::Sync(client) => self.sync(client),
            Step::Beat(client) => {
                let known = self.clients[client].clone();
                let request = HeartbeatRequest::default()
                    .with_group_id(group_id(group_of(client)))
                    .with_member_id(wire(&known.member_id))
                    .with_group_instance_id(instance(client))
                    .with_generation_id(known.generation);
                self.ask(4, Request::Heartbeat(request), Wait::Other);
            }
            Step::Leave(client) => {
                let member = MemberIdentity::default()
                    .with_member_id(wire(&self.clients[client].member_id))
                    .with_group_instance_id(instance(client));
                let request = LeaveGroupRequest::default()
                    .with_group_id(group_id(group_of(client)))
                    .with_members(vec![member]);
                self.ask(5, Request::LeaveGroup(request), Wait::Other);
            }
            Step::Commit { client, partition } => self.commit(client, partition),
            Step::Fetch(group) => self.fetch(group),
            Step::DeleteGroup(group) => {
                let token = self.world.ask("admin", 2, Request::DeleteGroup(wire(GROUPS[group])));
                self.world.commit(usize::MAX);
                self.listen_but(token);
                if self.world.answer_to(token).expect("all is committed or refused").is_ok() {
                    // Its offsets go, and its generations begin anew.
                    self.acknowledged.retain(|(of, _), _| *of != group);
                    self.assigned.retain(|(of, _), _| *of != group);
                    self.joined.remove(&group);
                }
            }
            Step::Pass(ms) => self.world.pass(ms),
            Step::Hold(hold) => {
                self.world.commits = !hold;
                if !hold {
                    self.world.commit(usize::MAX);
                }
            }
            Step::Refuse(refuse) => {
                self.world.refuses = refuse.then_some(ErrorCode::CoordinatorNotAvailable);
            }
            Step::CommitWrites(count) => self.world.commit(count),
            Step::Restart(committed) => self.restart(committed),
            Step::Recreate => {
                self.world.delete_topic("t");
                self.world.create_topics(&[("t", 2)]);
                self.acknowledged.clear();
                self.recreated_at = self.next_offset;
            }
        }
        self.listen();
    }

    fn join(&mut self, client: usize, forgetful: bool) {
        let known = &self.clients[client];
        let member_id = if forgetful { "" } else { &known.member_id };
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(wire("range"))
            .with_metadata(subscription(&["t"]));
        let request = JoinGroupRequest::default()
            .with_group_id(group_id(group_of(client)))
            .with_member_id(wire(member_id))
            .with_group_instance_id(instance(client))
            .with_protocol_type(wire("consumer"))
            .with_protocols(vec![protocol])
            .with_session_timeout_ms(4000)
            .with_rebalance_timeout_ms(6000);
        // Old and new clients.
        let version = if client.is_multiple_of(2) { 3 } else { 9 };
        self.ask(version, Request::JoinGroup(request), Wait::Join { client });
    }

    fn sync(&mut self, client: usize) {
        let known = self.clients[client].clone();
        self.syncs += 1;
        let number = self.syncs;
        let assignment = |(part, member): (usize, &String)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(wire(member))
                .with_assignment(Bytes::from(format!("{number}/{part}")))
        };
        let group = group_of(client);
        let request = SyncGroupRequest::default()
            .with_group_id(group_id(group))
            .with_member_id(wire(&known.member_id))
            .with_group_instance_id(instance(client))
            .with_generation_id(known.generation)
            .with_assignments(known.members.iter().enumerate().map(assignment).collect());
        let wait =
            Wait::Sync { group, generation: known.generation, member: known.member_id.clone() };
        self.ask(3, Request::SyncGroup(request), wait);
    }

    fn commit(&mut self, client: usize, partition: i32) {
        let known = self.clients[client].clone();
        let offset = self.next_offset;
        self.next_offset += 1;
        let alone = client == CLIENTS - 1;
        let partition_request = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(wire("t")))
            .with_partitions(vec![partition_request]);
        let request = OffsetCommitRequest::default()
            .with_group_id(group_id(group_of(client)))
            .with_member_id(if alone { wire("") } else { wire(&known.member_id) })
            .with_group_instance_id(instance(client).filter(|_| !alone))
            .with_generation_id_or_member_epoch(if alone { -1 } else { known.generation })
            .with_topics(vec![topic]);
        let key = (group_of(client), partition);
        self.ask(8, Request::OffsetCommit(request), Wait::Commit { key, offset });
    }

    /// I9: nobody reads less than what was acknowledged or read before, nor what was refused.
    fn fetch(&mut self, group: usize) {
        let request = OffsetFetchRequestGroup::default()
            .with_group_id(group_id(group))
            .with_member_epoch(-1)
            .with_topics(None);
        let request = Request::OffsetFetch { group: request, require_stable: true };
        let answer = self.world.call("admin", 8, request).expect("reads wait for nothing");
        let Ok(Response::OffsetFetch(fetched)) = answer else { panic!("{answer:?}") };
        let mut found = BTreeMap::new();
        for topic in fetched.topics {
            for partition in topic.partitions {
                found.insert(partition.partition_index, partition.committed_offset);
            }
        }
        for partition in 0..2 {
            let offset = found.get(&partition).copied().unwrap_or(-1);
            assert!(!self.refused.contains(&offset), "{offset} was refused");
            let known = self.acknowledged.entry((group, partition)).or_insert(-1);
            assert!(offset >= *known, "{group} {partition}: {offset} after {known}");
            *known = offset;
        }
    }

    fn restart(&mut self, committed: usize) {
        // They become committed, but the one who would answer is dead.
        for (_, lines) in self.world.in_flight.drain(..).take(committed) {
            self.world.log.extend(lines);
        }
        self.world.restart();
        self.waiting.clear();
        self.joined.clear();
    }

    /// Takes the answers in.
    fn listen(&mut self) {
        self.listen_but(Token::MAX);
    }

    fn listen_but(&mut self, other: Token) {
        let (others, mine) =
            std::mem::take(&mut self.world.answers).into_iter().partition(|(to, _)| *to == other);
        self.world.answers = others;
        let mine: Vec<(Token, Answer)> = mine;
        for (token, answer) in mine {
            assert!(self.answered.insert(token), "a client is answered once");
            let Some(wait) = self.waiting.remove(&token) else { continue };
            self.learn(wait, answer);
        }
    }

    fn learn(&mut self, wait: Wait, answer: Answer) {
        match (wait, answer) {
            (Wait::Join { client }, Ok(Response::JoinGroup(joined))) => {
                let group = group_of(client);
                let last = self.joined.entry(group).or_insert(-1);
                assert!(joined.generation_id >= *last, "generations grow");
                *last = joined.generation_id;
                let ids = joined.members.iter().map(|member| member.member_id.to_string());
                self.clients[client] = Client {
                    member_id: joined.member_id.to_string(),
                    generation: joined.generation_id,
                    members: if joined.skip_assignment { Vec::new() } else { ids.collect() },
                };
            }
            (Wait::Join { client }, Err(GroupError::MemberIdRequired { member_id })) => {
                self.clients[client].member_id = member_id;
            }
            (Wait::Join { client }, Err(GroupError::UnknownMemberId(_))) => {
                self.clients[client] = Client::default();
            }
            // I10: in one generation everybody has a part of one leader's assignment, nobody another's part.
            (Wait::Sync { group, generation, member }, Ok(Response::SyncGroup(synced))) => {
                if synced.assignment.is_empty() {
                    return;
                }
                let text = String::from_utf8(synced.assignment.to_vec()).expect("a text");
                let (number, part) = text.split_once('/').expect("number/part");
                let number = number.parse().expect("a number");
                let (of, parts) = self
                    .assigned
                    .entry((group, generation))
                    .or_insert_with(|| (number, BTreeMap::new()));
                assert_eq!(*of, number, "one assignment in generation {generation}");
                // A static member under a new id has what it had.
                let owner = parts.entry(part.to_owned()).or_insert_with(|| member.clone());
                let is_static = |id: &str| id.starts_with("i1-");
                assert!(*owner == member || is_static(owner) && is_static(&member));
            }
            (Wait::Commit { key, offset }, Ok(Response::OffsetCommit(committed))) => {
                let code = committed.topics[0].partitions[0].error_code;
                assert_eq!(code, ErrorCode::None.code());
                if offset >= self.recreated_at {
                    let known = self.acknowledged.entry(key).or_insert(-1);
                    *known = offset.max(*known);
                }
            }
            (Wait::Commit { offset, .. }, Err(_)) => {
                self.refused.insert(offset);
            }
            _ => {}
        }
    }

    /// All writes are committed and everybody falls silent.
    fn end(&mut self) {
        self.run(Step::Refuse(false));
        self.run(Step::Hold(false));
        for _ in 0..20 {
            self.run(Step::Pass(400_000 / 20));
        }
        assert!(self.waiting.is_empty(), "everybody is answered: {:?}", self.waiting);
        let mut fresh = load(&self.world, &self.world.log);
        assert_eq!(
            observed(&mut fresh),
            observed(&mut self.world.groups),
            "what is loaded is what was"
        );
    }
}

fn load(world: &World, log: &[Line]) -> Groups {
    let settings: std::sync::Arc<Settings> = world.settings.clone();
    let mut groups = Groups::new(settings, world.image.clone(), 99);
    for (offset, (key, value)) in (0..).zip(log) {
        let record = LogRecord { key, value: value.as_deref(), timestamp_ms: 0, offset };
        groups.load(record).expect("a sound record");
    }
    groups.loaded(world.now_ms, &mut Vec::new());
    groups
}

/// What anybody can know of the groups.
fn observed(groups: &mut Groups) -> String {
    let mut text = String::new();
    for offset in groups.committed_offsets() {
        text.push_str(&format!("{offset:?}\n"));
    }
    let names = GROUPS.map(|name| Request::DescribeGroup(wire(name)));
    let list = Request::ListGroups(ListGroupsRequest::default());
    for request in names.into_iter().chain([list]) {
        let caller = ottla_coordinator::Caller {
            client_id: wire("admin"),
            client_host: "/127.0.0.1".into(),
            api_version: 5,
        };
        let mut effects = Vec::new();
        let input = ottla_coordinator::Input::Request { token: u64::MAX, caller, request };
        groups.step(0, input, &mut effects);
        text.push_str(&format!("{effects:?}\n"));
    }
    text
}

/// What the cleaner leaves of a log: the last record of each key, and no tombstones if they are old.
fn compacted(log: &[Line], tombstones: bool) -> Vec<Line> {
    let mut last = BTreeMap::new();
    for (place, (key, _)) in log.iter().enumerate() {
        last.insert(key.clone(), place);
    }
    let kept = log
        .iter()
        .enumerate()
        .filter(|(place, (key, value))| last[key] == *place && (tombstones || value.is_some()));
    kept.map(|(_, line)| line.clone()).collect()
}

/// Generations in the log only grow, as long as the group is there.
fn check_generations(log: &[Line]) {
    let mut generations = BTreeMap::new();
    for (key, value) in log {
        let Ok(Some(Record::ClassicGroup { group, value })) = Record::decode(key, value.as_deref())
        else {
            continue;
        };
        match value {
            Some(value) => {
                let last = generations.insert(group, value.generation);
                assert!(last.is_none_or(|last| value.generation >= last));
            }
            None => drop(generations.remove(&group)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn groups_keep_their_promises(steps in prop::collection::vec(step(), 1..120)) {
        let mut model = Model::new();
        for step in steps {
            model.run(step);
        }
        model.end();
        check_generations(&model.world.log);
    }

    #[test]
    fn a_compacted_log_says_the_same(
        steps in prop::collection::vec(step(), 1..120),
        cut in any::<prop::sample::Index>(),
        tombstones in any::<bool>(),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.run(step);
        }
        let log = &model.world.log;
        let cut = cut.index(log.len() + 1);
        let short = [compacted(&log[..cut], tombstones), log[cut..].to_vec()].concat();
        let (mut all, mut short) = (load(&model.world, log), load(&model.world, &short));
        prop_assert_eq!(observed(&mut all), observed(&mut short));
    }
}
