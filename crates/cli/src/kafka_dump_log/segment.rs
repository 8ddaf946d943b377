//! A `.log`: its batches, and the records in them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use ottla_protocol::record::{
    BATCH_HEADER_LEN, BatchHeader, ControlRecord, DecodeLimits, EndTransaction, LOG_OVERHEAD,
    NO_SEQUENCE, Record, TimestampType, check_crc, decode_batch,
};

use super::options::{Decoder, LogOptions, Plain};
use super::quorum_records;
use super::records::{self, Printed};
use super::{Stop, base_offset};
use crate::internal_records::{GROUPS, SHARE_STATE, TRANSACTIONS};

/// Where the checksum of a batch stands, and where what it covers begins.
const CRC: std::ops::Range<usize> = 17..21;
/// Records of batches that follow one another without being neighbours: offset and the next one.
pub(super) type Gaps = BTreeMap<i64, i64>;

/// A batch in a file.
pub(super) struct Batch {
    pub(super) position: u64,
    pub(super) header: BatchHeader,
    pub(super) bytes: Bytes,
}

/// The batches of a file from a position on, as far as they are whole.
pub(super) struct Batches<'a> {
    file: &'a File,
    pub(super) position: u64,
    end: u64,
    name: String,
}

impl<'a> Batches<'a> {
    pub(super) fn new(file: &'a File, path: &Path, position: u64, end: u64) -> Self {
        Self { file, position, end, name: path.display().to_string() }
    }

    /// The next batch; `None` where the rest is no whole batch.
    pub(super) fn next(&mut self) -> Result<Option<Batch>, Stop> {
        let position = self.position;
        let left = self.end.saturating_sub(position);
        if left < BATCH_HEADER_LEN as u64 {
            return Ok(None);
        }
        let mut head = [0; BATCH_HEADER_LEN];
        self.file.read_exact_at(&mut head, position)?;
        let header = BatchHeader::parse(&head).map_err(|error| {
            Stop::thrown(
                "org.apache.kafka.common.errors.CorruptRecordException",
                format!("{} at position {position}: {error}", self.name),
            )
        })?;
        let size = header.size_in_bytes();
        if size as u64 > left {
            return Ok(None);
        }
        let mut bytes = BytesMut::zeroed(size);
        self.file.read_exact_at(&mut bytes, position)?;
        self.position += size as u64;
        Ok(Some(Batch { position, header, bytes: bytes.freeze() }))
    }
}

/// Prints a file; returns where offsets are missing.
pub(super) fn dump(path: &Path, options: &LogOptions, out: &mut dyn Write) -> Result<Gaps, Stop> {
    writeln!(out, "{}", beginning(path)?)?;
    let file = super::open(path)?;
    let size = file.metadata()?.len();
    let end = size.min(options.max_bytes);
    let mut batches = Batches::new(&file, path, 0, end);
    let mut gaps = Gaps::new();
    let mut last = -1;
    while let Some(batch) = batches.next()? {
        print_batch(&batch, out)?;
        if options.deep {
            print_records(&batch, path, options, (&mut last, &mut gaps), out)?;
        }
    }
    let left = end - batches.position;
    if left > 0 && options.is_whole() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        writeln!(out, "Found {left} invalid bytes at the end of {name}")?;
    }
    Ok(gaps)
}

/// What the file's name says of where it begins.
fn beginning(path: &Path) -> Result<String, Stop> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    if path.extension().is_none_or(|suffix| suffix != "checkpoint") {
        return Ok(format!("Log starting offset: {}", base_offset(path)?));
    }
    if stem == "bootstrap" {
        return Ok("KRaft bootstrap snapshot".to_owned());
    }
    let epoch = stem.split_once('-').and_then(|(_, epoch)| epoch.parse::<i32>().ok());
    let epoch = epoch.ok_or_else(|| {
        let message = format!("{} is no snapshot's name: OFFSET-EPOCH.checkpoint", path.display());
        Stop::thrown("java.lang.IllegalArgumentException", message)
    })?;
    Ok(format!("Snapshot end offset: {}, epoch: {epoch}", base_offset(path)?))
}

