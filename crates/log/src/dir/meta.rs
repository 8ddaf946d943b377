//! `meta.properties` (whose directory this is), `partition.metadata` (which topic's partition) and the
//! clean-shutdown marker.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ottla_protocol::ids::{BrokerEpoch, BrokerId, KafkaUuid, TopicId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::OpenError;
use crate::files;

/// The file's name.
pub(crate) const META_PROPERTIES: &str = "meta.properties";
/// The file that says which topic's partition a directory holds.
pub(crate) const PARTITION_METADATA: &str = "partition.metadata";
/// The file that a clean stop leaves behind.
const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// `meta.properties`: whose directory this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaProperties {
    /// `cluster.id`; none until the first leader of the quorum has minted it.
    pub cluster_id: Option<String>,
    /// `node.id`.
    pub node_id: BrokerId,
    /// `directory.id`: names this directory for ever (KIP-858).
    pub directory_id: KafkaUuid,
}

impl MetaProperties {
    /// Reads the file of a directory; `None` if it has none. A file without `directory.id`, as older
    /// versions wrote it, is given one, which [`MetaProperties::store`] keeps.
    pub fn read(dir: &Path) -> Result<Option<Self>, OpenError> {
        let path = dir.join(META_PROPERTIES);
        let bytes =
            files::read_if_there(&path).map_err(|error| OpenError::io("read", &path, error))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        let unreadable = |what: String| OpenError::Unreadable { path: path.clone(), what };
        let value = |key: &str| {
            let mut pairs = text.lines().filter_map(|line| line.trim().split_once('='));
            pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned())
        };
        match value("version").as_deref() {
            Some("1") => {}
            Some(other) => return Err(unreadable(format!("version={other}, only 1 is known"))),
            None => return Err(unreadable("version is missing".to_owned())),
        }
        let node_id = value("node.id").and_then(|text| text.parse().ok());
        let directory_id = match value("directory.id") {
            Some(text) => {
                text.parse().map_err(|_| unreadable("directory.id is no id".to_owned()))?
            }
            None => new_directory_id(),
        };
        Ok(Some(Self {
            cluster_id: value("cluster.id").filter(|id| !id.is_empty()),
            node_id: node_id.ok_or_else(|| unreadable("node.id is missing".to_owned()))?,
            directory_id,
        }))
    }

    /// Writes the file, durably.
    pub fn store(&self, dir: &Path) -> Result<(), OpenError> {
        let mut text =
            format!("#\nversion=1\nnode.id={}\ndirectory.id={}\n", self.node_id, self.directory_id);
        if let Some(cluster_id) = &self.cluster_id {
            text += &format!("cluster.id={cluster_id}\n");
        }
        let path = dir.join(META_PROPERTIES);
        files::replace(&path, text.as_bytes()).map_err(|error| OpenError::io("write", &path, error))
    }

    /// For a directory seen for the first time.
    #[must_use]
    pub fn new(node_id: BrokerId, cluster_id: Option<String>) -> Self {
        Self { cluster_id, node_id, directory_id: new_directory_id() }
    }

    /// Compares the node's id and, where both sides know it, the cluster's.
    pub fn check(
        &self,
        dir: &Path,
        node_id: BrokerId,
        cluster_id: Option<&str>,
    ) -> Result<(), OpenError> {
        let mismatch = |key, stored: String, configured: String| {
            Err(OpenError::Mismatch { path: dir.to_owned(), key, stored, configured })
        };
        if self.node_id != node_id {
            return mismatch("node.id", self.node_id.to_string(), node_id.to_string());
        }
        match (&self.cluster_id, cluster_id) {
            (Some(stored), Some(configured)) if stored != configured => {
                mismatch("cluster.id", stored.clone(), configured.to_owned())
            }
            _ => Ok(()),
        }
    }
}

fn new_directory_id() -> KafkaUuid {
    loop {
        let id = KafkaUuid(Uuid::new_v4());
        if !id.is_reserved() {
            return id;
        }
    }
}

/// The text of `partition.metadata`.
pub(crate) fn partition_metadata(topic_id: TopicId) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// The topic id in `partition.metadata`; `Ok(None)` if the file is missing or empty, an error text if
/// it cannot be understood.
pub(crate) fn read_partition_metadata(dir: &Path) -> Result<Option<TopicId>, String> {
    let bytes = files::read_if_there(&dir.join(PARTITION_METADATA));
    let Some(bytes) = bytes.map_err(|error| error.to_string())? else { return Ok(None) };
    if bytes.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    let id = pairs.find(|(key, _)| key.trim() == "topic_id").map(|(_, value)| value.trim());
    let id = id.ok_or_else(|| "topic_id is missing".to_owned())?;
    id.parse().map(Some).map_err(|error| format!("{error}"))
}

/// The clean-shutdown marker as Kafka writes it (KIP-966).
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CleanShutdown {
    version: i32,
    #[serde(default = "no_epoch")]
    broker_epoch: BrokerEpoch,
}

fn no_epoch() -> BrokerEpoch {
    -1
}

/// Reads and durably removes the marker. An unreadable one counts as none.
pub(crate) fn take_clean_shutdown(dir: &Path) -> io::Result<Option<BrokerEpoch>> {
    let path: PathBuf = dir.join(CLEAN_SHUTDOWN);
    let Some(bytes) = files::read_if_there(&path)? else { return Ok(None) };
    fs::remove_file(&path)?;
    files::sync_dir(dir)?;
    let marker = serde_json::from_slice::<CleanShutdown>(&bytes);
    Ok(marker.ok().filter(|marker| marker.version == 0).map(|marker| marker.broker_epoch))
}

/// Writes the marker, durably.
pub(crate) fn write_clean_shutdown(dir: &Path, broker_epoch: BrokerEpoch) -> io::Result<()> {
    let text = serde_json::to_vec(&CleanShutdown { version: 0, broker_epoch })?;
    files::replace(&dir.join(CLEAN_SHUTDOWN), &text)
}
