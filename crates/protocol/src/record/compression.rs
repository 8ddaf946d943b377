//! The four codecs, in the forms Kafka's clients write: gzip, snappy in Xerial's frames (and bare, as
//! librdkafka may), LZ4 frames, zstd frames.

use std::io::{Read, Write};

/// A codec of the batch attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Records as they are.
    #[default]
    None,
    /// Gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4.
    Lz4,
    /// Zstandard (KIP-110: Produce 7 and Fetch 10 on).
    Zstd,
}

impl Compression {
    /// Every codec, by its number.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec of a number in the attributes.
    #[must_use]
    pub fn from_id(id: i16) -> Option<Self> {
        usize::try_from(id).ok().and_then(|id| Self::ALL.get(id)).copied()
    }

    /// The number in the attributes.
    #[must_use]
    pub const fn id(self) -> i16 {
        self as i16
    }

    /// The name in `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec of a name in `compression.type`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

/// Why bytes do not decompress.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    /// More would come out than the caller allows.
    #[error("the records decompress to more than {limit} bytes")]
    TooLarge {
        /// The caller's limit in bytes.
        limit: usize,
    },
    /// The codec refused.
    #[error("{codec} data is damaged: {reason}")]
    Damaged {
        /// The codec's name.
        codec: &'static str,
        /// What it said.
        reason: String,
    },
}

/// Xerial's snappy stream: magic, version and lowest compatible version, then blocks behind their
/// length.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEADER_LEN: usize = 16;
const XERIAL_BLOCK: usize = 32 * 1024;

/// Compresses bytes; `level` where the codec has one, its default otherwise.
///
/// # Panics
/// Never in practice: writing into memory does not fail.
#[must_use]
pub fn compress(codec: Compression, level: Option<i32>, bytes: &[u8]) -> Vec<u8> {
    match codec {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => {
            let level = level.and_then(|level| u32::try_from(level).ok()).filter(|n| *n <= 9);
            let level = level.map_or(flate2::Compression::default(), flate2::Compression::new);
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).expect("memory takes every write");
            encoder.finish().expect("memory takes every write")
        }
        Compression::Snappy => compress_xerial(bytes),
        Compression::Lz4 => {
            // Independent blocks, as the Java client writes and expects them.
            let mut info = lz4_flex::frame::FrameInfo::new();
            info.block_mode = lz4_flex::frame::BlockMode::Independent;
            info.block_size = lz4_flex::frame::BlockSize::Max64KB;
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(bytes).expect("memory takes every write");
            encoder.finish().expect("memory takes every write")
        }
        Compression::Zstd => {
            let level = level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
            zstd::encode_all(bytes, level).expect("memory takes every write")
        }
    }
}

fn compress_xerial(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(XERIAL_HEADER_LEN + bytes.len() / 2);
    out.extend_from_slice(&XERIAL_MAGIC);
    out.extend_from_slice(&1i32.to_be_bytes());
    out.extend_from_slice(&1i32.to_be_bytes());
    let mut encoder = snap::raw::Encoder::new();
    for block in bytes.chunks(XERIAL_BLOCK) {
        let packed = encoder.compress_vec(block).expect("a block is far below snappy's limit");
        let length = i32::try_from(packed.len()).expect("a block is far below 2 GiB");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&packed);
    }
    out
}

/// Decompresses bytes to at most `limit` bytes. Whatever the input says, memory stays near that limit
/// and, for zstd, the window that the frame asks for (at most 128 MiB).
pub fn decompress(
    codec: Compression,
    bytes: &[u8],
    limit: usize,
) -> Result<Vec<u8>, CompressionError> {
    match codec {
        Compression::None if bytes.len() > limit => Err(CompressionError::TooLarge { limit }),
        Compression::None => Ok(bytes.to_vec()),
        Compression::Gzip => read_all(codec, flate2::read::MultiGzDecoder::new(bytes), limit),
        Compression::Snappy => decompress_snappy(bytes, limit),
        Compression::Lz4 => read_all(codec, lz4_flex::frame::FrameDecoder::new(bytes), limit),
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(bytes)
                .map_err(|error| damaged(codec, error.to_string()))?;
            read_all(codec, decoder, limit)
        }
    }
}

fn damaged(codec: Compression, reason: String) -> CompressionError {
    CompressionError::Damaged { codec: codec.name(), reason }
}

fn read_all(
    codec: Compression,
    decoder: impl Read,
    limit: usize,
) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    let bound = (limit as u64).saturating_add(1);
    decoder.take(bound).read_to_end(&mut out).map_err(|error| damaged(codec, error.to_string()))?;
    if out.len() > limit {
        return Err(CompressionError::TooLarge { limit });
    }
    Ok(out)
}

fn decompress_snappy(bytes: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let codec = Compression::Snappy;
    let mut out = Vec::new();
    let mut decoder = snap::raw::Decoder::new();
    let mut block = |packed: &[u8], out: &mut Vec<u8>| {
        let length =
            snap::raw::decompress_len(packed).map_err(|error| damaged(codec, error.to_string()))?;
        if length > limit.saturating_sub(out.len()) {
            return Err(CompressionError::TooLarge { limit });
        }
        let plain =
            decoder.decompress_vec(packed).map_err(|error| damaged(codec, error.to_string()))?;
        out.extend_from_slice(&plain);
        Ok(())
    };
    if !bytes.starts_with(&XERIAL_MAGIC) {
        block(bytes, &mut out)?;
        return Ok(out);
    }
    let mut rest = bytes
        .get(XERIAL_HEADER_LEN..)
        .ok_or_else(|| damaged(codec, "the stream's header is cut".to_owned()))?;
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let packed = usize::try_from(i32::from_be_bytes(*length))
            .ok()
            .and_then(|length| tail.get(..length))
            .ok_or_else(|| damaged(codec, "a block is cut".to_owned()))?;
        block(packed, &mut out)?;
        rest = &tail[packed.len()..];
    }
    if rest.is_empty() { Ok(out) } else { Err(damaged(codec, "a block is cut".to_owned())) }
}
