//! The follower's side of the replica streams: one standing stream to each broker that leads one of our
//! partitions, redialled at once when it breaks.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use futures::task::AtomicWaker;
use ottla_protocol::ids::{BrokerId, TopicIdPartition};
use ottla_replication::Input;
use ottla_rpc::replication::{FromFollower, FromLeader, Hello, PartitionKey, Position, Progress};
use ottla_rpc::{ChannelOptions, connect, replication_client};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::Streaming;

use super::follow::Next;
use super::replica::Partition;
use super::service::partition_id;
use super::shared::Shared;

/// Pause after a failed dial; doubles up to the maximum. Short: a leader that restarts is back soon, and
/// one that is gone is replaced by the metadata.
const REDIAL_MS: u64 = 10;
const REDIAL_MAX_MS: u64 = 250;

/// The streams to all leaders.
#[derive(Default)]
pub(super) struct Links {
    links: Mutex<HashMap<BrokerId, Arc<Link>>>,
}

/// The stream to one leader.
struct Link {
    leader: BrokerId,
    outbound: Mutex<Outbound>,
    /// Wakes the stream that the transport polls.
    waker: AtomicWaker,
    /// Something about the leader has changed: do not wait for the redial.
    redial: Notify,
}

#[derive(Default)]
struct Outbound {
    /// Its task has ended: whoever needs a link makes another.
    closed: bool,
    partitions: HashMap<TopicIdPartition, Arc<Partition>>,
    /// Counts the streams; what a broken one had queued is void. 0: none is up.
    stream: u64,
    streams: u64,
    next: FromFollower,
}

impl Links {
    /// Subscribes a partition, and starts the stream if it is the first. While no stream is up the
    /// position is dropped: each partition is asked for one when it comes up.
    pub(super) fn ask(
        &self,
        shared: &Arc<Shared>,
        leader: BrokerId,
        partition: &Arc<Partition>,
        position: Position,
    ) {
        let mut position = Some(position);
        while position.is_some() {
            let link = self.link_to(shared, leader);
            link.send(|outbound| {
                if !outbound.closed {
                    outbound.partitions.insert(partition.id(), Arc::clone(partition));
                    outbound.next.positions.extend(position.take());
                }
            });
            if position.is_some() {
                self.forget(&link);
            }
        }
    }

    fn link_to(&self, shared: &Arc<Shared>, leader: BrokerId) -> Arc<Link> {
        let mut links = self.links.lock();
        let link = links.entry(leader).or_insert_with(|| {
            let link = Arc::new(Link {
                leader,
                outbound: Mutex::default(),
                waker: AtomicWaker::new(),
                redial: Notify::new(),
            });
            shared.runtime.spawn(run(Arc::clone(shared), Arc::clone(&link)));
            link
        });
        Arc::clone(link)
    }

    fn forget(&self, link: &Arc<Link>) {
        let mut links = self.links.lock();
        if links.get(&link.leader).is_some_and(|known| Arc::ptr_eq(known, link)) {
            links.remove(&link.leader);
        }
    }

    /// Tells a leader how far we are.
    pub(super) fn progress(&self, leader: BrokerId, progress: Progress) {
        let link = self.links.lock().get(&leader).cloned();
        if let Some(link) = link {
            link.send(|outbound| {
                // Cumulative: one report per subscription says it all. They may come out of order.
                let same = |last: &&mut Progress| {
                    last.key == progress.key && last.attempt == progress.attempt
                };
                match outbound.next.progress.last_mut().filter(same) {
                    Some(last) => {
                        last.log_end_offset = last.log_end_offset.max(progress.log_end_offset);
                        last.flushed_offset = last.flushed_offset.max(progress.flushed_offset);
                        last.log_start_offset =
                            last.log_start_offset.max(progress.log_start_offset);
                    }
                    None => outbound.next.progress.push(progress),
                }
            });
        }
    }

    /// A partition is not to be had from this leader any more.
    pub(super) fn unfollow(&self, leader: BrokerId, id: TopicIdPartition) {
        let link = self.links.lock().get(&leader).cloned();
        if let Some(link) = link {
            link.send(|outbound| {
                let Some(partition) = outbound.partitions.remove(&id) else { return };
                let key = partition.key();
                outbound.next.positions.retain(|position| position.key.as_ref() != Some(&key));
                outbound.next.drops.push(key);
            });
        }
    }

    /// A broker has registered or has a new address.
    pub(super) fn redial(&self, leader: BrokerId) {
        if let Some(link) = self.links.lock().get(&leader) {
            link.redial.notify_one();
        }
    }
}

impl Link {
    /// Changes what is to be sent and wakes the stream. Messages are dropped while no stream is up.
    fn send(&self, change: impl FnOnce(&mut Outbound)) {
        let mut outbound = self.outbound.lock();
        change(&mut outbound);
        if outbound.stream == 0 {
            outbound.next = FromFollower::default();
        } else {
            drop(outbound);
            self.waker.wake();
        }
    }

