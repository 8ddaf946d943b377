//! Reset the offsets of groups that have no members: plan, and with `--execute` commit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ottla_client::admin::{GroupState, OffsetSpec};
use ottla_client::{Admin, CommittedOffset, IsolationLevel};
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{Offset, TopicPartition};

use super::describe::{Committed, committed};
use super::thrown::{Stop, Thrown, called, refused};
use super::{csv, list, times};
use crate::console::{self, complain, print, say};
use crate::exceptions::Failure;
use crate::jopt::Given;

/// New offsets of one group.
pub(super) type Plan = BTreeMap<TopicPartition, Offset>;

const RUNTIME: &str = "java.lang.RuntimeException";

/// `--reset-offsets`.
pub(super) async fn reset(admin: &Admin, given: &Given) -> Result<(), Stop> {
    let groups = list::meant(admin, given).await?;
    let run_time = |thrown: Thrown| thrown.executed().within(RUNTIME);
    let described = admin.describe_consumer_groups(&groups).await;
    let call = "describeConsumerGroups(api=FIND_COORDINATOR)";
    let described = described.map_err(|error| run_time(called(call)(error)))?;
    let mut plans: BTreeMap<String, Plan> = BTreeMap::new();
    for (group, description) in described {
        let state = match description {
            Ok(description) => description.state,
            Err(error) if error.error_code() == ErrorCode::GroupIdNotFound => GroupState::Dead,
            Err(error) => return Err(run_time(refused(&error)).into()),
        };
        let plan = match state {
            GroupState::Empty | GroupState::Dead => reset_one(admin, given, &group).await?,
            state => {
                super::error(&format!(
                    "Assignments can only be reset if the group '{group}' is inactive, but the \
                     current state is {}.",
                    state.name()
                ));
                Plan::new()
            }
        };
        plans.insert(group, plan);
    }
    if given.has("export") {
        let is_single = given.all("group").count() == 1;
        say(&csv::export(&plans, is_single));
    } else {
        print(&table(&plans));
    }
    Ok(())
}

async fn reset_one(admin: &Admin, given: &Given, group: &str) -> Result<Plan, Stop> {
    let partitions = partitions(admin, given, group).await?;
    check_partitions(admin, &partitions).await?;
    let plan = plan(admin, given, group, &partitions).await?;
    if given.has("execute") && !plan.is_empty() {
        let offsets: Committed = plan
            .iter()
            .map(|(partition, offset)| {
                (partition.clone(), CommittedOffset { offset: *offset, ..Default::default() })
            })
            .collect();
        let call = "alterConsumerGroupOffsets(api=FIND_COORDINATOR)";
        let altered = admin.alter_group_offsets(group, &offsets).await.map_err(called(call))?;
        let altered = altered.map_err(|error| refused(&error))?;
        if let Some(error) = altered.into_values().find_map(Result::err) {
            return Err(refused(&error).into());
        }
    }
    Ok(plan)
}

/// The partitions that `--all-topics` or `--topic` mean.
async fn partitions(
    admin: &Admin,
    given: &Given,
    group: &str,
) -> Result<BTreeSet<TopicPartition>, Stop> {
    if given.has("all-topics") {
        return Ok(committed_of(admin, group).await?.into_keys().collect());
    }
    if !given.has("topic") {
        if given.has("from-file") {
            return Ok(BTreeSet::new());
        }
        let message = "One of the reset scopes should be defined: --all-topics, --topic.";
        return Err(Stop::Usage(message.to_owned()));
    }
    let mut partitions = BTreeSet::new();
    let mut whole = BTreeSet::new();
    for topic in given.all("topic") {
        if topic.contains(':') {
            partitions.extend(topic_with_partitions(topic).map_err(Stop::Usage)?);
        } else {
            whole.insert(topic.to_owned());
        }
    }
    let whole: Vec<String> = whole.into_iter().collect();
    let described = admin.describe_topics(&whole, i32::MAX).await;
    for topic in described.map_err(called("describeTopics"))? {
        let topic = topic.map_err(|error| refused(&error))?;
        let place = |index| TopicPartition::new(topic.name.as_str(), index);
        partitions.extend(topic.partitions.iter().map(|info| place(info.partition)));
    }
    Ok(partitions)
}

/// Reads `topic:0,1`.
pub(super) fn topic_with_partitions(text: &str) -> Result<Vec<TopicPartition>, String> {
    // Java's split drops empty texts at the end.
    let parts: Vec<&str> = text.trim_end_matches(':').split(':').collect();
    let [topic, partitions] = parts.as_slice() else {
        return Err(format!("Invalid topic arg '{text}', expected topic name and partitions"));
    };
    let place = |index: &str| {
        let index = index
            .parse()
            .map_err(|_| format!("Invalid partition '{index}' specified in topic arg '{text}''"))?;
        Ok(TopicPartition::new(*topic, index))
    };
    partitions.trim_end_matches(',').split(',').map(place).collect()
}

