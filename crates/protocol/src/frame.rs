//! Frames: one request or response behind a 4-byte length.
//!
//! The broker side peeks at a request's header before it trusts anything else, then decodes the body
//! by type; the client side does the reverse. A decoder never takes the caller down: errors and
//! panics of the message crate both come back as a [`FrameError`].
//!
//! All functions work on a frame *without* its length prefix when they read, and return it *with*
//! the prefix when they write. Whoever reads the prefix bounds it (`socket.request.max.bytes`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, RequestHeader as WireRequestHeader};
use kafka_protocol::protocol::{Encodable, HeaderVersion};

use crate::request::{Request, Wire};

/// The shortest frame that can be a request: key, version and correlation id.
const SHORTEST_REQUEST: usize = 8;
/// The length prefix of a frame, in bytes.
pub const LENGTH_PREFIX: usize = 4;

/// Why a frame cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not even the fixed part of a header is there.
    #[error("a frame of {length} bytes is too short for a Kafka header")]
    TooShort {
        /// The frame's length in bytes.
        length: usize,
    },
    /// An API key that Kafka's protocol does not have, or that Ottla does not know.
    #[error("unknown API key {api_key} (version {api_version})")]
    UnknownApi {
        /// The number on the wire.
        api_key: i16,
        /// The version that was asked for.
        api_version: i16,
    },
    /// The header behind its fixed part is damaged.
    #[error("malformed header of API key {api_key} version {api_version}: {reason}")]
    MalformedHeader {
        /// The number on the wire.
        api_key: i16,
        /// The version that was asked for.
        api_version: i16,
        /// What is wrong.
        reason: &'static str,
    },
    /// The body does not decode.
    #[error("malformed body of API key {api_key} version {api_version}: {reason}")]
    MalformedBody {
        /// The request's API key.
        api_key: i16,
        /// The version that was decoded.
        api_version: i16,
        /// What the decoder said.
        reason: String,
    },
    /// A response on the client side does not decode.
    #[error("malformed response of version {api_version}: {reason}")]
    MalformedResponse {
        /// The version that was decoded.
        api_version: i16,
        /// What the decoder said.
        reason: String,
    },
    /// A message sets a field that the version lacks, or is larger than a frame can be.
    #[error("cannot encode version {api_version}: {reason}")]
    Unencodable {
        /// The version that was to be encoded.
        api_version: i16,
        /// What the encoder said.
        reason: String,
    },
}

/// The head of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which API, as a number from the wire that the message crate knows; look it up with
    /// [`crate::api::row`] before decoding.
    pub api_key: i16,
    /// Which version of it.
    pub api_version: i16,
    /// To be repeated in the response.
    pub correlation_id: i32,
    /// What the client calls itself; null and absent are both `None`. An own copy.
    pub client_id: Option<Arc<str>>,
    /// Where the body begins in the frame, in bytes.
    pub body_at: usize,
}

/// Reads a request's header from a frame (without its length prefix). Neither the version nor the
/// body is checked: ApiVersions of an unknown version must still be answered.
pub fn peek(frame: &[u8]) -> Result<RequestHeader, FrameError> {
    if frame.len() < SHORTEST_REQUEST {
        return Err(FrameError::TooShort { length: frame.len() });
    }
    let mut rest = frame;
    let api_key = rest.get_i16();
    let api_version = rest.get_i16();
    let correlation_id = rest.get_i32();
    let known =
        ApiKey::try_from(api_key).map_err(|()| FrameError::UnknownApi { api_key, api_version })?;
    let malformed = |reason| FrameError::MalformedHeader { api_key, api_version, reason };

    let client_id = read_client_id(&mut rest).map_err(malformed)?;
    if known.request_header_version(api_version) >= 2 {
        skip_tagged_fields(&mut rest).map_err(malformed)?;
    }
    let body_at = frame.len() - rest.len();
    Ok(RequestHeader { api_key, api_version, correlation_id, client_id, body_at })
}

/// The client id is a nullable string with a 2-byte length in every header version, also in the
/// flexible one.
fn read_client_id(rest: &mut &[u8]) -> Result<Option<Arc<str>>, &'static str> {
    let length = rest.try_get_i16().map_err(|_| "no client id")?;
    let Ok(length) = usize::try_from(length) else {
        return if length == -1 { Ok(None) } else { Err("negative length of the client id") };
    };
    if rest.len() < length {
        return Err("client id longer than the frame");
    }
    let (text, tail) = rest.split_at(length);
    *rest = tail;
    let text = std::str::from_utf8(text).map_err(|_| "client id is not UTF-8")?;
    Ok(Some(Arc::from(text)))
}

fn skip_tagged_fields(rest: &mut &[u8]) -> Result<(), &'static str> {
    let count = read_unsigned_varint(rest)?;
    for _ in 0..count {
        read_unsigned_varint(rest)?;
        let size = read_unsigned_varint(rest)? as usize;
        if rest.len() < size {
            return Err("tagged field longer than the frame");
        }
        rest.advance(size);
    }
    Ok(())
}

