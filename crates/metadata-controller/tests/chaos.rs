//! Controllers die and come back at random while changes go on: what was acknowledged stays, and all end
//! with one and the same image.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ottla_metadata::proposal::Reply;
use support::*;

const ROUNDS: usize = 10;

/// xorshift: the same seed, the same faults.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_whoever_dies() {
    let seed = std::env::var("OTTLA_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut random: u64 = seed.unwrap_or_else(|| rand::random::<u64>() | 1);
    println!("OTTLA_SEED={random}");
    let mut cluster = Cluster::new(3);
    for id in 1..=3 {
        start(&mut cluster, id).await;
    }
    // It never dies, but who is active has to find that out each time.
    let _broker = Broker::start(11, &cluster);
    cluster.image(1, |image| image.live_brokers().count() == 1).await;
    let over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let clients: Vec<Client> = (1..=3).map(|id| cluster.client(id)).collect();
            tokio::spawn(write(writer, clients, Arc::clone(&over)))
        })
        .collect();
    for _ in 0..ROUNDS {
        let first = i32::try_from(next(&mut random) % 3 + 1).unwrap();
        cluster.kill(first);
        if next(&mut random).is_multiple_of(3) {
            // Now and then there is no majority.
            let second = first % 3 + 1;
            cluster.kill(second);
            tokio::time::sleep(Duration::from_millis(next(&mut random) % 300)).await;
            start(&mut cluster, second).await;
        }
        tokio::time::sleep(Duration::from_millis(next(&mut random) % 400)).await;
        start(&mut cluster, first).await;
        tokio::time::sleep(Duration::from_millis(next(&mut random) % 200)).await;
    }
    over.store(true, Ordering::Relaxed);
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    println!("{} changes acknowledged", acknowledged.len());
    assert!(acknowledged.len() > 20, "hardly anything was written");
    let newest = cluster.image(cluster.set("2").await, |image| has_retention(image, "2")).await;
    let lost: Vec<String> =
        acknowledged.into_iter().filter(|name| newest.topic_by_name(name).is_none()).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    // Where they are at the same offset they are the same.
    let images = eventually("all at one offset", || async {
        let at = cluster.image(1, |_| true).await.offset();
        let mut images = Vec::new();
        for id in 1..=3 {
            images.push(cluster.image(id, |image| image.offset() >= at).await);
        }
        images.iter().all(|image| image.offset() == at).then_some(images)
    })
    .await;
    assert_eq!(images[0], images[1]);
    assert_eq!(images[0], images[2]);
}

async fn start(cluster: &mut Cluster, id: i32) {
    let mut options = cluster.options(id);
    // Snapshots and purges take part.
    options.snapshot_entries = 40;
    cluster.start_with(id, options).await.unwrap();
}

/// Creates topics until it is over, and returns those that were acknowledged.
async fn write(writer: i32, clients: Vec<Client>, over: Arc<AtomicBool>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0.. {
        let name = format!("t-{writer}-{number}");
        for client in &clients {
            if over.load(Ordering::Relaxed) {
                return acknowledged;
            }
            let reply = try_propose(client, &create_topic(&name, 1)).await;
            if let Some(Reply::CreateTopics(created)) = reply
                && created[0].is_ok()
            {
                acknowledged.push(name);
                break;
            }
        }
    }
    acknowledged
}