/// All partitions must be there and led.
async fn check_partitions(
    admin: &Admin,
    partitions: &BTreeSet<TopicPartition>,
) -> Result<(), Thrown> {
    let run_time = |thrown: Thrown| thrown.executed().within(RUNTIME);
    let topics: BTreeSet<String> = partitions.iter().map(|p| p.topic.to_string()).collect();
    let topics: Vec<String> = topics.into_iter().collect();
    let described = admin.describe_topics(&topics, i32::MAX).await;
    let mut led = BTreeMap::new();
    for topic in described.map_err(|error| run_time(called("describeTopics")(error)))? {
        let topic = topic.map_err(|error| run_time(refused(&error)))?;
        for info in &topic.partitions {
            let place = TopicPartition::new(topic.name.as_str(), info.partition);
            led.insert(place, info.leader.is_some());
        }
    }
    let names = |state: Option<bool>| {
        let such = partitions.iter().filter(|partition| led.get(*partition).copied() == state);
        such.map(ToString::to_string).collect::<Vec<_>>().join(",")
    };
    let thrown = |class: &str, message: String| {
        Thrown::of(Failure::new(&format!("org.apache.kafka.common.errors.{class}"), message))
    };
    match (names(None), names(Some(false))) {
        (missing, _) if !missing.is_empty() => Err(thrown(
            "UnknownTopicOrPartitionException",
            format!("The partitions \"{missing}\" do not exist"),
        )),
        (_, leaderless) if !leaderless.is_empty() => Err(thrown(
            "LeaderNotAvailableException",
            format!("The partitions \"{leaderless}\" have no leader"),
        )),
        _ => Ok(()),
    }
}

async fn committed_of(admin: &Admin, group: &str) -> Result<Committed, Thrown> {
    Ok(committed(admin, &[group.to_owned()]).await?.remove(group).unwrap_or_default())
}

/// The new offsets, by the first scenario that was given.
async fn plan(
    admin: &Admin,
    given: &Given,
    group: &str,
    partitions: &BTreeSet<TopicPartition>,
) -> Result<Plan, Stop> {
    if given.has("to-offset") {
        let offset = first_number(given, "to-offset")?;
        let wanted = partitions.iter().map(|partition| (partition.clone(), offset)).collect();
        return Ok(within_logs(admin, wanted).await?);
    }
    if given.has("to-earliest") {
        return Ok(listed(admin, partitions, OffsetSpec::Earliest).await?);
    }
    if given.has("to-latest") {
        return Ok(listed(admin, partitions, OffsetSpec::Latest).await?);
    }
    if let Some(by) = given.number::<i64>("shift-by")? {
        let committed = committed_of(admin, group).await?;
        return Ok(within_logs(admin, shifted(partitions, &committed, by)?).await?);
    }
    if let Some(text) = given.all("to-datetime").next() {
        let failed = |failure| Thrown::of(failure).within(RUNTIME);
        let time = times::parse_datetime(text).map_err(failed)?;
        return Ok(at_time(admin, partitions, time).await?);
    }
    if let Some(text) = given.one("by-duration")? {
        let ago_ms = times::parse_duration(text).map_err(Thrown::of)?;
        let time = times::now_ms().saturating_sub(ago_ms);
        return Ok(at_time(admin, partitions, time).await?);
    }
    if let Some(path) = given.all("from-file").next() {
        let groups: Vec<&str> = given.all("group").collect();
        let mut plans = csv::read_file(path, &groups)?;
        let Some(wanted) = plans.remove(group) else {
            super::error(&format!("No reset plan for group {group} found"));
            return Ok(Plan::new());
        };
        return Ok(within_logs(admin, wanted).await?);
    }
    if given.has("to-current") {
        return Ok(to_current(admin, group, partitions).await?);
    }
    Err(Stop::Usage(
        "Option '[reset-offsets]' requires one of the following scenarios: [[to-latest], \
         [by-duration], [to-datetime], [from-file], [shift-by], [to-offset], [to-earliest], \
         [to-current]]"
            .to_owned(),
    ))
}

/// The first of the numbers that were given.
fn first_number(given: &Given, option: &'static str) -> Result<i64, Stop> {
    let text = given.all(option).next().unwrap_or_default();
    let unparsable = |_| crate::jopt::OptionError::Unparsable { option, argument: text.to_owned() };
    Ok(text.parse().map_err(unparsable)?)
}

fn shifted(
    partitions: &BTreeSet<TopicPartition>,
    committed: &Committed,
    by: i64,
) -> Result<Plan, Stop> {
    let shift = |partition: &TopicPartition| match committed.get(partition) {
        Some(committed) => Ok((partition.clone(), committed.offset.saturating_add(by))),
        None => Err(Stop::Usage(format!(
            "Cannot shift offset for partition {partition} since there is no current committed \
             offset"
        ))),
    };
    partitions.iter().map(shift).collect()
}

