//! Settings of this broker that change while it runs, and who is told of them.
//!
//! The partitions take what concerns them from the image that they are given; here is the rest.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ottla_config::{DynamicNodeConfig, Layers};
use ottla_metadata::{ConfigResource, Image};
use ottla_protocol::ids::BrokerId;
use tokio_util::sync::CancellationToken;

use crate::metadata::Metadata;
use crate::net::connection_counts::{ConnectionCounts, ConnectionLimits};

/// The settings before anything is known of the cluster: those of the node's file.
pub(crate) fn at_start(file: &BTreeMap<String, String>) -> DynamicNodeConfig {
    DynamicNodeConfig::of(&Layers { file: Some(file), ..Layers::default() })
}

/// The limits by the settings. Addresses of host names are looked up once.
pub(crate) async fn connection_limits(config: &DynamicNodeConfig) -> ConnectionLimits {
    let limit = |limit: i32| usize::try_from(limit).unwrap_or(usize::MAX);
    let rate = |rate: i32| u32::try_from(rate).unwrap_or(u32::MAX);
    let mut overrides = HashMap::new();
    for (host, count) in &config.max_connections_per_ip_overrides {
        for ip in addresses(host).await {
            overrides.insert(ip, limit(*count));
        }
    }
    ConnectionLimits {
        max: limit(config.max_connections),
        max_per_ip: limit(config.max_connections_per_ip),
        overrides,
        creation_rate: rate(config.max_connection_creation_rate),
        listener_max: config
            .listener_max_connections
            .iter()
            .map(|(listener, max)| (listener.clone(), limit(*max)))
            .collect(),
        listener_rates: config
            .listener_creation_rates
            .iter()
            .map(|(listener, each)| (listener.clone(), rate(*each)))
            .collect(),
    }
}

async fn addresses(host: &str) -> Vec<IpAddr> {
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return vec![ip.to_canonical()];
    }
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => found.map(|address| address.ip().to_canonical()).collect(),
        Err(error) => {
            tracing::warn!(host, %error, "max.connections.per.ip.overrides: the host has no address");
            Vec::new()
        }
    }
}

/// Who is told.
pub(crate) struct Followers {
    pub(crate) me: BrokerId,
    pub(crate) file: BTreeMap<String, String>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) counts: ConnectionCounts,
}

impl Followers {
    /// Watches the metadata for other settings until stopped.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut applied = self.metadata.subscribe();
        let mut known = at_start(&self.file);
        loop {
            tokio::select! {
                changed = applied.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
            let config = self.config(&self.metadata.snapshot());
            if config != known {
                self.counts.set_limits(connection_limits(&config).await);
                known = config;
            }
        }
    }

    fn config(&self, image: &Image) -> DynamicNodeConfig {
        DynamicNodeConfig::of(&Layers {
            own: None,
            broker: Some(image.config(&ConfigResource::Broker(self.me))),
            cluster: Some(image.config(&ConfigResource::ClusterDefault)),
            file: Some(&self.file),
        })
    }
}
