//! What an unclean election would give up, told before it is held: of each live replica of a partition
//! without a leader its last epoch, its log end, and the records that it lacks of the last known leader's.

use std::fmt::Write as _;

use ottla_client::Admin;
use ottla_client::admin::{PartitionDescription, ReplicaEnd, TopicDescription};
use ottla_protocol::ids::{BrokerId, TopicPartition};

use crate::console::print_error;

/// One answer holds so many partitions of a topic.
const PARTITION_LIMIT: i32 = 2000;

/// A replica as it answered; `None`: it did not.
type Candidate = (BrokerId, Option<ReplicaEnd>);

/// Says on stderr what elections in these partitions (`None`: in all) would give up.
pub(super) async fn tell(admin: &Admin, partitions: Option<&[TopicPartition]>) {
    for (partition, described) in without_leader(admin, partitions).await {
        let ends = described.replicas.iter().map(|broker| async {
            let end = admin.replica_end(*broker, &partition).await;
            (*broker, end.ok().and_then(Result::ok))
        });
        let candidates = futures::future::join_all(ends).await;
        print_error(&text(&partition, &described, &candidates));
    }
}

/// The election itself tells of what cannot be described here.
async fn without_leader(
    admin: &Admin,
    partitions: Option<&[TopicPartition]>,
) -> Vec<(TopicPartition, PartitionDescription)> {
    let names: Vec<String> = match partitions {
        Some(partitions) => {
            let mut names: Vec<_> = partitions.iter().map(|it| it.topic.to_string()).collect();
            names.dedup();
            names
        }
        None => admin
            .list_topics()
            .await
            .unwrap_or_default()
            .into_iter()
            .map(|topic| topic.name)
            .collect(),
    };
    let topics = admin.describe_topics(&names, PARTITION_LIMIT).await.unwrap_or_default();
    let offline = |topic: TopicDescription| {
        let name = topic.name;
        let offline = topic.partitions.into_iter().filter(|it| it.leader.is_none());
        offline.map(move |it| (TopicPartition::new(name.as_str(), it.partition), it))
    };
    let offline = topics.into_iter().flatten().flat_map(offline);
    offline
        .filter(|(partition, _)| partitions.is_none_or(|wanted| wanted.contains(partition)))
        .collect()
}

/// What is said of one partition.
pub(super) fn text(
    partition: &TopicPartition,
    described: &PartitionDescription,
    candidates: &[Candidate],
) -> String {
    let known = described.last_known_elr.as_deref().unwrap_or_default();
    let eligible = described.elr.as_deref().unwrap_or_default();
    // Who is eligible has everything that was acknowledged, as the last known leader has.
    let last_leader = known.first().or(eligible.first()).copied();
    let end_of =
        |broker| candidates.iter().find(|(id, _)| Some(*id) == broker).and_then(|(_, end)| *end);
    let last_end = end_of(last_leader);
    let longest = candidates.iter().filter_map(|(_, end)| *end).map(|end| end.log_end).max();
    let mut text = format!("Partition {partition} has no leader. An unclean election gives up:\n");
    for (broker, end) in candidates {
        let Some(end) = end else {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  broker {broker}: is not live, and no candidate");
            continue;
        };
        let ReplicaEnd { log_end, last_epoch } = end;
        let lost = match (last_leader, last_end, longest) {
            (Some(leader), _, _) if leader == *broker => "nothing, it led last".to_owned(),
            (Some(leader), Some(last), _) => {
                format!("{} record(s) of broker {leader}, which led last", lost(last, *end))
            }
            (Some(leader), None, longest) => format!(
                "what only broker {leader} has, which led last and cannot be asked; {} record(s) of \
                 the longest live replica",
                longest.map_or(0, |longest| longest - log_end)
            ),
            (None, _, longest) => format!(
                "{} record(s) of the longest live replica; who led last is not known",
                longest.map_or(0, |longest| longest - log_end)
            ),
        };
        let _ = writeln!(
            text,
            "  broker {broker}: last epoch {last_epoch}, log end {log_end}, gives up {lost}"
        );
    }
    text
}

/// Records of `last` that `candidate` lacks: at least so many.
fn lost(last: ReplicaEnd, candidate: ReplicaEnd) -> i64 {
    (last.log_end - candidate.log_end).max(0)
}
