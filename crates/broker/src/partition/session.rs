//! One follower's stream as its leader holds it: the queue of partitions that have something to send, and
//! the stream that drains it. The transport polls the stream itself: no task stands between an append and
//! the wire.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use futures::Stream;
use futures::task::AtomicWaker;
use ottla_protocol::ids::{BrokerEpoch, BrokerId, TopicIdPartition};
use ottla_rpc::replication::{FromLeader, PartitionData, partition_data::Outcome};
use parking_lot::Mutex;
use tonic::Status;

use super::replica::Partition;

/// Bytes of batches beyond which a message is sent and the rest waits for the next one.
const MESSAGE_BYTES: usize = 1 << 20;

/// One follower's stream.
pub(super) struct Session {
    follower: BrokerId,
    broker_epoch: BrokerEpoch,
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Arc<Partition>>,
    replies: Vec<PartitionData>,
    subscribed: HashMap<TopicIdPartition, Weak<Partition>>,
    closed: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "session of broker {} (epoch {})", self.follower, self.broker_epoch)
    }
}

impl Session {
    pub(super) fn new(follower: BrokerId, broker_epoch: BrokerEpoch) -> Arc<Self> {
        let (queue, waker) = (Mutex::new(Queue::default()), AtomicWaker::new());
        Arc::new(Self { follower, broker_epoch, queue, waker })
    }

    pub(super) fn follower(&self) -> BrokerId {
        self.follower
    }

    pub(super) fn broker_epoch(&self) -> BrokerEpoch {
        self.broker_epoch
    }

    /// `partition` has something to send.
    pub(super) fn push_ready(&self, partition: Arc<Partition>) {
        self.queue.lock().ready.push_back(partition);
        self.waker.wake();
    }

    /// An answer that carries no batches.
    pub(super) fn push_reply(&self, data: PartitionData) {
        self.queue.lock().replies.push(data);
        self.waker.wake();
    }

    pub(super) fn add(&self, partition: &Arc<Partition>) {
        self.queue.lock().subscribed.insert(partition.id(), Arc::downgrade(partition));
    }

    pub(super) fn remove(&self, id: TopicIdPartition) -> Option<Arc<Partition>> {
        self.queue.lock().subscribed.remove(&id)?.upgrade()
    }

    /// The stream is over: no partition feeds it any more.
    pub(super) fn close(self: &Arc<Self>) {
        let queue = {
            let mut queue = self.queue.lock();
            let open = std::mem::take(&mut *queue);
            queue.closed = true;
            open
        };
        for partition in queue.subscribed.values().filter_map(Weak::upgrade) {
            partition.forget_session(self);
        }
        self.waker.wake();
    }

    /// What there is to send, many partitions in one message. `None`: nothing now.
    fn next_message(self: &Arc<Self>) -> Option<FromLeader> {
        let mut partitions = std::mem::take(&mut self.queue.lock().replies);
        let mut budget = MESSAGE_BYTES;
        while budget > 0 {
            let Some(partition) = self.queue.lock().ready.pop_front() else { break };
            let drained = partition.drain(self, budget);
            if drained.more {
                self.queue.lock().ready.push_back(partition);
            }
            if let Some(data) = drained.data {
                if let Some(Outcome::Batches(batches)) = &data.outcome {
                    budget = budget.saturating_sub(batches.len());
                }
                partitions.push(data);
            }
        }
        (!partitions.is_empty()).then_some(FromLeader { partitions })
    }
}

/// The response stream of `Replicate`.
pub struct SessionStream {
    session: Arc<Session>,
}

impl SessionStream {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self { session }
    }
}

impl Stream for SessionStream {
    type Item = Result<FromLeader, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.session.waker.register(cx.waker());
        if let Some(message) = self.session.next_message() {
            return Poll::Ready(Some(Ok(message)));
        }
        if self.session.queue.lock().closed { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl Drop for SessionStream {
    fn drop(&mut self) {
        self.session.close();
    }
}
