//! Delete groups, and the offsets of topics.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ottla_client::{Admin, ApiError};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::TopicPartition;

use super::list;
use super::reset::topic_with_partitions;
use super::thrown::{Stop, Thrown, called};
use crate::console::{print, say};
use crate::exceptions::Failure;
use crate::jopt::Given;

/// `--delete`.
pub(super) async fn groups(admin: &Admin, given: &Given) -> Result<(), Stop> {
    let groups = list::meant(admin, given).await?;
    let call = "deleteConsumerGroups(api=FIND_COORDINATOR)";
    let outcomes = admin.delete_groups(&groups).await.map_err(called(call))?;
    let quoted = |group: &String| format!("'{group}'");
    let deleted: Vec<String> =
        outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(g, _)| quoted(g)).collect();
    let deleted = deleted.join(", ");
    if outcomes.values().all(Result::is_ok) {
        say(&format!("Deletion of requested consumer groups ({deleted}) was successful."));
        return Ok(());
    }
    super::error("Deletion of some consumer groups failed:");
    for (group, outcome) in &outcomes {
        if let Err(error) = outcome {
            let thrown = Failure::from(error).thrown();
            say(&format!("* Group '{group}' could not be deleted due to: {thrown}"));
        }
    }
    if !deleted.is_empty() {
        say(&format!("\nThese consumer groups were deleted successfully: {deleted}"));
    }
    Ok(())
}

/// A row of `--delete-offsets`: a topic that cannot be described has no partition.
type Rows = BTreeMap<(String, Option<i32>), Option<Failure>>;

/// `--delete-offsets`.
pub(super) async fn offsets(admin: &Admin, given: &Given) -> Result<(), Stop> {
    let group = given.one("group")?.unwrap_or_default();
    let mut rows = Rows::new();
    let partitions = partitions(admin, given, &mut rows).await?;
    let partitions: Vec<TopicPartition> = partitions.into_iter().collect();
    let call = "deleteConsumerGroupOffsets(api=FIND_COORDINATOR)";
    let answer = admin.delete_group_offsets(group, &partitions).await.map_err(called(call))?;
    let mut first_error: Option<ApiError> = None;
    for partition in &partitions {
        let outcome = match &answer {
            Ok(outcomes) => outcomes.get(partition).cloned().unwrap_or(Ok(())),
            Err(error) => Err(error.clone()),
        };
        let failure = outcome.as_ref().err().map(Failure::from);
        first_error = first_error.or(outcome.err());
        rows.insert((partition.topic.to_string(), Some(partition.partition)), failure);
    }
    summarise(group, first_error.or(answer.err()).as_ref());
    print(&table(&rows));
    Ok(())
}

async fn partitions(
    admin: &Admin,
    given: &Given,
    rows: &mut Rows,
) -> Result<BTreeSet<TopicPartition>, Stop> {
    let mut partitions = BTreeSet::new();
    let mut whole: BTreeSet<String> = BTreeSet::new();
    for topic in given.all("topic") {
        if topic.contains(':') {
            partitions.extend(topic_with_partitions(topic).map_err(Stop::Usage)?);
        } else {
            whole.insert(topic.to_owned());
        }
    }
    let whole: Vec<String> = whole.into_iter().collect();
    let described = admin.describe_topics(&whole, i32::MAX).await;
    let described = described.map_err(|error| -> Thrown { called("describeTopics")(error) })?;
    for (topic, described) in whole.into_iter().zip(described) {
        match described {
            Ok(described) => {
                let place = |index| TopicPartition::new(topic.as_str(), index);
                partitions.extend(described.partitions.iter().map(|p| place(p.partition)));
            }
            Err(error) => {
                rows.insert((topic, None), Some(Failure::from(&error)));
            }
        }
    }
    Ok(partitions)
}

fn summarise(group: &str, error: Option<&ApiError>) {
    let Some(error) = error else {
        say(&format!("Request succeeded for deleting offsets from group {group}."));
        return;
    };
    let code = error.error_code();
    match code {
        ErrorCode::InvalidGroupId
        | ErrorCode::GroupIdNotFound
        | ErrorCode::GroupAuthorizationFailed
        | ErrorCode::NonEmptyGroup => super::error(code.message()),
        ErrorCode::GroupSubscribedToTopic
        | ErrorCode::TopicAuthorizationFailed
        | ErrorCode::UnknownTopicOrPartition => {
            super::error("Encountered some partition-level error, see the follow-up details.");
        }
        code => super::error(&format!("Encountered some unknown error: {}", code.name())),
    }
}

fn table(rows: &Rows) -> String {
    let longest = rows.keys().map(|(topic, _)| topic.chars().count()).max().unwrap_or(0);
    let t = longest.max(15);
    // Writing to a string cannot fail.
    let mut text = String::new();
    let _ = write!(text, "\n{:t$} {:10} {:15}", "TOPIC", "PARTITION", "STATUS");
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by_key(|((topic, partition), _)| format!("{topic}{}", partition.unwrap_or(-1)));
    for ((topic, partition), failure) in rows {
        let partition = partition.map_or_else(|| "-".to_owned(), |index| index.to_string());
        let status = match failure {
            Some(failure) => format!("Error: {}", failure.thrown()),
            None => "Successful".to_owned(),
        };
        let _ = write!(text, "\n{topic:t$} {partition:10} {status:15}");
    }
    text.push('\n');
    text
}