fn read_unsigned_varint(rest: &mut &[u8]) -> Result<u32, &'static str> {
    let mut value = 0u32;
    for shift in (0..35).step_by(7) {
        let byte = rest.try_get_u8().map_err(|_| "frame ends inside a tagged field")?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("varint longer than five bytes")
}

/// Decodes the body of the request whose header was peeked at. `frame` is the whole frame, as given
/// to [`peek`]. Bytes behind the body are ignored (librdkafka sends some). Byte fields of the result
/// share the frame's memory.
pub fn decode_request<T: Request>(header: &RequestHeader, frame: Bytes) -> Result<T, FrameError> {
    let mut body = frame;
    if body.len() < header.body_at {
        return Err(FrameError::TooShort { length: body.len() });
    }
    body.advance(header.body_at);
    guarded(|| T::read(header.api_version, &mut body)).map_err(|reason| FrameError::MalformedBody {
        api_key: header.api_key,
        api_version: header.api_version,
        reason,
    })
}

/// Encodes the response to a request, in the request's version. The result begins with the length
/// prefix.
pub fn encode_response<T: Wire>(
    header: &RequestHeader,
    response: &T,
) -> Result<BytesMut, FrameError> {
    encode_response_as(header.correlation_id, header.api_version, response)
}

/// Encodes a response in a given version: ApiVersions answers an unknown version in version 0.
pub fn encode_response_as<T: Wire>(
    correlation_id: i32,
    api_version: i16,
    response: &T,
) -> Result<BytesMut, FrameError> {
    let body = sized(api_version, response)?;
    let mut frame = BytesMut::with_capacity(LENGTH_PREFIX + 5 + body);
    frame.put_i32(0);
    put_response_header::<T>(&mut frame, correlation_id, api_version);
    written(api_version, response, &mut frame)?;
    close(frame, api_version)
}

/// A response header has no tags of ours: some clients skip exactly one byte.
pub(crate) fn put_response_header<T: HeaderVersion>(
    frame: &mut BytesMut,
    correlation_id: i32,
    api_version: i16,
) {
    frame.put_i32(correlation_id);
    if T::header_version(api_version) >= 1 {
        frame.put_u8(0);
    }
}

/// Client side: encodes a request. The result begins with the length prefix.
pub fn encode_request<T: Request>(
    correlation_id: i32,
    client_id: Option<&str>,
    api_version: i16,
    request: &T,
) -> Result<BytesMut, FrameError> {
    let body = sized(api_version, request)?;
    let client_id_length = client_id.map_or(0, str::len);
    let mut frame = BytesMut::with_capacity(LENGTH_PREFIX + 11 + client_id_length + body);
    frame.put_i32(0);
    let header = WireRequestHeader::default()
        .with_request_api_key(T::KEY)
        .with_request_api_version(api_version)
        .with_correlation_id(correlation_id)
        .with_client_id(client_id.map(|id| id.to_owned().into()));
    header
        .encode(&mut frame, T::header_version(api_version))
        .map_err(|error| unencodable(api_version, error.to_string()))?;
    written(api_version, request, &mut frame)?;
    close(frame, api_version)
}

/// Client side: decodes a response frame (without its length prefix); returns the correlation id with
/// it.
pub fn decode_response<T: Wire>(api_version: i16, frame: Bytes) -> Result<(i32, T), FrameError> {
    let malformed = |reason| FrameError::MalformedResponse { api_version, reason };
    let length = frame.len();
    let mut body = frame;
    let correlation_id = body.try_get_i32().map_err(|_| FrameError::TooShort { length })?;
    if T::header_version(api_version) >= 1 {
        let mut rest = &body[..];
        skip_tagged_fields(&mut rest).map_err(|reason| malformed(reason.to_owned()))?;
        let skipped = body.len() - rest.len();
        body.advance(skipped);
    }
    let response = guarded(|| T::read(api_version, &mut body)).map_err(malformed)?;
    Ok((correlation_id, response))
}

/// Runs a decoder of the message crate, which may panic on absurd lengths.
fn guarded<T>(decode: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err("an absurd length".to_owned()))
}

fn sized<T: Wire>(api_version: i16, message: &T) -> Result<usize, FrameError> {
    message.size(api_version).map_err(|reason| unencodable(api_version, reason))
}

fn written<T: Wire>(api_version: i16, message: &T, frame: &mut BytesMut) -> Result<(), FrameError> {
    message.write(api_version, frame).map_err(|reason| unencodable(api_version, reason))
}

pub(crate) fn unencodable(api_version: i16, reason: String) -> FrameError {
    FrameError::Unencodable { api_version, reason }
}

/// Writes the length prefix of a finished frame.
fn close(mut frame: BytesMut, api_version: i16) -> Result<BytesMut, FrameError> {
    let length = i32::try_from(frame.len() - LENGTH_PREFIX)
        .map_err(|_| unencodable(api_version, "the frame is larger than 2 GiB".to_owned()))?;
    frame[..LENGTH_PREFIX].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}