async fn to_current(
    admin: &Admin,
    group: &str,
    partitions: &BTreeSet<TopicPartition>,
) -> Result<Plan, Thrown> {
    let committed = committed_of(admin, group).await?;
    let has = |partition: &&TopicPartition| committed.contains_key(*partition);
    let without = partitions.iter().filter(|partition| !has(partition)).cloned().collect();
    let mut plan = listed(admin, &without, OffsetSpec::Latest).await?;
    let current = partitions.iter().filter_map(|partition| {
        committed.get(partition).map(|committed| (partition.clone(), committed.offset))
    });
    plan.extend(current);
    Ok(plan)
}

/// Offsets from the partitions' leaders.
async fn listed(
    admin: &Admin,
    partitions: &BTreeSet<TopicPartition>,
    spec: OffsetSpec,
) -> Result<Plan, Thrown> {
    let run_time = |thrown: Thrown| thrown.executed().within(RUNTIME);
    let asked = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
    let listed = admin.list_offsets(&asked, IsolationLevel::ReadUncommitted).await;
    let listed = listed.map_err(|error| {
        let failure = Failure::of_client(&error, "listOffsets(api=METADATA)");
        run_time(Thrown::of(explained(failure, partitions)))
    })?;
    let mut plan = Plan::new();
    for (partition, offset) in listed {
        let offset = offset.map_err(|error| run_time(refused(&error)))?;
        plan.insert(partition, offset.offset);
    }
    Ok(plan)
}

/// A name that no topic can have, as it comes from a file, is named.
fn explained(failure: Failure, partitions: &BTreeSet<TopicPartition>) -> Failure {
    match partitions.first() {
        Some(partition) if failure.class.ends_with(".InvalidTopicException") => {
            let topic = &partition.topic;
            let seen = format!(
                "[AdminClient clientId=adminclient-1] Received invalid topic error for topic {topic} \
                 in `Metadata` response"
            );
            let class = "org.apache.kafka.clients.admin.internals.PartitionLeaderStrategy";
            console::log("ERROR", &seen, class);
            complain(&failure.thrown());
            let message = format!(
                "Failed to fetch metadata for partition {partition} due to invalid topic `{topic}`"
            );
            Failure::new(&failure.class, message)
        }
        _ => failure,
    }
}

/// The offsets of the first records at or after a time; the end where there is none.
async fn at_time(
    admin: &Admin,
    partitions: &BTreeSet<TopicPartition>,
    time_ms: i64,
) -> Result<Plan, Thrown> {
    let mut plan = listed(admin, partitions, OffsetSpec::Timestamp(time_ms)).await?;
    let without: BTreeSet<TopicPartition> =
        plan.iter().filter(|(_, offset)| **offset < 0).map(|(p, _)| p.clone()).collect();
    for partition in &without {
        let (index, topic) = (partition.partition, &partition.topic);
        say(&format!(
            "\nWarn: Partition {index} from topic {topic} is empty. Falling back to latest known \
             offset."
        ));
    }
    plan.extend(listed(admin, &without, OffsetSpec::Latest).await?);
    Ok(plan)
}

/// Moves offsets that are outside of their logs to the nearest end.
async fn within_logs(admin: &Admin, wanted: Plan) -> Result<Plan, Thrown> {
    let partitions: BTreeSet<TopicPartition> = wanted.keys().cloned().collect();
    let starts = listed(admin, &partitions, OffsetSpec::Earliest).await?;
    let ends = listed(admin, &partitions, OffsetSpec::Latest).await?;
    let mut plan = Plan::new();
    for (partition, offset) in wanted {
        let start = starts.get(&partition).copied().unwrap_or(offset);
        let end = ends.get(&partition).copied().unwrap_or(offset);
        let (moved, how) = if offset > end {
            (end, "higher than latest")
        } else if offset < start {
            (start, "lower than earliest")
        } else {
            (offset, "")
        };
        if !how.is_empty() {
            let message = format!(
                "New offset ({offset}) is {how} offset for topic partition {partition}. Value will \
                 be set to {moved}"
            );
            console::log("WARN", &message, "org.apache.kafka.tools.OffsetsUtils");
        }
        plan.insert(partition, moved);
    }
    Ok(plan)
}

pub(super) fn table(plans: &BTreeMap<String, Plan>) -> String {
    let longest = |names: &mut dyn Iterator<Item = usize>| names.max().unwrap_or(0).max(15);
    let g = longest(&mut plans.keys().map(|group| group.chars().count()));
    let topics = plans.values().flat_map(Plan::keys);
    let t = longest(&mut topics.map(|partition| partition.topic.chars().count()));
    let mut text = String::new();
    if !plans.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{:g$} {:t$} {:10} NEW-OFFSET", "GROUP", "TOPIC", "PARTITION");
    }
    for (group, plan) in plans {
        for (partition, offset) in plan {
            let (topic, index) = (&partition.topic, partition.partition.to_string());
            let _ = write!(text, "\n{group:g$} {topic:t$} {index:10} {offset}");
        }
    }
    text.push('\n');
    text
}