fn time_name(header: &BatchHeader) -> &'static str {
    match header.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn print_batch(batch: &Batch, out: &mut dyn Write) -> io::Result<()> {
    let header = &batch.header;
    let horizon = if header.has_delete_horizon() {
        format!("OptionalLong[{}]", header.base_timestamp)
    } else {
        "OptionalLong.empty".to_owned()
    };
    writeln!(
        out,
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} \
         producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} \
         deleteHorizonMs: {horizon} position: {} {}: {} size: {} magic: 2 compresscodec: {} crc: {} \
         isvalid: {}",
        header.base_offset,
        header.last_offset(),
        header.count,
        header.base_sequence,
        header.last_sequence(),
        header.producer_id,
        header.producer_epoch,
        header.partition_leader_epoch,
        header.is_transactional(),
        header.is_control(),
        batch.position,
        time_name(header),
        header.max_timestamp,
        header.size_in_bytes(),
        header.compression().map_or("unknown", |codec| codec.name()),
        header.crc,
        check_crc(&batch.bytes).is_ok(),
    )
}

/// All records of a batch, its checksum right or wrong, and what ends them early.
pub(super) fn records(batch: &Batch) -> (Vec<Record>, Option<String>) {
    let mut bytes = BytesMut::from(batch.bytes.as_ref());
    if let Some((head, covered)) = bytes.split_at_mut_checked(CRC.end)
        && let Some(crc) = head.get_mut(CRC)
    {
        crc.copy_from_slice(&crc32c::crc32c(covered).to_be_bytes());
    }
    let mut records = Vec::new();
    let outcome = decode_batch(&bytes.freeze(), DecodeLimits::default(), &mut records);
    (records, outcome.err().map(|error| error.to_string()))
}

fn print_records(
    batch: &Batch,
    path: &Path,
    options: &LogOptions,
    (last, gaps): (&mut i64, &mut Gaps),
    out: &mut dyn Write,
) -> Result<(), Stop> {
    let (records, damage) = records(batch);
    for record in &records {
        if record.offset != *last + 1 {
            gaps.insert(*last, record.offset);
        }
        *last = record.offset;
        if !options.skip_metadata {
            print_metadata(batch, record, out)?;
        }
        if options.print && !batch.header.is_control() {
            let Printed { key, value } = contents(options.decoder, record)?;
            let mut prefix = if options.skip_metadata { "| " } else { " " };
            if let Some(key) = key {
                write!(out, "{prefix}key: {key}")?;
                prefix = " ";
            }
            if let Some(value) = value {
                write!(out, "{prefix}payload: {value}")?;
            }
        }
        writeln!(out)?;
    }
    let Some(damage) = damage else { return Ok(()) };
    Err(Stop::thrown(
        "org.apache.kafka.common.InvalidRecordException",
        format!(
            "Found invalid record structure\n{} at position {}: {damage}",
            path.display(),
            batch.position
        ),
    ))
}

fn print_metadata(batch: &Batch, record: &Record, out: &mut dyn Write) -> Result<(), Stop> {
    let header = &batch.header;
    let size = |bytes: &Option<Bytes>| {
        bytes.as_ref().map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX))
    };
    let keys: Vec<&str> = record.headers.iter().map(|header| header.key.as_str()).collect();
    write!(
        out,
        "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {} headerKeys: [{}]",
        record.offset,
        time_name(header),
        record.timestamp,
        size(&record.key),
        size(&record.value),
        sequence(header, record.offset),
        keys.join(",")
    )?;
    if header.is_control() {
        match ControlRecord::from_batch(&batch.bytes) {
            Ok(ControlRecord::EndTransaction { how, coordinator_epoch }) => {
                let marker = match how {
                    EndTransaction::Commit => "COMMIT",
                    EndTransaction::Abort => "ABORT",
                };
                write!(out, " endTxnMarker: {marker} coordinatorEpoch: {coordinator_epoch}")?;
            }
            _ => {
                let kind = match record.key.as_deref().unwrap_or_default() {
                    [_, _, high, low, ..] => i16::from_be_bytes([*high, *low]),
                    _ => -1,
                };
                let value = record.value.as_deref().unwrap_or_default();
                match quorum_records::control(kind, value) {
                    Some(text) => write!(out, " {text}")?,
                    None => write!(out, " controlType: UNKNOWN({kind})")?,
                }
            }
        }
    }
    Ok(())
}

