//! An image as records, and back.

use ottla_protocol::ids::MetadataOffset;

use super::{Ignored, Image};
use crate::record::Record;

impl Image {
    /// The records that add up to this image: a snapshot's content. The offset is not among them.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        std::iter::empty()
    }

    /// The image that a snapshot's records add up to, with the records that made no sense.
    #[must_use]
    pub fn from_records<'a>(
        offset: MetadataOffset,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> (Self, Vec<Ignored>) {
        let _ = (offset, records.into_iter().count());
        unimplemented!("from_records")
    }
}
