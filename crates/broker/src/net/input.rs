//! Bytes that have arrived, cut into frames.

use bytes::{Buf, Bytes, BytesMut};

/// How much is asked of the socket at a time while no large frame is under way.
const READ_BYTES: usize = 64 * 1024;
/// A large frame's memory grows with what has arrived of it, by at most this much ahead.
const AHEAD_BYTES: usize = 1024 * 1024;
/// The length prefix of a frame.
const PREFIX_BYTES: usize = 4;

/// A frame's length is negative or above `socket.request.max.bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a frame of {announced} bytes was announced; 'socket.request.max.bytes' allows 8 to {allowed}"
)]
pub(crate) struct BadLength {
    announced: i32,
    allowed: usize,
}

/// The receiving side's buffer.
#[derive(Debug)]
pub(crate) struct Input {
    buffer: BytesMut,
    max_frame_bytes: usize,
}

impl Input {
    pub(crate) fn new(max_frame_bytes: usize) -> Self {
        Self { buffer: BytesMut::new(), max_frame_bytes }
    }

    /// Bytes that wait in the buffer.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// The first whole frame, without its length prefix, left in the buffer.
    pub(crate) fn peek(&self) -> Result<Option<&[u8]>, BadLength> {
        let Some(length) = self.announced()? else { return Ok(None) };
        Ok(self.buffer.get(PREFIX_BYTES..PREFIX_BYTES + length))
    }

    /// Takes the first whole frame out, without its length prefix.
    pub(crate) fn take(&mut self) -> Result<Option<Bytes>, BadLength> {
        let Some(length) = self.announced()? else { return Ok(None) };
        if self.buffer.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(PREFIX_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// The buffer with room for the next read. What is allocated follows what has arrived, not what a
    /// length prefix promises.
    pub(crate) fn space(&mut self) -> &mut BytesMut {
        let missing = match self.announced() {
            Ok(Some(length)) => (PREFIX_BYTES + length).saturating_sub(self.buffer.len()),
            Ok(None) | Err(_) => 0,
        };
        let spare = self.buffer.capacity() - self.buffer.len();
        if missing > 0 {
            self.buffer.reserve(missing.min(self.buffer.len().max(AHEAD_BYTES)));
        } else if spare < READ_BYTES / 4 {
            self.buffer.reserve(READ_BYTES);
        }
        &mut self.buffer
    }

    fn announced(&self) -> Result<Option<usize>, BadLength> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let announced = i32::from_be_bytes(*prefix);
        match usize::try_from(announced) {
            Ok(length) if (8..=self.max_frame_bytes).contains(&length) => Ok(Some(length)),
            _ => Err(BadLength { announced, allowed: self.max_frame_bytes }),
        }
    }
}
