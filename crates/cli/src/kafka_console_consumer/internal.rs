//! Records of Kafka's internal topics as JSON objects, one behind the other. Pure.

use ottla_protocol::record::Record;

use crate::exceptions::Failure;
use crate::internal_records::{
    Decoded, GROUP_METADATA, GROUPS, Kinds, SHARE_STATE, TRANSACTIONS, Unread,
};

/// Which records of which topic are shown.
#[derive(Debug)]
pub(super) struct Internal {
    topic: &'static Kinds,
    shown: &'static [i16],
}

impl Internal {
    /// By the name of Kafka's class, without its package.
    pub(super) fn by_class(name: &str) -> Option<Self> {
        let (topic, shown): (_, &[i16]) = match name {
            "OffsetsMessageFormatter" => (GROUPS, &[0, 1]),
            "GroupMetadataMessageFormatter" => (GROUPS, &[GROUP_METADATA]),
            "TransactionLogMessageFormatter" => (TRANSACTIONS, &[0]),
            "ShareGroupStateMessageFormatter" => (SHARE_STATE, &[0, 1]),
            _ => return None,
        };
        Some(Self { topic, shown })
    }

    /// Appends a record, if it is of a kind that is shown.
    pub(super) fn write(&self, out: &mut Vec<u8>, record: &Record) -> Result<(), Failure> {
        let Some(key) = record.key.as_deref() else { return Ok(()) };
        let Decoded { number, key, value } = match self.topic.decode(key, record.value.as_deref()) {
            Ok(decoded) => decoded,
            Err(Unread::UnknownKind(_)) => return Ok(()),
            Err(unread) => {
                let message =
                    format!("Could not read record at offset {} due to: {unread:?}", record.offset);
                return Err(Failure::new("java.lang.RuntimeException", message));
            }
        };
        if !self.shown.contains(&number) {
            return Ok(());
        }
        let value = value.map_or_else(
            || "null".to_owned(),
            |(version, data)| format!("{{\"version\":{version},\"data\":{data}}}"),
        );
        let text = format!("{{\"key\":{{\"type\":{number},\"data\":{key}}},\"value\":{value}}}");
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