/// Sequence numbers wrap to 0 behind the greatest.
fn sequence(header: &BatchHeader, offset: i64) -> i64 {
    if header.base_sequence == NO_SEQUENCE {
        return NO_SEQUENCE.into();
    }
    let sequence = i64::from(header.base_sequence) + (offset - header.base_offset);
    sequence.rem_euclid(i64::from(i32::MAX) + 1)
}

/// Key and value as they are printed.
fn contents(decoder: Decoder, record: &Record) -> Result<Printed, Stop> {
    let kinds = match decoder {
        Decoder::Groups => GROUPS,
        Decoder::Transactions => TRANSACTIONS,
        Decoder::ShareState => SHARE_STATE,
        Decoder::Plain { key, value } => {
            let key = record.key.as_deref().map(|bytes| plain(key, bytes)).transpose()?;
            let value = record.value.as_deref().map(|bytes| plain(value, bytes)).transpose()?;
            return Ok(Printed { key, value });
        }
        Decoder::ClusterMetadata => {
            let value = record.value.as_deref().unwrap_or_default();
            let value = quorum_records::metadata(record.offset, value);
            return Ok(Printed { key: None, value: Some(value) });
        }
        Decoder::RemoteLogMetadata => {
            let frame = record.value.as_deref().and_then(|value| value.first()).copied();
            let value = format!(
                "Error at offset {}, skipping. Could not deserialize metadata record due to unknown \
                 frame version {}(only frame version 1 is supported)",
                record.offset,
                frame.unwrap_or_default()
            );
            return Ok(Printed { key: None, value: Some(value) });
        }
    };
    let Some(key) = record.key.as_deref() else {
        return Err(Stop::thrown(
            "java.lang.RuntimeException",
            format!(
                "Failed to decode message at offset {} using the specified decoder (message had a \
                 missing key)",
                record.offset
            ),
        ));
    };
    Ok(records::print(kinds, record.offset, key, record.value.as_deref()))
}

fn plain(decoder: Plain, bytes: &[u8]) -> Result<String, Stop> {
    let underflow = || Stop::Thrown("java.nio.BufferUnderflowException".to_owned());
    match decoder {
        Plain::Text => Ok(String::from_utf8_lossy(bytes).into_owned()),
        Plain::Hex => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        Plain::Long => {
            let bytes = bytes.get(..8).and_then(|bytes| bytes.try_into().ok());
            bytes.map(|bytes| i64::from_be_bytes(bytes).to_string()).ok_or_else(underflow)
        }
        Plain::Integer => {
            let bytes = bytes.get(..4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(|bytes| i32::from_be_bytes(bytes).to_string()).ok_or_else(underflow)
        }
    }
}

/// The end of the first batch from a position on.
pub(super) fn first_last_offset(file: &File, path: &Path, at: u64) -> Result<Option<i64>, Stop> {
    let size = file.metadata()?.len();
    let mut head = [0; BATCH_HEADER_LEN];
    if at + (BATCH_HEADER_LEN.max(LOG_OVERHEAD) as u64) > size {
        return Ok(None);
    }
    file.read_exact_at(&mut head, at)?;
    match BatchHeader::parse(&head) {
        Ok(header) => Ok(Some(header.last_offset())),
        Err(error) => Err(Stop::thrown(
            "org.apache.kafka.common.errors.CorruptRecordException",
            format!("{} at position {at}: {error}", path.display()),
        )),
    }
}
