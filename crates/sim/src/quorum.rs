//! The controllers: what is planned is committed at once, except while nobody is active.

use std::collections::BTreeMap;

use ottla_metadata::{Batch, Delta, Image, Limits, Record, codec};
use ottla_protocol::ids::{BrokerEpoch, BrokerId, MetadataOffset};

pub(crate) struct Quorum {
    image: Image,
    limits: Limits,
    /// The committed log, and the image after each of its batches.
    log: Vec<(MetadataOffset, Batch, Image)>,
    /// Until then nobody is active.
    pub(crate) down_until_us: u64,
    /// When each broker was last heard.
    pub(crate) contacts: BTreeMap<BrokerId, u64>,
    /// The offset that each registration was committed at.
    pub(crate) registered_at: BTreeMap<BrokerId, (BrokerEpoch, MetadataOffset)>,
}

impl Quorum {
    pub(crate) fn new() -> Self {
        Self {
            image: Image::default(),
            limits: Limits::default(),
            log: Vec::new(),
            down_until_us: 0,
            contacts: BTreeMap::new(),
            registered_at: BTreeMap::new(),
        }
    }

    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn offset(&self) -> MetadataOffset {
        self.image.offset()
    }

    /// Commits a batch `gap` entries behind the last one, by way of its bytes.
    pub(crate) fn commit(
        &mut self,
        records: Vec<Record>,
        gap: u64,
        timestamp_ms: i64,
    ) -> Result<Delta, String> {
        let batch = Batch { records, timestamp_ms };
        let decoded = codec::decode_batch(&codec::encode_batch(&batch));
        if decoded.as_ref() != Ok(&batch) {
            return Err(format!("{batch:?} becomes {decoded:?} on its way"));
        }
        let offset = self.image.offset() + gap;
        let delta = self.image.replay_batch(offset, &batch);
        self.log.push((offset, batch, self.image.clone()));
        Ok(delta)
    }

    /// The batches behind an offset, at most so many.
    pub(crate) fn behind(
        &self,
        offset: MetadataOffset,
        count: usize,
    ) -> &[(MetadataOffset, Batch, Image)] {
        let from = self.log.partition_point(|(at, ..)| *at <= offset);
        let to = (from + count).min(self.log.len());
        &self.log[from..to]
    }

    /// The image at a committed offset.
    pub(crate) fn image_at(&self, offset: MetadataOffset) -> Option<&Image> {
        let place = self.log.binary_search_by_key(&offset, |(at, ..)| *at).ok()?;
        self.log.get(place).map(|(_, _, image)| image)
    }

    pub(crate) fn batches(&self) -> usize {
        self.log.len()
    }

    pub(crate) fn nth_image(&self, place: usize) -> Option<&Image> {
        self.log.get(place).map(|(_, _, image)| image)
    }
}
