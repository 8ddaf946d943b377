//! Fetch responses without copying the records: the message crate would copy each partition's
//! records into its output, this encoder leaves them where they are.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::FetchResponse;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::protocol::{Encodable, Message};

use crate::frame::{FrameError, LENGTH_PREFIX, RequestHeader, put_response_header, unencodable};

/// From this version on fields are compact and structures end with tags.
const FLEXIBLE: i16 = 12;
/// Records shorter than this are copied: a slice of its own costs more than the copy.
const COPY_BELOW: usize = 512;

/// Encodes a Fetch response in the request's version as a list of slices to be written one after the
/// other; the first begins with the length prefix. Byte for byte what
/// [`encode_response`](crate::frame::encode_response) gives. Records are shared, not copied. Unknown
/// tagged fields are not written: a broker sets none.
pub fn encode_fetch_response(
    header: &RequestHeader,
    response: &FetchResponse,
) -> Result<Vec<Bytes>, FrameError> {
    let version = header.api_version;
    if !(FetchResponse::VERSIONS.min..=FetchResponse::VERSIONS.max).contains(&version) {
        return Err(unencodable(version, "Fetch has no such version".to_owned()));
    }
    let mut out = Gather::new(version, 1024);
    out.open.put_i32(0);
    put_response_header::<FetchResponse>(&mut out.open, header.correlation_id, version);
    out.response(response)?;
    out.finish()
}

/// The slices so far, and the one being written. The first one stays writable for the length prefix.
struct Gather {
    version: i16,
    head: Option<BytesMut>,
    done: Vec<Bytes>,
    open: BytesMut,
}

impl Gather {
    fn new(version: i16, capacity: usize) -> Self {
        Self { version, head: None, done: Vec::new(), open: BytesMut::with_capacity(capacity) }
    }

    fn flexible(&self) -> bool {
        self.version >= FLEXIBLE
    }

    fn response(&mut self, response: &FetchResponse) -> Result<(), FrameError> {
        self.open.put_i32(response.throttle_time_ms);
        if self.version >= 7 {
            self.open.put_i16(response.error_code);
            self.open.put_i32(response.session_id);
        }
        self.length(response.responses.len())?;
        for topic in &response.responses {
            self.topic(topic)?;
        }
        if self.flexible() {
            let endpoints = &response.node_endpoints;
            if self.version >= 16 && !endpoints.is_empty() {
                self.open.put_u8(1);
                let mut field = Self::new(self.version, 256);
                field.length(endpoints.len())?;
                for endpoint in endpoints {
                    field.message(endpoint)?;
                }
                self.tag(0, &field.open);
            } else {
                self.open.put_u8(0);
            }
        }
        Ok(())
    }

    fn topic(&mut self, topic: &FetchableTopicResponse) -> Result<(), FrameError> {
        if self.version >= 13 {
            self.open.put_slice(topic.topic_id.as_bytes());
        } else if self.flexible() {
            self.length(topic.topic.len())?;
            self.open.put_slice(topic.topic.as_bytes());
        } else {
            let length = i16::try_from(topic.topic.len())
                .map_err(|_| unencodable(self.version, "a topic name is too long".to_owned()))?;
            self.open.put_i16(length);
            self.open.put_slice(topic.topic.as_bytes());
        }
        self.length(topic.partitions.len())?;
        for partition in &topic.partitions {
            self.partition(partition)?;
        }
        if self.flexible() {
            self.open.put_u8(0);
        }
        Ok(())
    }

    fn partition(&mut self, partition: &PartitionData) -> Result<(), FrameError> {
        self.open.put_i32(partition.partition_index);
        self.open.put_i16(partition.error_code);
        self.open.put_i64(partition.high_watermark);
        self.open.put_i64(partition.last_stable_offset);
        if self.version >= 5 {
            self.open.put_i64(partition.log_start_offset);
        }
        match &partition.aborted_transactions {
            None => self.null_length(),
            Some(transactions) => {
                self.length(transactions.len())?;
                for transaction in transactions {
                    self.message(transaction)?;
                }
            }
        }
        if self.version >= 11 {
            self.open.put_i32(partition.preferred_read_replica.0);
        }
        match &partition.records {
            None => self.null_length(),
            Some(records) => {
                self.length(records.len())?;
                self.slice(records);
            }
        }
        if self.flexible() {
            self.partition_tags(partition)?;
        }
        Ok(())
    }

