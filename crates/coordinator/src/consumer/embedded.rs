//! What consumers put into the classic protocol's opaque bytes: subscriptions and assignments
//! (`ConsumerProtocolSubscription`, `ConsumerProtocolAssignment`), read with bounds.

use bytes::{BufMut, Bytes, BytesMut};
use ottla_protocol::ids::PartitionIndex;

/// The newest version of both messages.
const NEWEST: i16 = 3;

/// The bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Partitions by topic name, as they were written.
pub(crate) type Partitions<'a> = Vec<(&'a str, Vec<PartitionIndex>)>;

/// What a member wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscription<'a> {
    /// The version it was written in.
    pub(crate) version: i16,
    /// The topics.
    pub(crate) topics: Vec<&'a str>,
    /// What it has already (version 1 and up).
    pub(crate) owned: Partitions<'a>,
    /// Where it runs (version 3 and up).
    pub(crate) rack_id: Option<&'a str>,
}

/// What a member was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assigned<'a> {
    /// The partitions.
    pub(crate) partitions: Partitions<'a>,
    /// What an assignor of the user's own wrote for itself.
    pub(crate) user_data: &'a [u8],
}

/// Reads a subscription. Versions that are newer are read as far as they are known.
pub(crate) fn subscription(bytes: &[u8]) -> Result<Subscription<'_>, Malformed> {
    let mut reader = Reader(bytes);
    let version = reader.version()?;
    let topics = reader.list(Reader::text)?;
    reader.nullable_bytes()?;
    let owned = if version >= 1 { reader.list(Reader::topic)? } else { Vec::new() };
    if version >= 2 {
        reader.i32()?;
    }
    let rack_id = if version >= 3 { reader.nullable_text()? } else { None };
    Ok(Subscription { version, topics, owned, rack_id: rack_id.filter(|rack| !rack.is_empty()) })
}

/// Reads an assignment; no bytes at all are no partitions.
pub(crate) fn assignment(bytes: &[u8]) -> Result<Assigned<'_>, Malformed> {
    if bytes.is_empty() {
        return Ok(Assigned { partitions: Vec::new(), user_data: &[] });
    }
    let mut reader = Reader(bytes);
    reader.version()?;
    let partitions = reader.list(Reader::topic)?;
    let user_data = reader.nullable_bytes()?.unwrap_or_default();
    Ok(Assigned { partitions, user_data })
}

/// Writes an assignment for a member that wrote its subscription in this version.
pub(crate) fn encode_assignment(version: i16, partitions: &Partitions<'_>) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(version.clamp(0, NEWEST));
    bytes.put_i32(len(partitions.len()));
    for (topic, partitions) in partitions {
        bytes.put_i16(i16::try_from(topic.len()).unwrap_or(i16::MAX));
        bytes.put_slice(topic.as_bytes());
        bytes.put_i32(len(partitions.len()));
        partitions.iter().for_each(|partition| bytes.put_i32(*partition));
    }
    bytes.put_i32(-1);
    bytes.freeze()
}

fn len(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

/// Reads one field after the other; believes no length before the bytes are there.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn i16(&mut self) -> Result<i16, Malformed> {
        let bytes = self.take(2)?.try_into().map_err(|_| Malformed)?;
        Ok(i16::from_be_bytes(bytes))
    }

    fn i32(&mut self) -> Result<i32, Malformed> {
        let bytes = self.take(4)?.try_into().map_err(|_| Malformed)?;
        Ok(i32::from_be_bytes(bytes))
    }

    fn version(&mut self) -> Result<i16, Malformed> {
        match self.i16()? {
            ..0 => Err(Malformed),
            version => Ok(version.min(NEWEST)),
        }
    }

    fn nullable_text(&mut self) -> Result<Option<&'a str>, Malformed> {
        match self.i16()? {
            -1 => Ok(None),
            length => {
                let bytes = self.take(usize::try_from(length).map_err(|_| Malformed)?)?;
                std::str::from_utf8(bytes).map(Some).map_err(|_| Malformed)
            }
        }
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        self.nullable_text()?.ok_or(Malformed)
    }

    fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        match self.i32()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| Malformed)?).map(Some),
        }
    }

    fn list<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let length = usize::try_from(self.i32()?).map_err(|_| Malformed)?;
        // An item takes a byte at least; its room is given only when it has been read.
        if length > self.0.len() {
            return Err(Malformed);
        }
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn topic(&mut self) -> Result<(&'a str, Vec<PartitionIndex>), Malformed> {
        Ok((self.text()?, self.list(Self::i32)?))
    }
}
