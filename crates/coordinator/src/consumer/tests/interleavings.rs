//! Random runs: clients of both protocols, lost answers, refused writes, moves of the coordinator, topics
//! that come, grow and go. Nobody ever has what another has; epochs only grow; in the end everything that
//! somebody subscribes to has an owner.

use std::collections::{BTreeMap, BTreeSet};

use ottla_metadata::Record as Fact;
use ottla_protocol::ids::{PartitionIndex, TopicId};
use proptest::collection::vec;
use proptest::prelude::*;

use super::client::{Client, Kind};
use super::{World, topic_id};

const GROUP: &str = "g";

struct Run {
    world: World,
    clients: Vec<Client>,
    topics: BTreeMap<String, i32>,
    created: usize,
}

impl Run {
    fn new(kinds: &[Kind]) -> Self {
        let world = World::new(&[
            ("group.consumer.assignment.interval.ms", "0"),
            ("group.initial.rebalance.delay.ms", "0"),
        ]);
        let clients =
            kinds.iter().enumerate().map(|(index, kind)| Client::new(index, *kind)).collect();
        let mut run = Self { world, clients, topics: BTreeMap::new(), created: 0 };
        run.create(4);
        run.create(3);
        run
    }

    fn create(&mut self, partitions: i32) {
        let name = format!("t{}", self.created);
        self.created += 1;
        self.world.topic(&name, partitions, &[]);
        self.topics.insert(name, partitions);
    }

    fn act(&mut self, action: u8, who: usize, how: u8) {
        let who = who % self.clients.len();
        let topics: Vec<_> = self.topics.keys().cloned().collect();
        let Some(client) = self.clients.get_mut(who) else { return };
        match action {
            0..=39 => client.poll(&mut self.world),
            40..=54 => client.finish_revoking(),
            55..=59 => client.poll_and_lose(&mut self.world),
            60..=63 => client.leave(&mut self.world),
            64..=65 => client.crash(),
            66..=70 => {
                let chosen = topics.iter().enumerate().filter(|(index, _)| how >> index & 1 == 1);
                client.subscribe(chosen.map(|(_, topic)| topic.clone()).collect());
            }
            71..=72 if self.topics.len() < 5 => self.create(i32::from(how % 4) + 1),
            73..=74 => {
                let name = &topics[usize::from(how) % topics.len()];
                let partitions = self.topics[name] + 1;
                self.world.topic(name, partitions, &[]);
                self.topics.insert(name.clone(), partitions);
            }
            75 if self.topics.len() > 1 => {
                let name = &topics[usize::from(how) % topics.len()];
                self.world.facts(vec![Fact::RemoveTopic(topic_id(name))]);
                self.topics.remove(name);
            }
            76..=79 => self.world.commits = !self.world.commits,
            80..=84 => self.world.commit(usize::from(how % 4)),
            85..=87 => self.fail_over(how),
            88..=91 => self.world.advance(i64::from(how) * 200),
            92..=94 => {
                // What is on its way was appended before.
                self.world.refuses = true;
                client.poll(&mut self.world);
                self.world.refuses = false;
            }
            _ => self.world.advance(1_000),
        }
        self.clients.iter_mut().for_each(|client| client.hear(&mut self.world));
        self.check();
    }

    fn fail_over(&mut self, how: u8) {
        match how % 3 {
            0 => self.world.fail_over(),
            1 => self.world.fail_over_with(&self.world.compacted(true)),
            _ => self.world.fail_over_with(&self.world.compacted(false)),
        }
        // Who waited hears that the coordinator is another.
        self.clients.iter_mut().for_each(Client::forget_waiting);
    }

    fn check(&self) {
        let committed = self.world.groups.cx.committed.consumer(GROUP);
        let Some(group) = committed else { return };
        let mut owners = BTreeMap::<(TopicId, PartitionIndex), &str>::new();
        for member in group.members() {
            let mut clients = self.clients.iter().filter(|client| client.id == *member.id);
            let Some(client) = clients.next().filter(|client| client.is_in()) else { continue };
            for partition in &client.owned {
                if self.world.image.topic(partition.0).is_none() {
                    continue;
                }
                let other = owners.insert(*partition, &client.id);
                assert_eq!(other, None, "{partition:?} is also owned by {}", client.id);
            }
        }
    }

    /// Nothing fails any more, and everybody comes back.
    fn heal(&mut self) {
        self.world.commits = true;
        self.world.commit(usize::MAX);
        for _ in 0..40 {
            for _ in 0..4 {
                for client in &mut self.clients {
                    client.finish_revoking();
                    client.poll(&mut self.world);
                    client.hear(&mut self.world);
                }
                self.clients.iter_mut().for_each(|client| client.hear(&mut self.world));
                self.check();
            }
            self.world.advance(3_000);
            self.clients.iter_mut().for_each(|client| client.hear(&mut self.world));
        }
        let mut owned = BTreeMap::new();
        for client in &self.clients {
            for (topic, partition) in &client.owned {
                if self.world.image.topic(*topic).is_none() {
                    continue;
                }
                let name = super::topic_name(*topic);
                assert!(client.topics.contains(&name), "{} has what it does not want", client.id);
                let other = owned.insert((name, *partition), client.id.clone());
                assert_eq!(other, None, "{topic}-{partition} is also {}'s", client.id);
            }
        }
        let wanted: BTreeSet<_> = self
            .topics
            .iter()
            .filter(|(topic, _)| self.clients.iter().any(|client| client.topics.contains(*topic)))
            .flat_map(|(topic, count)| (0..*count).map(|partition| (topic.clone(), partition)))
            .collect();
        let owned: BTreeSet<_> = owned.into_keys().collect();
        let clients: Vec<_> = self.clients.iter().map(ToString::to_string).collect();
        let state = self.world.groups.cx.committed.group(GROUP);
        assert_eq!(owned, wanted, "{}\n{state:#?}", clients.join("\n"));
    }
}

fn run(kinds: &[Kind], actions: Vec<(u8, usize, u8)>) {
    let mut run = Run::new(kinds);
    for (action, who, how) in actions {
        run.act(action, who, how);
    }
    run.heal();
}

fn actions() -> impl Strategy<Value = Vec<(u8, usize, u8)>> {
    vec((0..100_u8, 0..12_usize, any::<u8>()), 0..120)
}

proptest! {
    // `PROPTEST_CASES` asks for more.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 8,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn members_of_the_consumer_protocol(actions in actions()) {
        run(&[Kind::Consumer, Kind::Consumer, Kind::Static, Kind::Consumer], actions);
    }

    #[test]
    fn members_of_both_protocols(actions in actions()) {
        run(&[Kind::Eager, Kind::Consumer, Kind::Cooperative, Kind::Consumer], actions);
    }
}
