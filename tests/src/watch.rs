//! A group seen from outside, all the time: its committed offsets must never step back, and no partition
//! may have two owners.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::{Buf, TryGetError};
use ottla_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use ottla_protocol::messages::{
    ConsumerGroupDescribeRequest, DescribeGroupsRequest, OffsetFetchRequest,
};
use ottla_protocol::{ErrorCode, StrBytes};

use crate::wire::Wire;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What has been seen.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// The last committed offsets, by partition.
    pub committed: BTreeMap<i32, i64>,
    /// The last owners, by partition.
    pub owners: BTreeMap<i32, String>,
    /// The group's members at the last look.
    pub members: usize,
    /// The group's last state.
    pub state: String,
    /// It was a consumer group (KIP-848) at the last look, not a classic one.
    pub is_consumer_group: bool,
    /// What must not be.
    pub violations: Vec<String>,
    /// How often it was answered.
    pub looks: u64,
}

/// Looks at a group of consumers of one topic until it is dropped.
#[derive(Debug)]
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to look. `ports` are all brokers'.
    #[must_use]
    pub fn start(ports: Vec<u16>, group: &str) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let looker = Looker {
            ports,
            group: StrBytes::from_string(group.to_owned()),
            seen: Arc::clone(&seen),
        };
        let stopping = Arc::clone(&stop);
        let thread = thread::spawn(move || looker.run(&stopping));
        Self { seen, stop, thread: Some(thread) }
    }

    /// What has been seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Looker {
    ports: Vec<u16>,
    group: StrBytes,
    seen: Arc<Mutex<Seen>>,
}

impl Looker {
    fn run(&self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            for port in &self.ports {
                // A broker that is down, or has a group that is loading, is asked again.
                let _ = self.stay(*port, stop);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Looks as long as the coordinator that this broker names answers.
    fn stay(&self, port: u16, stop: &AtomicBool) -> io::Result<()> {
        let found = Wire::connect(port)?.find_coordinator(&self.group)?;
        if found.error_code != ErrorCode::None.code() {
            return Ok(());
        }
        let mut wire = Wire::connect(u16::try_from(found.port).map_err(io::Error::other)?)?;
        while !stop.load(Ordering::Relaxed) && self.look(&mut wire)? {
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// False: it does not coordinate the group now.
    fn look(&self, wire: &mut Wire) -> io::Result<bool> {
        let group = OffsetFetchRequestGroup::default()
            .with_group_id(self.group.clone().into())
            .with_member_epoch(-1)
            .with_topics(None);
        let request = OffsetFetchRequest::default().with_groups(vec![group]);
        let fetched = wire.call(8, &request)?.groups.remove(0);
        if fetched.error_code != ErrorCode::None.code() {
            return Ok(false);
        }
        let mut seen = self.seen.lock().expect("nobody panics with it");
        for partition in fetched.topics.iter().flat_map(|topic| &topic.partitions) {
            let (index, offset) = (partition.partition_index, partition.committed_offset);
            let before = seen.committed.insert(index, offset);
            if before.is_some_and(|before| offset < before) {
                seen.violations
                    .push(format!("partition {index} stepped back: {before:?} {offset}"));
            }
        }
        seen.looks += 1;
        drop(seen);
        self.look_at_members(wire)
    }

    fn look_at_members(&self, wire: &mut Wire) -> io::Result<bool> {
        let request =
            ConsumerGroupDescribeRequest::default().with_group_ids(vec![self.group.clone().into()]);
        let group = wire.call(0, &request)?.groups.remove(0);
        let mut owners = Vec::new();
        let (state, members);
        let is_consumer_group = group.error_code == ErrorCode::None.code();
        if is_consumer_group {
            for member in &group.members {
                let topics = &member.assignment.topic_partitions;
                for partition in topics.iter().flat_map(|topic| &topic.partitions) {
                    owners.push((*partition, member.member_id.to_string()));
                }
            }
            (state, members) = (group.group_state, group.members.len());
        } else {
            let request =
                DescribeGroupsRequest::default().with_groups(vec![self.group.clone().into()]);
            let group = wire.call(5, &request)?.groups.remove(0);
            if group.error_code != ErrorCode::None.code() {
                return Ok(false);
            }
            // Only a stable group's assignments belong together.
            let stable = group.group_state.as_str() == "Stable";
            for member in group.members.iter().filter(|_| stable) {
                for partition in classic_assignment(&member.member_assignment) {
                    owners.push((partition, member.member_id.to_string()));
                }
            }
            (state, members) = (group.group_state, group.members.len());
        }
        let mut seen = self.seen.lock().expect("nobody panics with it");
        seen.owners.clear();
        for (partition, owner) in owners {
            if let Some(other) = seen.owners.insert(partition, owner.clone()) {
                let violation = format!("partition {partition} has owners {other} and {owner}");
                seen.violations.push(violation);
            }
        }
        (seen.state, seen.members) = (state.to_string(), members);
        seen.is_consumer_group = is_consumer_group;
        Ok(true)
    }
}

/// The partitions in a classic member's assignment (Kafka's ConsumerProtocolAssignment), of all topics.
fn classic_assignment(bytes: &[u8]) -> Vec<i32> {
    fn read(mut bytes: &[u8]) -> Result<Vec<i32>, TryGetError> {
        let mut partitions = Vec::new();
        let _version = bytes.try_get_i16()?;
        for _ in 0..bytes.try_get_i32()? {
            let mut name = vec![0; usize::from(bytes.try_get_u16()?)];
            bytes.try_copy_to_slice(&mut name)?;
            for _ in 0..bytes.try_get_i32()? {
                partitions.push(bytes.try_get_i32()?);
            }
        }
        Ok(partitions)
    }
    read(bytes).unwrap_or_default()
}