    /// A new stream: what it says first is hello.
    fn begin(self: &Arc<Self>, hello: Hello) -> OutboundStream {
        let mut outbound = self.outbound.lock();
        outbound.streams += 1;
        outbound.stream = outbound.streams;
        outbound.next = FromFollower { hello: Some(hello), ..FromFollower::default() };
        OutboundStream { link: Arc::clone(self), stream: outbound.stream }
    }

    fn end(&self) {
        let mut outbound = self.outbound.lock();
        outbound.stream = 0;
        outbound.next = FromFollower::default();
        drop(outbound);
        self.waker.wake();
    }

    /// Closes the link if nothing needs it.
    fn retire(&self) -> bool {
        let mut outbound = self.outbound.lock();
        outbound.closed = outbound.partitions.is_empty();
        outbound.closed
    }

    fn partitions(&self) -> Vec<Arc<Partition>> {
        self.outbound.lock().partitions.values().cloned().collect()
    }
}

/// The request stream of `Replicate`; ends when another one has begun.
struct OutboundStream {
    link: Arc<Link>,
    stream: u64,
}

impl Stream for OutboundStream {
    type Item = FromFollower;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<FromFollower>> {
        self.link.waker.register(cx.waker());
        let mut outbound = self.link.outbound.lock();
        if outbound.stream != self.stream {
            return Poll::Ready(None);
        }
        if outbound.next == FromFollower::default() {
            return Poll::Pending;
        }
        Poll::Ready(Some(std::mem::take(&mut outbound.next)))
    }
}

/// Keeps the stream up for as long as a partition needs it.
async fn run(shared: Arc<Shared>, link: Arc<Link>) {
    let mut stopping = shared.stopping.subscribe();
    let mut pause_ms = REDIAL_MS;
    loop {
        let streamed = tokio::select! {
            streamed = stream_once(&shared, &link) => streamed,
            _ = stopping.wait_for(|stop| *stop) => return link.end(),
        };
        link.end();
        match streamed {
            Ok(()) => pause_ms = REDIAL_MS,
            Err(error) => {
                tracing::debug!(leader = link.leader, %error, "no replica stream");
            }
        }
        if link.retire() {
            return shared.links.forget(&link);
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(pause_ms)) => {}
            () = link.redial.notified() => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        pause_ms = (pause_ms * 2).min(REDIAL_MAX_MS);
    }
}

/// Dials, subscribes and follows until the stream breaks. An error: it never came up.
async fn stream_once(
    shared: &Arc<Shared>,
    link: &Arc<Link>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (host, port) = shared.address(link.leader).ok_or("the leader's address is not known")?;
    let channel = connect(&host, port, &ChannelOptions::default()).await?;
    let outbound = link.begin(Hello {
        cluster_id: shared.cluster_id().unwrap_or_default(),
        follower_id: shared.me,
        follower_epoch: shared.broker_epoch(),
        leader_id: link.leader,
    });
    let mut inbound = replication_client(channel).replicate(outbound).await?.into_inner();
    shared.note_up(link.leader);
    tracing::info!(leader = link.leader, "replica stream is up");
    for partition in link.partitions() {
        partition.step(Input::Ask);
    }
    let ended = follow(shared, &mut inbound).await;
    shared.note_lost(link.leader);
    tracing::info!(leader = link.leader, ?ended, "replica stream has ended");
    Ok(())
}

/// A partition that is to ask again, and as what it was refused.
type Again = (Arc<Partition>, i32, u32);

async fn follow(
    shared: &Arc<Shared>,
    inbound: &mut Streaming<FromLeader>,
) -> Option<tonic::Status> {
    let mut again: BTreeMap<Instant, Vec<Again>> = BTreeMap::new();
    loop {
        let due = again.first_key_value().map(|(at, _)| *at);
        let message = tokio::select! {
            biased;
            message = inbound.message() => message,
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some((_, partitions)) = again.pop_first() {
                    for (partition, epoch, attempt) in partitions {
                        partition.ask_if_idle(epoch, attempt);
                    }
                }
                continue;
            }
        };
        match message {
            Ok(Some(message)) => receive(shared, message, &mut again),
            Ok(None) => return None,
            Err(status) => return Some(status),
        }
    }
}

fn receive(shared: &Arc<Shared>, message: FromLeader, again: &mut BTreeMap<Instant, Vec<Again>>) {
    for data in message.partitions {
        let key: Option<&PartitionKey> = data.key.as_ref();
        let Some(partition) = partition_id(key).and_then(|id| shared.get(id)) else { continue };
        let (epoch, attempt) = (data.leader_epoch, data.attempt);
        if let Next::AskAgain(delay_ms) = partition.on_leader_data(data) {
            let at = Instant::now() + Duration::from_millis(delay_ms);
            again.entry(at).or_default().push((partition, epoch, attempt));
        }
    }
}
