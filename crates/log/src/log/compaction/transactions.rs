//! How the transactions in a range of segments ended, by the marks in it.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use ottla_protocol::ids::Offset;
use ottla_protocol::record::{ControlRecord, EndTransaction};

use super::source::{Source, Sources};
use crate::LogError;

/// What is known of transactions.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    /// By producer and the mark's offset.
    ends: BTreeMap<(i64, Offset), EndTransaction>,
    /// The first offset of a transaction whose mark is not in the range: from there on nothing is known.
    open_from: Option<Offset>,
}

impl Transactions {
    /// Walks all of the sources.
    pub(super) fn read(files: &Sources, sources: &[Source]) -> Result<Self, LogError> {
        let mut found = Self::default();
        let mut open: HashMap<i64, Offset> = HashMap::new();
        for source in sources {
            let mut scanner = files.scan(source)?;
            while let Some(batch) = scanner.next().map_err(|error| error.damage(&scanner.file))? {
                let header = batch.header;
                if header.is_control() {
                    let bytes =
                        scanner.whole(&batch).map_err(|error| error.damage(&scanner.file))?;
                    if let Some(how) = end_of(&bytes) {
                        found.ends.insert((header.producer_id, header.base_offset), how);
                        open.remove(&header.producer_id);
                    }
                } else if header.is_transactional() {
                    open.entry(header.producer_id).or_insert(header.base_offset);
                }
            }
        }
        found.open_from = open.into_values().min();
        Ok(found)
    }

    /// The offset from which on transactions are open.
    pub(super) fn open_from(&self) -> Option<Offset> {
        self.open_from
    }

    /// Whether what a producer wrote in a transaction at `offset` was aborted.
    pub(super) fn is_aborted(&self, producer_id: i64, offset: Offset) -> bool {
        let next = self.ends.range((producer_id, offset)..=(producer_id, Offset::MAX)).next();
        next.is_some_and(|(_, how)| *how == EndTransaction::Abort)
    }
}

/// How a transaction ends by this whole control batch; `None` if it is no such mark (any more).
pub(super) fn end_of(batch: &Bytes) -> Option<EndTransaction> {
    match ControlRecord::from_batch(batch) {
        Ok(ControlRecord::EndTransaction { how, .. }) => Some(how),
        Ok(ControlRecord::Other { .. }) | Err(_) => None,
    }
}
