//! What the quorum has committed, as this controller has applied it: the image, and the latest batches for
//! those who follow.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;
use tokio::sync::watch;

use ottla_metadata::Image;

/// How much of the committed log is kept for followers that are a little behind; who is further behind gets
/// a snapshot.
const TAIL_BYTES: usize = 8 * 1024 * 1024;

/// How far a controller has applied: the term and the index of the last entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Applied {
    pub(crate) term: u64,
    pub(crate) index: u64,
}

/// Written by the state machine alone; read by all.
pub(crate) struct Committed {
    state: RwLock<State>,
    applied: watch::Sender<Applied>,
}

struct State {
    image: Arc<Image>,
    tail: VecDeque<(u64, Bytes)>,
    tail_bytes: usize,
    /// The tail holds every batch after this offset.
    tail_after: u64,
}

/// What follows after an offset.
pub(crate) enum Next {
    /// Encoded batches with their offsets, oldest first; none when the reader has them all.
    Batches(Vec<(u64, Bytes)>),
    /// The batches are not kept any more: this replaces whatever the reader has.
    Snapshot(Arc<Image>),
}

impl Committed {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: RwLock::new(State {
                image: Arc::default(),
                tail: VecDeque::new(),
                tail_bytes: 0,
                tail_after: 0,
            }),
            applied: watch::Sender::new(Applied::default()),
        })
    }

    pub(crate) fn image(&self) -> Arc<Image> {
        Arc::clone(&self.state.read().image)
    }

    pub(crate) fn applied(&self) -> watch::Receiver<Applied> {
        self.applied.subscribe()
    }

    /// A batch was applied and gave `image`.
    pub(super) fn push_batch(&self, image: Image, batch: Bytes, applied: Applied) {
        {
            let mut state = self.state.write();
            state.image = Arc::new(image);
            state.tail_bytes += batch.len();
            state.tail.push_back((applied.index, batch));
            while state.tail_bytes > TAIL_BYTES
                && let Some((offset, batch)) = state.tail.pop_front()
            {
                state.tail_bytes -= batch.len();
                state.tail_after = offset;
            }
        }
        self.applied.send_replace(applied);
    }

    /// An entry without records was applied.
    pub(super) fn push_other(&self, applied: Applied) {
        self.applied.send_replace(applied);
    }

    /// A snapshot replaces everything.
    pub(super) fn replace(&self, image: Image, applied: Applied) {
        {
            let mut state = self.state.write();
            state.image = Arc::new(image);
            state.tail.clear();
            state.tail_bytes = 0;
            state.tail_after = applied.index;
        }
        self.applied.send_replace(applied);
    }

    /// What a reader that has everything up to and including `offset` needs next: at most `max_bytes` of
    /// batches, but at least one.
    pub(crate) fn after(&self, offset: u64, max_bytes: usize) -> Next {
        let state = self.state.read();
        if offset < state.tail_after {
            return Next::Snapshot(Arc::clone(&state.image));
        }
        let start = state.tail.partition_point(|(at, _)| *at <= offset);
        let mut bytes = 0;
        let batches = state.tail.range(start..).take_while(|(_, batch)| {
            let first = bytes == 0;
            bytes += batch.len().max(1);
            first || bytes <= max_bytes
        });
        Next::Batches(batches.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(next: &Next) -> Option<Vec<u64>> {
        match next {
            Next::Batches(batches) => Some(batches.iter().map(|(offset, _)| *offset).collect()),
            Next::Snapshot(_) => None,
        }
    }

    #[test]
    fn a_reader_gets_what_it_lacks_and_a_snapshot_when_that_is_gone() {
        let committed = Committed::new();
        assert_eq!(offsets(&committed.after(0, 10)), Some(vec![]));
        for index in [1, 3, 4] {
            let batch = Bytes::from_static(b"12345");
            committed.push_batch(Image::default(), batch, Applied { term: 1, index });
        }
        assert_eq!(offsets(&committed.after(0, 10)), Some(vec![1, 3]));
        assert_eq!(offsets(&committed.after(2, 1)), Some(vec![3]));
        assert_eq!(offsets(&committed.after(4, 10)), Some(vec![]));
        committed.replace(Image::default(), Applied { term: 2, index: 9 });
        assert_eq!(offsets(&committed.after(4, 10)), None);
        assert_eq!(offsets(&committed.after(9, 10)), Some(vec![]));
    }

    #[test]
    fn the_tail_is_bounded() {
        let committed = Committed::new();
        let batch = Bytes::from(vec![0; TAIL_BYTES / 2]);
        for index in 1..=3 {
            committed.push_batch(Image::default(), batch.clone(), Applied { term: 1, index });
        }
        assert_eq!(offsets(&committed.after(0, 1)), None);
        assert_eq!(offsets(&committed.after(1, usize::MAX)), Some(vec![2, 3]));
    }
}
