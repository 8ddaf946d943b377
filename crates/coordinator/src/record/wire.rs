//! Kafka's primitive types, bounded: no length is believed before the bytes are there.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use ottla_protocol::ids::KafkaUuid;

use super::RecordError;

/// Reads a message's fields one after the other.
pub(super) struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    /// Compact lengths and tagged fields (KIP-482).
    flexible: bool,
}

type Read<T> = Result<T, RecordError>;

impl<'a> Reader<'a> {
    pub(super) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, flexible: false }
    }

    pub(super) fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    pub(super) fn damaged(&self, reason: &'static str) -> RecordError {
        RecordError::Damaged { what: self.what, reason }
    }

    pub(super) fn unknown_version(&self, version: i16) -> RecordError {
        RecordError::UnknownVersion { what: self.what, version }
    }

    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (taken, rest) =
            self.bytes.split_at_checked(count).ok_or_else(|| self.damaged("it ends too soon"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn i8(&mut self) -> Read<i8> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    pub(super) fn i16(&mut self) -> Read<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Read<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Read<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(super) fn uuid(&mut self) -> Read<KafkaUuid> {
        Ok(KafkaUuid::from_bytes(self.array()?))
    }

    fn uvarint(&mut self) -> Read<u32> {
        let mut value = 0;
        for shift in (0..=28).step_by(7) {
            let byte = self.array::<1>()?[0];
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.damaged("a length has too many bytes"))
    }

    /// A length of the wide (four-byte) kind, or the compact one; `None` is null.
    fn length(&mut self, wide: bool) -> Read<Option<usize>> {
        if self.flexible {
            return Ok((self.uvarint()? as usize).checked_sub(1));
        }
        let length = if wide { self.i32()? } else { i32::from(self.i16()?) };
        if length < -1 {
            return Err(self.damaged("a length is negative"));
        }
        Ok(usize::try_from(length).ok())
    }

    pub(super) fn nullable_text(&mut self) -> Read<Option<&'a str>> {
        let Some(length) = self.length(false)? else { return Ok(None) };
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(self.damaged("a text is not UTF-8")),
        }
    }

    pub(super) fn text(&mut self) -> Read<&'a str> {
        self.nullable_text()?.ok_or_else(|| self.damaged("a text is null"))
    }

    pub(super) fn name(&mut self) -> Read<Arc<str>> {
        self.text().map(Arc::from)
    }

    pub(super) fn nullable_name(&mut self) -> Read<Option<Arc<str>>> {
        Ok(self.nullable_text()?.map(Arc::from))
    }

    pub(super) fn data(&mut self) -> Read<Bytes> {
        let length = self.length(true)?.ok_or_else(|| self.damaged("bytes are null"))?;
        self.take(length).map(Bytes::copy_from_slice)
    }

    pub(super) fn nullable_list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Option<Vec<T>>> {
        let Some(length) = self.length(true)? else { return Ok(None) };
        // An item takes a byte at least, and its room is given only when it has been read.
        if length > self.bytes.len() {
            return Err(self.damaged("a list ends too soon"));
        }
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(item(self)?);
        }
        Ok(Some(items))
    }

    pub(super) fn list<T>(&mut self, item: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        self.nullable_list(item)?.ok_or_else(|| self.damaged("a list is null"))
    }

    /// Tagged fields, at the end of each struct of a flexible version; those that `known` leaves are
    /// skipped.
    pub(super) fn tags(
        &mut self,
        mut known: impl FnMut(u32, &mut Reader<'a>) -> Read<()>,
    ) -> Read<()> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            let bytes = self.take(size)?;
            known(tag, &mut Reader { what: self.what, bytes, flexible: true })?;
        }
        Ok(())
    }

    /// Tagged fields none of which is known.
    pub(super) fn skip_tags(&mut self) -> Read<()> {
        self.tags(|_, _| Ok(()))
    }
}

/// Writes a message's fields one after the other.
pub(super) struct Writer {
    bytes: BytesMut,
    flexible: bool,
}

impl Writer {
    /// Begins with the version.
    pub(super) fn new(version: i16, flexible: bool) -> Self {
        let mut writer = Self { bytes: BytesMut::with_capacity(64), flexible };
        writer.i16(version);
        writer
    }

    /// The content of a tagged field.
    fn field(flexible: bool) -> Self {
        Self { bytes: BytesMut::new(), flexible }
    }

    pub(super) fn finish(self) -> Bytes {
        self.bytes.freeze()
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.bytes.put_i8(value);
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.bytes.put_i16(value);
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.bytes.put_i32(value);
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.bytes.put_i64(value);
    }

    pub(super) fn uuid(&mut self, id: KafkaUuid) {
        self.bytes.put_slice(id.as_bytes());
    }

    fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.put_u8(value as u8);
    }

    fn length(&mut self, wide: bool, length: Option<usize>) {
        // Everything here came over the wire, where lengths are no larger.
        if self.flexible {
            self.uvarint(length.map_or(0, |length| length as u32 + 1));
        } else if wide {
            self.i32(length.map_or(-1, |length| length as i32));
        } else {
            self.i16(length.map_or(-1, |length| length as i16));
        }
    }

    pub(super) fn nullable_text(&mut self, text: Option<&str>) {
        self.length(false, text.map(str::len));
        self.bytes.put_slice(text.unwrap_or_default().as_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.nullable_text(Some(text));
    }

    pub(super) fn data(&mut self, bytes: &[u8]) {
        self.length(true, Some(bytes.len()));
        self.bytes.put_slice(bytes);
    }

    pub(super) fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.length(true, Some(items.len()));
        for one in items {
            item(self, one);
        }
    }

    /// The tagged fields at the end of a struct of a flexible version: the field of tag 0, or none.
    pub(super) fn tags(&mut self, first: Option<impl FnOnce(&mut Self)>) {
        if !self.flexible {
            return;
        }
        let Some(write) = first else { return self.uvarint(0) };
        let mut field = Self::field(true);
        write(&mut field);
        self.uvarint(1);
        self.uvarint(0);
        self.uvarint(field.bytes.len() as u32);
        self.bytes.put_slice(&field.bytes);
    }

    /// No tagged fields.
    pub(super) fn no_tags(&mut self) {
        self.tags(None::<fn(&mut Self)>);
    }
}
