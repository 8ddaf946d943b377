//! Record batches of format version 2: the bytes in Produce and Fetch, in replication and on disk.
//!
//! The broker reads headers ([`BatchHeader`], [`batches`]) and rewrites the few fields that are its
//! own ([`stamp`], [`stamp_log_append_time`]); it never looks at the records. The codec below
//! ([`RecordBatchBuilder`], [`decode_records`]) is for clients, tools and tests. Older message sets
//! (magic 0 and 1) are refused everywhere.

mod builder;
mod codec;
mod compression;
mod control;
mod header;
mod retain;
mod stamp;
mod varint;

pub use builder::{BatchTooLarge, ProducerFields, RecordBatchBuilder};
pub use codec::{
    DecodeLimits, Header, Record, RecordError, decode_batch, decode_records, decode_shared,
};
pub use compression::{Compression, CompressionError, compress, decompress};
pub use control::{ControlError, ControlRecord, EndTransaction};
pub use header::{
    BATCH_HEADER_LEN, BatchError, BatchHeader, BatchView, Batches, LOG_OVERHEAD, NO_SEQUENCE,
    NO_TIMESTAMP, TimestampType, batches, check_crc, check_produced,
};
pub use retain::retain;
pub use stamp::{stamp, stamp_log_append_time};
