//! `--verify`: how far a reassignment is.

use ottla_client::Admin;

use super::assignment::{self, Assignment};
use super::stop::Stop;
use super::{failed, joined, log_dirs, throttles};
use crate::console::say;

pub(super) async fn verify(
    admin: &Admin,
    plan: &Assignment,
    preserve_throttles: bool,
) -> Result<(), Stop> {
    let target = plan.replicas();
    let under_way = admin.list_partition_reassignments().await;
    let under_way = under_way.map_err(failed("listPartitionReassignments"))?;
    let topics = target.keys().map(|partition| partition.topic.to_string()).collect();
    let found = assignment::of_topics(admin, &topics).await?;
    let mut done = true;
    say("Status of partition reassignment:");
    for (partition, wanted) in &target {
        if under_way.contains_key(partition) {
            done = false;
            say(&format!("Reassignment of partition {partition} is still in progress."));
            continue;
        }
        let topic = found.get(&*partition.topic).and_then(Option::as_ref);
        let current = topic.and_then(|topic| topic.get(partition));
        if current == Some(wanted) {
            say(&format!("Reassignment of partition {partition} is completed."));
        } else {
            say(&format!(
                "There is no active reassignment of partition {partition}, but replica set is {} \
                 rather than {}.",
                joined(current.into_iter().flatten()),
                joined(wanted)
            ));
        }
    }
    let states = log_dirs::states(admin, &plan.log_dirs).await;
    let lines = states.iter().zip(plan.log_dirs.values());
    let lines: Vec<_> = lines.map(|((id, state), target)| state.text(id, target)).collect();
    say(&lines.join("\n"));
    done &= states.values().all(log_dirs::MoveState::is_done);
    if done && !preserve_throttles { throttles::clear(admin, &target).await } else { Ok(()) }
}
