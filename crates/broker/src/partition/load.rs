//! A replica out of what is on disk.

use ottla_log::{Log, LogError};
use ottla_protocol::ids::Offset;
use ottla_replication::{Offsets, ProducerState, Sequenced, producer_snapshot};

use super::clock::wall_ms;

/// Where the log says the replica stands.
pub(super) fn offsets(log: &Log) -> Offsets {
    Offsets {
        log_start: log.log_start(),
        high_watermark: log.high_watermark(),
        log_end: log.log_end(),
        flushed: log.flushed_offset(),
    }
}

/// The producers of a log: its latest readable snapshot, and what the log has behind it.
pub(super) fn producers(log: &mut Log) -> Result<ProducerState, LogError> {
    let now_ms = wall_ms();
    let mut from = log.log_start();
    let mut state = ProducerState::default();
    while let Some((offset, bytes)) = log.latest_producer_snapshot()? {
        if offset <= log.log_end() {
            match producer_snapshot::decode(&bytes, now_ms) {
                Ok(snapshot) => {
                    from = offset.max(from);
                    state = snapshot;
                    break;
                }
                Err(error) => tracing::warn!(%error, offset, "an unreadable producer snapshot"),
            }
        }
        log.remove_producer_snapshot(offset)?;
    }
    scan(log, from, &mut state, now_ms)?;
    Ok(state)
}

fn scan(
    log: &mut Log,
    from: Offset,
    state: &mut ProducerState,
    now_ms: i64,
) -> Result<(), LogError> {
    for header in log.headers_from(from)? {
        let header = header?;
        if let Some(batch) = Sequenced::of(&header)
            && header.base_offset >= from
        {
            state.record(&batch, header.base_offset, now_ms);
        }
    }
    Ok(())
}
