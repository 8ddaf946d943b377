//! The high watermarks of one topic, asked of the leaders now and then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_client::admin::OffsetSpec;
use ottla_client::{Admin, IsolationLevel};
use ottla_protocol::ids::{TopicName, TopicPartition};
use tokio::sync::mpsc;

/// How often they are asked for.
const EVERY: Duration = Duration::from_millis(250);

/// By partition; those whose leader does not answer keep their last value with the receiver.
pub(super) type HighWatermarks = BTreeMap<i32, i64>;

/// Sends what has changed, until nobody wants it any more.
pub(super) async fn follow(admin: Admin, topic: TopicName, changed: mpsc::Sender<HighWatermarks>) {
    let mut known = HighWatermarks::new();
    while !changed.is_closed() {
        let now = ask(&admin, &topic).await;
        let news: HighWatermarks = now
            .into_iter()
            .filter(|(partition, offset)| known.get(partition) != Some(offset))
            .collect();
        if !news.is_empty() {
            known.extend(&news);
            if changed.send(news).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// A topic that is not there, or a leader that does not answer, is asked again next time.
async fn ask(admin: &Admin, topic: &TopicName) -> HighWatermarks {
    let Ok(info) = admin.client().topic(topic, false).await else { return HighWatermarks::new() };
    let asked = (0..)
        .take(info.partitions.len())
        .map(|partition| (TopicPartition::new(Arc::clone(topic), partition), OffsetSpec::Latest))
        .collect();
    match admin.list_offsets(&asked, IsolationLevel::ReadUncommitted).await {
        Ok(answers) => answers
            .into_iter()
            .filter_map(|(partition, answer)| Some((partition.partition, answer.ok()?.offset)))
            .collect(),
        Err(_) => HighWatermarks::new(),
    }
}
