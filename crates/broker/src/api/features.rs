//! Kafka's feature levels as this broker has them: fixed, since a cluster runs one version of the program
//! and what it can do does not depend on the form of its records.
//!
//! What is not served has level 0 and no other. `transaction.version` may be told as 2 only when EndTxn 5
//! and TxnOffsetCommit 5 are served, since clients that see it use them.

/// A feature and its levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Feature {
    pub(super) name: &'static str,
    /// The least level that is known.
    pub(super) min: i16,
    /// The greatest level that is known.
    pub(super) max: i16,
    /// The level in force; 0 counts as none.
    pub(super) level: i16,
}

const fn feature(name: &'static str, min: i16, max: i16, level: i16) -> Feature {
    Feature { name, min, max, level }
}

/// Counts the changes of levels: there are none.
pub(super) const EPOCH: i64 = 0;

/// All features, by name. The metadata version is that of Kafka 4.3, whose requests are served.
pub(super) const FEATURES: &[Feature] = &[
    feature("eligible.leader.replicas.version", 0, 1, 1),
    feature("group.version", 0, 1, 1),
    feature("kraft.version", 0, 0, 0),
    feature("metadata.version", 7, 30, 30),
    feature("share.version", 0, 0, 0),
    feature("streams.version", 0, 0, 0),
    feature("transaction.version", 0, 0, 0),
];

/// The feature of that name.
pub(super) fn named(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}
