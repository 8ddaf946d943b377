//! Records and answers as texts, and partitions out of texts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;
use ottla_coordinator::{Answer, GroupError, Record, Response};
use ottla_protocol::ErrorCode;

/// `t-0 t-1 u-0`.
pub(crate) fn partitions(words: &[&str]) -> BTreeMap<String, Vec<i32>> {
    let mut all = BTreeMap::<String, Vec<i32>>::new();
    for word in words {
        let (topic, index) = word.rsplit_once('-').expect("topic-partition");
        all.entry(topic.to_owned()).or_default().push(index.parse().expect("a number"));
    }
    all
}

/// `t-0=5 u-0=7`.
pub(crate) fn pairs(words: &[&str]) -> BTreeMap<String, Vec<(i32, i64)>> {
    let mut all = BTreeMap::<String, Vec<(i32, i64)>>::new();
    for word in words {
        let (partition, offset) = word.split_once('=').expect("topic-partition=offset");
        let (topic, index) = partition.rsplit_once('-').expect("topic-partition");
        let pair = (index.parse().expect("a number"), offset.parse().expect("an offset"));
        all.entry(topic.to_owned()).or_default().push(pair);
    }
    all
}

/// Short names for member ids, in the order in which they appear.
#[derive(Default)]
pub(crate) struct Names(BTreeMap<String, String>);

impl Names {
    fn member(&mut self, id: &str) -> String {
        // What is before the random part says who it is.
        let Some(start) = id.len().checked_sub(37) else { return id.to_owned() };
        let number = self.0.len() + 1;
        self.0.entry(id.to_owned()).or_insert_with(|| format!("{}#{number}", &id[..start])).clone()
    }

    pub(crate) fn record(&mut self, record: &Record) -> String {
        match record {
            Record::Offset { group, topic, partition, value } => {
                let mut line = format!("{group} {topic}-{partition}");
                match value {
                    None => line.push_str(" gone"),
                    Some(value) => {
                        write!(line, "={}", value.offset).expect("a string");
                        if value.expire_timestamp_ms != -1 {
                            let ms = value.expire_timestamp_ms - value.commit_timestamp_ms;
                            write!(line, " for {ms} ms").expect("a string");
                        }
                    }
                }
                line
            }
            Record::ClassicGroup { group, value: None } => format!("{group} gone"),
            Record::ClassicGroup { group, value: Some(value) } => {
                let mut line = format!("{group} generation {}", value.generation);
                if let (Some(protocol), Some(leader)) = (&value.protocol, &value.leader) {
                    let leader = self.member(leader);
                    write!(line, " by {protocol}, led by {leader}:").expect("a string");
                }
                for member in &value.members {
                    let id = self.member(&member.member_id);
                    write!(line, " {id}={}", text(&member.assignment)).expect("a string");
                }
                line
            }
            other => format!("{other:?}"),
        }
    }

    pub(crate) fn answer(&mut self, answer: &Answer) -> String {
        let response = match answer {
            Ok(response) => response,
            Err(error) => return self.error(error),
        };
        match response {
            Response::JoinGroup(joined) => {
                let protocol = joined.protocol_name.as_deref().unwrap_or("?");
                let (id, leader) = (self.member(&joined.member_id), self.member(&joined.leader));
                let mut line = format!(
                    "joined as {id}, generation {} by {protocol}, led by {leader}",
                    joined.generation_id
                );
                if joined.skip_assignment {
                    line.push_str(", not to assign");
                }
                if !joined.members.is_empty() {
                    let members: Vec<_> =
                        joined.members.iter().map(|it| self.member(&it.member_id)).collect();
                    write!(line, ", members {}", members.join(" ")).expect("a string");
                }
                line
            }
            Response::SyncGroup(synced) => format!("synced, has {}", text(&synced.assignment)),
            Response::Heartbeat(_) => "lives".to_owned(),
            Response::LeaveGroup(left) => {
                let mut line = "left".to_owned();
                for member in &left.members {
                    let id = self.member(&member.member_id);
                    let instance = member.group_instance_id.as_deref().unwrap_or_default();
                    let name = if id.is_empty() { instance.to_owned() } else { id };
                    write!(line, " {name} {}", code(member.error_code)).expect("a string");
                }
                line
            }
            Response::OffsetCommit(committed) => {
                let mut line = "committed".to_owned();
                for topic in &committed.topics {
                    for partition in &topic.partitions {
                        let code = code(partition.error_code);
                        write!(line, " {}-{} {code}", &*topic.name, partition.partition_index)
                            .expect("a string");
                    }
                }
                line
            }
            Response::OffsetFetch(fetched) => {
                let mut line = "offsets".to_owned();
                for topic in &fetched.topics {
                    for partition in &topic.partitions {
                        let (index, offset) =
                            (partition.partition_index, partition.committed_offset);
                        write!(line, " {}-{index}={offset}", &*topic.name).expect("a string");
                        let metadata = partition.metadata.as_deref().unwrap_or("null");
                        if !metadata.is_empty() {
                            write!(line, "({metadata})").expect("a string");
                        }
                        if partition.committed_leader_epoch != -1 {
                            write!(line, "@{}", partition.committed_leader_epoch)
                                .expect("a string");
                        }
                    }
                }
                line
            }
            Response::OffsetDelete(deleted) => {
                let mut line = "deleted".to_owned();
                for topic in &deleted.topics {
                    for partition in &topic.partitions {
                        let code = code(partition.error_code);
                        write!(line, " {}-{} {code}", &*topic.name, partition.partition_index)
                            .expect("a string");
                    }
                }
                line
            }
            Response::DescribeGroup(group) => {
                let mut line = format!(
                    "{} {} '{}' '{}'",
                    code(group.error_code),
                    group.group_state,
                    group.protocol_type,
                    group.protocol_data
                );
                for member in &group.members {
                    let id = self.member(&member.member_id);
                    let assignment = text(&member.member_assignment);
                    let host = &member.client_host;
                    write!(line, " {id} at {host} has {assignment}").expect("a string");
                }
                line + group.error_message.as_deref().unwrap_or_default()
            }
            Response::ListGroups(groups) => {
                let group = |it: &ottla_protocol::messages::list_groups_response::ListedGroup| {
                    format!(
                        "{} {} {} '{}'",
                        &**it.group_id, it.group_type, it.group_state, it.protocol_type
                    )
                };
                groups.iter().map(group).collect::<Vec<_>>().join(", ")
            }
            Response::DeleteGroup => "deleted".to_owned(),
            other => format!("{other:?}"),
        }
    }

    fn error(&mut self, error: &GroupError) -> String {
        match error {
            GroupError::MemberIdRequired { member_id } => {
                format!("is to come back as {}", self.member(member_id))
            }
            GroupError::NotStored(code) => format!("not stored: {}", code.name()),
            other => {
                let text = format!("{other:?}");
                text.split('(').next().unwrap_or_default().to_owned()
            }
        }
    }
}

fn code(number: i16) -> &'static str {
    match ErrorCode::from_code(number).expect("a known code") {
        ErrorCode::None => "ok",
        code => code.name(),
    }
}

fn text(bytes: &Bytes) -> String {
    if bytes.is_empty() {
        "nothing".to_owned()
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    }
}
