use prost::Message;

use super::{CodecError, decode_batch};
use crate::proto;

fn decode(record: Option<proto::metadata_record::Record>) -> Result<(), CodecError> {
    let batch =
        proto::MetadataBatch { records: vec![proto::MetadataRecord { record }], timestamp_ms: 0 };
    decode_batch(&batch.encode_to_vec()).map(|_| ())
}

#[test]
fn records_of_a_newer_version_are_refused() {
    assert_eq!(decode(None), Err(CodecError::UnknownRecord));
    // Field 15 is not known here.
    let newer = [0x0a, 0x02, 0x7a, 0x00];
    assert_eq!(decode_batch(&newer), Err(CodecError::UnknownRecord));
}

#[test]
fn fields_that_hold_what_they_cannot_are_named() {
    use proto::metadata_record::Record;
    let short_id =
        Record::Topic(proto::TopicRecord { topic_id: vec![1, 2].into(), name: "a".to_owned() });
    assert!(matches!(
        decode(Some(short_id)),
        Err(CodecError::InvalidField { record: "Topic", field: "topic_id", .. })
    ));
    let no_resource = Record::Config(proto::ConfigRecord { resource: 9, ..Default::default() });
    assert!(matches!(
        decode(Some(no_resource)),
        Err(CodecError::InvalidField { field: "resource", .. })
    ));
    let cause = proto::BrokerChangeRecord { cause: 99, ..Default::default() };
    assert!(matches!(
        decode(Some(Record::BrokerChange(cause))),
        Err(CodecError::InvalidField { field: "cause", .. })
    ));
}