    fn partition_tags(&mut self, partition: &PartitionData) -> Result<(), FrameError> {
        let plain = PartitionData::default();
        let diverging = partition.diverging_epoch != plain.diverging_epoch;
        let leader = partition.current_leader != plain.current_leader;
        let snapshot = partition.snapshot_id != plain.snapshot_id;
        self.open.put_u8(u8::from(diverging) + u8::from(leader) + u8::from(snapshot));
        if diverging {
            self.tagged(0, &partition.diverging_epoch)?;
        }
        if leader {
            self.tagged(1, &partition.current_leader)?;
        }
        if snapshot {
            self.tagged(2, &partition.snapshot_id)?;
        }
        Ok(())
    }

    /// The length of an array, a string or bytes that are not null.
    fn length(&mut self, length: usize) -> Result<(), FrameError> {
        let length = i32::try_from(length)
            .map_err(|_| unencodable(self.version, "a field is larger than 2 GiB".to_owned()))?;
        if self.flexible() {
            put_unsigned_varint(&mut self.open, length as u32 + 1);
        } else {
            self.open.put_i32(length);
        }
        Ok(())
    }

    fn null_length(&mut self) {
        if self.flexible() {
            self.open.put_u8(0);
        } else {
            self.open.put_i32(-1);
        }
    }

    fn message(&mut self, message: &impl Encodable) -> Result<(), FrameError> {
        encoded(self.version, message, &mut self.open)
    }

    fn tagged(&mut self, tag: u32, message: &impl Encodable) -> Result<(), FrameError> {
        let mut field = BytesMut::new();
        encoded(self.version, message, &mut field)?;
        self.tag(tag, &field);
        Ok(())
    }

    fn tag(&mut self, tag: u32, field: &[u8]) {
        put_unsigned_varint(&mut self.open, tag);
        put_unsigned_varint(&mut self.open, field.len() as u32);
        self.open.put_slice(field);
    }

    fn slice(&mut self, bytes: &Bytes) {
        if bytes.len() < COPY_BELOW {
            self.open.put_slice(bytes);
            return;
        }
        let written = self.open.split();
        match &self.head {
            None => self.head = Some(written),
            Some(_) => self.done.push(written.freeze()),
        }
        self.done.push(bytes.clone());
    }

    fn finish(self) -> Result<Vec<Bytes>, FrameError> {
        let (mut head, open) = match self.head {
            Some(head) => (head, self.open),
            None => (self.open, BytesMut::new()),
        };
        let done: usize = self.done.iter().map(Bytes::len).sum();
        let length = i32::try_from(head.len() + done + open.len() - LENGTH_PREFIX)
            .map_err(|_| unencodable(self.version, "the frame is larger than 2 GiB".to_owned()))?;
        head[..LENGTH_PREFIX].copy_from_slice(&length.to_be_bytes());

        let mut slices = Vec::with_capacity(self.done.len() + 2);
        slices.push(head.freeze());
        slices.extend(self.done);
        if !open.is_empty() {
            slices.push(open.freeze());
        }
        Ok(slices)
    }
}

fn put_unsigned_varint(out: &mut BytesMut, value: u32) {
    let mut rest = value;
    while rest >= 0x80 {
        out.put_u8((rest as u8) | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

fn encoded<T: Encodable>(
    api_version: i16,
    message: &T,
    frame: &mut BytesMut,
) -> Result<(), FrameError> {
    message.encode(frame, api_version).map_err(|error| unencodable(api_version, error.to_string()))
}
