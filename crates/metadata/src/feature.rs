//! Feature levels: what all nodes of the cluster agree to do, so that versions of the program can be mixed
//! while they are exchanged (KIP-584, KIP-1022).

/// Records and requests as of one of Kafka's releases.
pub const METADATA_VERSION: &str = "metadata.version";
/// 1: the voters of the controller quorum may change (KIP-853).
pub const KRAFT_VERSION: &str = "kraft.version";
/// 1: the group protocol of KIP-848 is served.
pub const GROUP_VERSION: &str = "group.version";

/// A feature and the levels that this version of the program serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    /// Kafka's name.
    pub name: &'static str,
    /// The lowest level.
    pub min: i16,
    /// The highest level.
    pub max: i16,
    /// The level of a cluster in which no record says another. Never changes: clusters rest on it.
    pub unsaid: i16,
}

const fn feature(name: &'static str, min: i16, max: i16, unsaid: i16) -> Feature {
    Feature { name, min, max, unsaid }
}

/// All features, by name. The metadata version is that of Kafka 4.3, whose requests are served. Eligible
/// leaders are kept always: what would be lost without them is what they are for.
pub const FEATURES: &[Feature] = &[
    feature("eligible.leader.replicas.version", 1, 1, 1),
    feature(GROUP_VERSION, 0, 1, 1),
    feature(KRAFT_VERSION, 0, 1, 0),
    feature(METADATA_VERSION, 7, 30, 30),
    feature("share.version", 0, 0, 0),
    feature("streams.version", 0, 0, 0),
    feature("transaction.version", 0, 0, 0),
];

/// The feature of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}
