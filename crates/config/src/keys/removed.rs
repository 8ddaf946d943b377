//! Keys that Kafka no longer has: files that still name them come from an older cluster.

/// A key of an older Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovedKey {
    /// The key, or the beginning of a family of keys if it ends with a dot.
    pub name: &'static str,
    /// What took its place, as the end of a sentence.
    pub instead: &'static str,
}

const QUORUM: &str = "there is no ZooKeeper; controllers are named in controller.quorum.voters";
const TIMESTAMPS: &str =
    "use log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms";
const FORMAT: &str = "records are always in format 2";

/// Every key that Kafka 4.0 removed and files are likely to name.
pub const REMOVED: &[RemovedKey] = &[
    RemovedKey { name: "zookeeper.", instead: QUORUM },
    RemovedKey { name: "advertised.host.name", instead: "use advertised.listeners" },
    RemovedKey { name: "advertised.port", instead: "use advertised.listeners" },
    RemovedKey { name: "broker.id.generation.enable", instead: "give each node its node.id" },
    RemovedKey { name: "control.plane.listener.name", instead: "use controller.listener.names" },
    RemovedKey { name: "delegation.token.master.key", instead: "use delegation.token.secret.key" },
    RemovedKey { name: "host.name", instead: "use listeners" },
    RemovedKey { name: "inter.broker.protocol.version", instead: "brokers agree by themselves" },
    RemovedKey { name: "log.message.downconversion.enable", instead: FORMAT },
    RemovedKey { name: "log.message.format.version", instead: FORMAT },
    RemovedKey { name: "log.message.timestamp.difference.max.ms", instead: TIMESTAMPS },
    RemovedKey { name: "offsets.commit.required.acks", instead: "commits always wait for all" },
    RemovedKey { name: "password.encoder.", instead: QUORUM },
    RemovedKey { name: "port", instead: "use listeners" },
    RemovedKey { name: "reserved.broker.max.id", instead: "give each node its node.id" },
];

/// The removed key that a name belongs to.
#[must_use]
pub fn removed(name: &str) -> Option<&'static RemovedKey> {
    REMOVED.iter().find(|key| {
        if key.name.ends_with('.') { name.starts_with(key.name) } else { name == key.name }
    })
}
