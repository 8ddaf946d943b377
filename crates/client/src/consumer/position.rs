//! Records out of a fetched run of batches: from a position on, and only those that may be seen. Pure.

use std::collections::BTreeSet;

use bytes::Bytes;
use ottla_protocol::ids::{LeaderEpoch, Offset};
use ottla_protocol::record::{
    BatchError, ControlRecord, DecodeLimits, EndTransaction, Record, RecordError, batches,
    check_crc, decode_batch,
};

/// A transaction that was aborted, as a Fetch answer lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Aborted {
    pub(super) first_offset: Offset,
    pub(super) producer_id: i64,
}

/// What a run of batches holds for a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visible {
    pub(super) records: Vec<Record>,
    /// Where to read on; behind batches that hold nothing to be seen as well.
    pub(super) next_offset: Offset,
    /// The leader epoch of the last batch; `None` if there was none.
    pub(super) last_epoch: Option<LeaderEpoch>,
}

/// The records of `bytes` from offset `from` on. Control batches, and with a list of aborted
/// transactions their records, are left out. A batch that is cut at the end ends the run.
pub(super) fn visible(
    bytes: &Bytes,
    from: Offset,
    aborted: Option<&[Aborted]>,
) -> Result<Visible, RecordError> {
    let mut pending: Vec<Aborted> = aborted.unwrap_or_default().to_vec();
    pending.sort();
    let mut pending = pending.into_iter().peekable();
    let mut open_aborts: BTreeSet<i64> = BTreeSet::new();
    let mut run = Visible { records: Vec::new(), next_offset: from, last_epoch: None };
    for batch in batches(bytes) {
        let batch = match batch {
            Ok(batch) => batch,
            Err(BatchError::Truncated { .. }) => break,
            Err(error) => return Err(error.into()),
        };
        let header = &batch.header;
        while let Some(abort) = pending.next_if(|a| a.first_offset <= header.last_offset()) {
            open_aborts.insert(abort.producer_id);
        }
        if header.is_control() {
            check_crc(batch.bytes)?;
            if is_abort_marker(&bytes.slice_ref(batch.bytes)) {
                open_aborts.remove(&header.producer_id);
            }
        } else if !(header.is_transactional() && open_aborts.contains(&header.producer_id)) {
            let before = run.records.len();
            let whole = bytes.slice_ref(batch.bytes);
            decode_batch(&whole, DecodeLimits::default(), &mut run.records)?;
            // A batch may begin before the offset that was asked for.
            let early = run.records[before..].partition_point(|record| record.offset < from);
            run.records.drain(before..before + early);
        }
        run.next_offset = run.next_offset.max(header.next_offset());
        run.last_epoch = Some(header.partition_leader_epoch);
    }
    Ok(run)
}

fn is_abort_marker(batch: &Bytes) -> bool {
    let marker = ControlRecord::from_batch(batch);
    matches!(marker, Ok(ControlRecord::EndTransaction { how: EndTransaction::Abort, .. }))
}

#[cfg(test)]
mod tests;
