//! How a value stands in sled: a version, a checksum, and no more than 8 KiB of it under one key. Larger
//! leaves would spill into files that sled never syncs.

use std::io;

/// The version of everything in the store.
const VERSION: u8 = 1;
const HEADER: usize = 1 + 4;
/// The most that one value holds, header included.
const MAX_VALUE: usize = 8 * 1024;
/// Parts are numbered in 16 bits: an entry can have 2 GiB, far beyond any message limit.
const MAX_PART: usize = MAX_VALUE - HEADER;

/// One framed value.
pub(super) fn seal(payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER + payload.len());
    value.push(VERSION);
    value.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    value.extend_from_slice(payload);
    value
}

/// What a framed value holds.
pub(super) fn open<'a>(what: &str, value: &'a [u8]) -> io::Result<&'a [u8]> {
    let (header, payload) = value
        .split_at_checked(HEADER)
        .ok_or_else(|| damaged(format!("{what}: {} bytes are too few", value.len())))?;
    if header[0] != VERSION {
        return Err(damaged(format!(
            "{what}: written in format {}, and this version reads format {VERSION}",
            header[0]
        )));
    }
    if crc32c::crc32c(payload).to_le_bytes() != header[1..] {
        return Err(damaged(format!("{what}: the checksum does not fit")));
    }
    Ok(payload)
}

/// The framed parts of a payload of any size: at least one. The last is the first that is not full, so that
/// a reader knows the end without looking further.
pub(super) fn parts(payload: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let count = payload.len() / MAX_PART + 1;
    (0..count).map(move |part| {
        let start = part * MAX_PART;
        seal(&payload[start..payload.len().min(start + MAX_PART)])
    })
}

/// Whether a framed part is the last of its payload.
pub(super) fn is_last(part: &[u8]) -> bool {
    part.len() < MAX_VALUE
}

/// Data that is not what was written.
pub(super) fn damaged(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_any_size_comes_back() {
        for size in [0, 1, MAX_PART - 1, MAX_PART, MAX_PART + 1, 3 * MAX_PART] {
            let payload: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let parts: Vec<Vec<u8>> = parts(&payload).collect();
            assert!(parts.iter().all(|part| part.len() <= MAX_VALUE));
            let ends: Vec<bool> = parts.iter().map(|part| is_last(part)).collect();
            assert_eq!(ends.iter().position(|last| *last), Some(parts.len() - 1));
            let back: Vec<u8> =
                parts.iter().flat_map(|part| open("x", part).unwrap().to_vec()).collect();
            assert_eq!(back, payload);
        }
    }

    #[test]
    fn damage_is_seen() {
        let mut value = seal(b"vote");
        value[6] ^= 1;
        assert!(open("vote", &value).is_err());
        value[6] ^= 1;
        value[0] = 9;
        let error = open("vote", &value).unwrap_err().to_string();
        assert_eq!(error, "vote: written in format 9, and this version reads format 1");
        assert!(open("vote", b"abc").is_err());
    }
}
