//! Bytes from strangers: no decoder panics, aborts, or allocates what a length claims.

use bytes::{BufMut, Bytes, BytesMut};
use ottla_protocol::api::{self, ApiKey};
use ottla_protocol::frame::{FrameError, RequestHeader, decode_request, decode_response, peek};
use ottla_protocol::messages::*;
use ottla_protocol::record::{
    BatchHeader, Compression, DecodeLimits, batches, check_crc, check_produced, decode_batch,
    decode_records, decompress,
};
use proptest::prelude::*;

/// As in the product: huge reservations of the message crate's decoders stay harmless.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn header(api_key: i16, api_version: i16) -> RequestHeader {
    RequestHeader { api_key, api_version, correlation_id: 1, client_id: None, body_at: 0 }
}

fn decode_any(key: ApiKey, version: i16, body: Bytes) {
    let header = header(key as i16, version);
    match key {
        ApiKey::Produce => drop(decode_request::<ProduceRequest>(&header, body)),
        ApiKey::Fetch => drop(decode_request::<FetchRequest>(&header, body)),
        ApiKey::ListOffsets => drop(decode_request::<ListOffsetsRequest>(&header, body)),
        ApiKey::Metadata => drop(decode_request::<MetadataRequest>(&header, body)),
        ApiKey::FindCoordinator => drop(decode_request::<FindCoordinatorRequest>(&header, body)),
        ApiKey::CreateTopics => drop(decode_request::<CreateTopicsRequest>(&header, body)),
        ApiKey::DeleteTopics => drop(decode_request::<DeleteTopicsRequest>(&header, body)),
        ApiKey::DescribeConfigs => drop(decode_request::<DescribeConfigsRequest>(&header, body)),
        _ => drop(decode_request::<ApiVersionsRequest>(&header, body)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn peeking_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = peek(&bytes);
    }

    #[test]
    fn peeking_at_a_served_key_stays_inside_the_frame(
        row in 0..api::TABLE.len(),
        rest in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let row = api::TABLE[row];
        let mut frame = BytesMut::new();
        frame.put_i16(row.key as i16);
        frame.put_i16(row.max);
        frame.put_i32(5);
        frame.put_slice(&rest);
        if let Ok(header) = peek(&frame) {
            prop_assert!(header.body_at <= frame.len());
            prop_assert_eq!(header.correlation_id, 5);
        }
    }

    #[test]
    fn decoding_requests_never_panics(
        row in 0..api::TABLE.len(),
        version in 0i16..14,
        body in prop::collection::vec(any::<u8>(), 0..128),
    ) {
        decode_any(api::TABLE[row].key, version, Bytes::from(body));
    }

    #[test]
    fn decoding_responses_never_panics(
        version in 0i16..14,
        body in prop::collection::vec(any::<u8>(), 0..128),
    ) {
        let body = Bytes::from(body);
        drop(decode_response::<MetadataResponse>(version, body.clone()));
        drop(decode_response::<FetchResponse>(version, body.clone()));
        drop(decode_response::<ProduceResponse>(version, body));
    }

    #[test]
    fn walking_batches_never_panics_and_ends(
        bytes in prop::collection::vec(any::<u8>(), 0..512),
    ) {
        let mut end = 0;
        for batch in batches(&bytes).flatten() {
            prop_assert_eq!(batch.position, end);
            end = batch.position + batch.bytes.len();
            let _ = check_crc(batch.bytes);
        }
        prop_assert!(end <= bytes.len());
        let _ = decode_records(&bytes);
        let _ = check_produced(&bytes);
    }

    /// Behind a plausible header and a right checksum anything may stand.
    #[test]
    fn decoding_records_never_panics(
        attributes in 0i16..64,
        count in any::<i32>(),
        body in prop::collection::vec(any::<u8>(), 0..256),
    ) {
        let mut batch = BytesMut::new();
        batch.put_i64(0);
        batch.put_i32(49 + body.len() as i32);
        batch.put_i32(0);
        batch.put_i8(2);
        batch.put_u32(0);
        batch.put_i16(attributes);
        batch.put_i32(count.wrapping_sub(1));
        batch.put_i64(0);
        batch.put_i64(0);
        batch.put_i64(-1);
        batch.put_i16(-1);
        batch.put_i32(-1);
        batch.put_i32(count);
        batch.put_slice(&body);
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        let batch = batch.freeze();
        prop_assert!(check_crc(&batch).is_ok());
        let header = BatchHeader::parse(&batch).expect("a header");
        let _ = (header.next_offset(), header.last_sequence(), header.compression());
        let limits = DecodeLimits { batch_bytes: 1 << 16 };
        let _ = decode_batch(&batch, limits, &mut Vec::new());
        let _ = check_produced(&batch);
    }

    #[test]
    fn decompressing_never_panics(
        id in 0i16..5,
        bytes in prop::collection::vec(any::<u8>(), 0..256),
    ) {
        let codec = Compression::from_id(id).expect("a codec");
        let _ = decompress(codec, &bytes, 1 << 16);
    }
}

/// Twelve bytes that ask for 412 GB: they abort a process whose allocator does not overcommit.
#[test]
fn an_absurd_array_length_is_an_error() {
    let mut body = BytesMut::new();
    body.put_i16(-1);
    body.put_i16(-1);
    body.put_i32(1000);
    body.put_i32(i32::MAX);
    let result = decode_request::<ProduceRequest>(&header(0, 3), body.freeze());
    assert!(matches!(result, Err(FrameError::MalformedBody { .. })), "{result:?}");
}

#[test]
fn frames_that_are_no_requests_are_errors() {
    assert_eq!(peek(&[]), Err(FrameError::TooShort { length: 0 }));
    assert_eq!(peek(&[0; 7]), Err(FrameError::TooShort { length: 7 }));
    let unknown = [0x7f, 0xff, 0, 3, 0, 0, 0, 1, 0xff, 0xff];
    assert_eq!(peek(&unknown), Err(FrameError::UnknownApi { api_key: 0x7fff, api_version: 3 }));
    // A client id of 100 bytes in a frame that ends.
    let cut = [0, 3, 0, 1, 0, 0, 0, 1, 0, 100, b'x'];
    assert!(matches!(peek(&cut), Err(FrameError::MalformedHeader { .. })));
}

#[test]
fn an_unknown_api_versions_version_can_still_be_answered() {
    let mut frame = BytesMut::new();
    frame.put_i16(18);
    frame.put_i16(99);
    frame.put_i32(42);
    frame.put_i16(4);
    frame.put_slice(b"java");
    frame.put_u8(0);
    let header = peek(&frame).expect("a header");
    assert_eq!((header.api_version, header.correlation_id), (99, 42));
    assert_eq!(header.client_id.as_deref(), Some("java"));
}

#[test]
fn bytes_behind_a_request_are_ignored() {
    let mut body = BytesMut::new();
    body.put_i32(0);
    body.put_slice(&[1, 2, 3]);
    let request = decode_request::<MetadataRequest>(&header(3, 0), body.freeze());
    assert_eq!(request.expect("a request").topics, Some(Vec::new()));
}
