//! Walking the batches of a segment's file by their headers.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ids::Offset;
use ottla_protocol::record::{BATCH_HEADER_LEN, BatchHeader};

use crate::LogError;
use crate::files;
use crate::handles::OpenFile;

/// Read ahead where batches are small; where they are large, little more than the header is read.
const WINDOW: usize = 64 * 1024;
const SMALL_WINDOW: usize = 512;
/// Bytes of a batch that are checked at a time.
const CRC_CHUNK: usize = 256 * 1024;
/// What the checksum of a batch covers begins here.
const CRC_COVERS_FROM: u64 = 21;

/// A batch found by a scan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) position: u32,
    pub(crate) header: BatchHeader,
}

impl Found {
    pub(crate) fn end(&self) -> u32 {
        self.position + self.header.size_in_bytes() as u32
    }
}

/// What ends a scan early.
#[derive(Debug)]
pub(crate) enum ScanError {
    Io(io::Error),
    /// From this position on, the bytes are no whole batch that continues the log.
    Broken {
        position: u32,
        what: String,
    },
}

impl ScanError {
    /// As damage of the file.
    pub(crate) fn damage(self, file: &OpenFile) -> LogError {
        match self {
            Self::Io(error) => LogError::io("read", &file.path, error),
            Self::Broken { position, what } => {
                LogError::Damaged { path: file.path.clone(), position: position.into(), what }
            }
        }
    }
}

/// Walks the batches of a file from a batch's position to the end given. Every header is checked for
/// its magic and length, and for offsets that rise.
#[derive(Debug)]
pub(crate) struct Scanner {
    pub(crate) file: Arc<OpenFile>,
    position: u32,
    end: u32,
    at_least: Offset,
    buffer: Vec<u8>,
    buffer_at: u32,
    window: usize,
}

impl Scanner {
    /// `at_least` bounds the first batch's offset from below.
    pub(crate) fn new(file: Arc<OpenFile>, position: u32, end: u32, at_least: Offset) -> Self {
        let (buffer, buffer_at, window) = (Vec::new(), 0, SMALL_WINDOW);
        Self { file, position, end, at_least, buffer, buffer_at, window }
    }

    /// The next batch's header; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, ScanError> {
        let position = self.position;
        if position >= self.end {
            return Ok(None);
        }
        let broken = |what: String| ScanError::Broken { position, what };
        let header = BatchHeader::parse(self.bytes(position, BATCH_HEADER_LEN)?)
            .map_err(|error| broken(error.to_string()))?;
        let size = header.size_in_bytes();
        let left = (self.end - position) as usize;
        if size > left {
            return Err(broken(format!("a batch of {size} bytes, of which {left} are there")));
        }
        if header.base_offset < self.at_least || header.last_offset_delta < 0 {
            let (first, last) = (header.base_offset, header.last_offset());
            return Err(broken(format!("offsets {first} to {last} behind {}", self.at_least - 1)));
        }
        self.window = if size < SMALL_WINDOW * 8 { WINDOW } else { SMALL_WINDOW };
        self.at_least = header.next_offset();
        let found = Found { position, header };
        self.position = found.end();
        Ok(Some(found))
    }

    /// All bytes of a batch that this scan found.
    pub(crate) fn whole(&mut self, found: &Found) -> Result<Bytes, ScanError> {
        let size = found.header.size_in_bytes();
        let bytes = Bytes::copy_from_slice(self.bytes(found.position, size)?);
        if bytes.len() == size {
            return Ok(bytes);
        }
        let what = format!("a batch of {size} bytes, of which {} are there", bytes.len());
        Err(ScanError::Broken { position: found.position, what })
    }

    /// Checks the checksum of a batch that this scan found.
    pub(crate) fn check_crc(&mut self, found: &Found) -> Result<(), ScanError> {
        let end = u64::from(found.end());
        let mut at = u64::from(found.position) + CRC_COVERS_FROM;
        let mut crc = 0;
        while at < end {
            let len = CRC_CHUNK.min((end - at) as usize);
            let chunk = self.bytes(at as u32, len)?;
            if chunk.is_empty() {
                break;
            }
            crc = crc32c::crc32c_append(crc, chunk);
            at += chunk.len() as u64;
        }
        if crc == found.header.crc {
            return Ok(());
        }
        let what = format!("checksum {crc:#010x} where the header says {:#010x}", found.header.crc);
        Err(ScanError::Broken { position: found.position, what })
    }

    /// Up to `len` bytes at a position, fewer only at the end of the file.
    fn bytes(&mut self, position: u32, len: usize) -> Result<&[u8], ScanError> {
        let len = len.min((self.end - position) as usize);
        let held = self.buffer_at..=self.buffer_at + self.buffer.len() as u32;
        let is_held = held.contains(&position) && held.contains(&(position + len as u32));
        if !is_held {
            let want = len.max(self.window).min((self.end - position) as usize);
            self.buffer =
                files::read_at(&self.file.file, position.into(), want).map_err(ScanError::Io)?;
            self.buffer_at = position;
        }
        let from = (position - self.buffer_at) as usize;
        let to = (from + len).min(self.buffer.len());
        Ok(self.buffer.get(from..to).unwrap_or_default())
    }
}
