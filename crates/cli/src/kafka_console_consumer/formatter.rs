//! A record as a line. Pure.

use ottla_protocol::ids::TopicPartition;
use ottla_protocol::record::{Record, TimestampType};

use super::internal::Internal;
use crate::exceptions::Failure;
use crate::properties::Properties;

/// How a key, a value or a header's value becomes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deserializer {
    /// The bytes as they are.
    Text,
    Boolean,
    Short,
    Integer,
    Long,
    Float,
    Double,
}

impl Deserializer {
    /// By Kafka's class name, with or without its package.
    pub(super) fn by_class(class: &str) -> Result<Self, Failure> {
        let name = class.rsplit('.').next().unwrap_or(class);
        Ok(match name {
            "StringDeserializer"
            | "ByteArrayDeserializer"
            | "BytesDeserializer"
            | "ByteBufferDeserializer" => Self::Text,
            "BooleanDeserializer" => Self::Boolean,
            "ShortDeserializer" => Self::Short,
            "IntegerDeserializer" => Self::Integer,
            "LongDeserializer" => Self::Long,
            "FloatDeserializer" => Self::Float,
            "DoubleDeserializer" => Self::Double,
            _ => return Err(Failure::new("java.lang.ClassNotFoundException", class)),
        })
    }

    fn write(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Failure> {
        let text = match self {
            Self::Text => {
                out.extend_from_slice(bytes);
                return Ok(());
            }
            Self::Boolean => match bytes {
                [0] => "false".to_owned(),
                [1] => "true".to_owned(),
                _ => return Err(wrong_size("BooleanDeserializer", 1)),
            },
            Self::Short => i16::from_be_bytes(sized(bytes, "ShortDeserializer")?).to_string(),
            Self::Integer => i32::from_be_bytes(sized(bytes, "IntegerDeserializer")?).to_string(),
            Self::Long => i64::from_be_bytes(sized(bytes, "LongDeserializer")?).to_string(),
            Self::Float => format!("{:?}", f32::from_be_bytes(sized(bytes, "Deserializer")?)),
            Self::Double => format!("{:?}", f64::from_be_bytes(sized(bytes, "Deserializer")?)),
        };
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

fn sized<const N: usize>(bytes: &[u8], by: &str) -> Result<[u8; N], Failure> {
    bytes.try_into().map_err(|_| wrong_size(by, N))
}

fn wrong_size(by: &str, size: usize) -> Failure {
    Failure::new(
        "org.apache.kafka.common.errors.SerializationException",
        format!("Size of data received by {by} is not {size}"),
    )
}

/// What becomes of a record.
#[derive(Debug)]
pub(super) enum Formatter {
    /// A line.
    Columns(Columns),
    /// An object, if it is a certain record of one of Kafka's own topics.
    Internal(Internal),
    /// Nothing.
    Silent,
}

impl Formatter {
    /// Appends what becomes of a record; on an error, what was written of it stays.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        place: &TopicPartition,
        record: &Record,
    ) -> Result<(), Failure> {
        match self {
            Self::Columns(columns) => columns.write(out, place, record),
            Self::Internal(internal) => internal.write(out, record),
            Self::Silent => Ok(()),
        }
    }
}

/// Which columns a line has, and what stands between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    timestamp: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
    key_separator: String,
    line_separator: String,
    headers_separator: String,
    null_literal: String,
    key_deserializer: Deserializer,
    value_deserializer: Deserializer,
    headers_deserializer: Deserializer,
}

impl Columns {
    /// Reads the formatter's properties (`print.key`, `key.separator`, ...).
    pub(super) fn new(properties: &Properties) -> Result<Self, Failure> {
        let truth = |key: &str, default: bool| {
            let value = properties.get(key).map(|value| value.trim().eq_ignore_ascii_case("true"));
            value.unwrap_or(default)
        };
        let text = |key: &str, default: &str| {
            properties.get(key).map_or(default, String::as_str).to_owned()
        };
        let deserializer = |key: &str| {
            let class = properties.get(key).filter(|class| !class.is_empty());
            class.map_or(Ok(Deserializer::Text), |class| Deserializer::by_class(class))
        };
        Ok(Self {
            timestamp: truth("print.timestamp", false),
            partition: truth("print.partition", false),
            offset: truth("print.offset", false),
            delivery: truth("print.delivery", false),
            epoch: truth("print.epoch", false),
            headers: truth("print.headers", false),
            key: truth("print.key", false),
            value: truth("print.value", true),
            key_separator: text("key.separator", "\t"),
            line_separator: text("line.separator", "\n"),
            headers_separator: text("headers.separator", ","),
            null_literal: text("null.literal", "null"),
            key_deserializer: deserializer("key.deserializer")?,
            value_deserializer: deserializer("value.deserializer")?,
            headers_deserializer: deserializer("headers.deserializer")?,
        })
    }

    /// Appends a record's line; on an error, what was written of it stays.
    pub(super) fn write(
        &self,
        out: &mut Vec<u8>,
        place: &TopicPartition,
        record: &Record,
    ) -> Result<(), Failure> {
        let mut first = true;
        let mut column = |out: &mut Vec<u8>| {
            if !std::mem::take(&mut first) {
                out.extend_from_slice(self.key_separator.as_bytes());
            }
        };
        if self.timestamp {
            column(out);
            out.extend_from_slice(timestamp(record).as_bytes());
        }
        if self.partition {
            column(out);
            out.extend_from_slice(format!("Partition:{}", place.partition).as_bytes());
        }
        if self.offset {
            column(out);
            out.extend_from_slice(format!("Offset:{}", record.offset).as_bytes());
        }
        // Neither is known to a consumer that is no share consumer.
        for (wanted, text) in
            [(self.delivery, "Delivery:NOT_PRESENT"), (self.epoch, "Epoch:NOT_PRESENT")]
        {
            if wanted {
                column(out);
                out.extend_from_slice(text.as_bytes());
            }
        }
        if self.headers {
            column(out);
            self.write_headers(out, record)?;
        }
        if self.key {
            column(out);
            self.write_bytes(out, record.key.as_deref(), self.key_deserializer)?;
        }
        if self.value {
            column(out);
            self.write_bytes(out, record.value.as_deref(), self.value_deserializer)?;
        }
        if !first {
            out.extend_from_slice(self.line_separator.as_bytes());
        }
        Ok(())
    }

    fn write_headers(&self, out: &mut Vec<u8>, record: &Record) -> Result<(), Failure> {
        if record.headers.is_empty() {
            out.extend_from_slice(b"NO_HEADERS");
        }
        for (at, header) in record.headers.iter().enumerate() {
            if at > 0 {
                out.extend_from_slice(self.headers_separator.as_bytes());
            }
            out.extend_from_slice(header.key.as_bytes());
            out.push(b':');
            self.write_bytes(out, header.value.as_deref(), self.headers_deserializer)?;
        }
        Ok(())
    }

    fn write_bytes(
        &self,
        out: &mut Vec<u8>,
        bytes: Option<&[u8]>,
        by: Deserializer,
    ) -> Result<(), Failure> {
        match bytes {
            Some(bytes) => by.write(out, bytes),
            None => {
                out.extend_from_slice(self.null_literal.as_bytes());
                Ok(())
            }
        }
    }
}

fn timestamp(record: &Record) -> String {
    match record.timestamp_type {
        _ if record.timestamp < 0 => "NO_TIMESTAMP".to_owned(),
        TimestampType::CreateTime => format!("CreateTime:{}", record.timestamp),
        TimestampType::LogAppendTime => format!("LogAppendTime:{}", record.timestamp),
    }
}
