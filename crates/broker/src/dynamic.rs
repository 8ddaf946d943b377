//! Settings of this broker that change while it runs, and who is told of them.
//!
//! The partitions take what concerns them from the image that they are given; here is the rest.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ottla_config::{DynamicNodeConfig, Layers};
use ottla_metadata::Image;
use ottla_metadata::quota::QuotaName;
use ottla_protocol::ids::BrokerId;
use tokio_util::sync::CancellationToken;

use crate::metadata::Metadata;
use crate::net::connection_counts::{ConnectionCounts, ConnectionLimits};
use crate::quota::Quotas;

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
        for ip in addresses(host, "max.connections.per.ip.overrides").await {
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

async fn addresses(host: &str, named_by: &str) -> Vec<IpAddr> {
    if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return vec![ip.to_canonical()];
    }
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => found.map(|address| address.ip().to_canonical()).collect(),
        Err(error) => {
            tracing::warn!(host, %error, "{named_by}: the host has no address");
            Vec::new()
        }
    }
}

/// The addresses with quotas of their own, by the names that the quotas have.
async fn quota_hosts(image: &Image) -> HashMap<IpAddr, Arc<str>> {
    let mut hosts = HashMap::new();
    for entity in image.client_quotas().keys() {
        if let Some(QuotaName::Named(host)) = &entity.ip {
            for ip in addresses(host, "connection_creation_rate").await {
                hosts.insert(ip, Arc::clone(host));
            }
        }
    }
    hosts
}

/// Who is told.
pub(crate) struct Followers {
    pub(crate) me: BrokerId,
    pub(crate) file: BTreeMap<String, String>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) counts: ConnectionCounts,
    pub(crate) quotas: Arc<Quotas>,
}

impl Followers {
    /// Watches the metadata for other settings until stopped.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut applied = self.metadata.subscribe();
        let mut known = at_start(&self.file);
        let mut quotas = Image::default().client_quotas().clone();
        loop {
            tokio::select! {
                changed = applied.changed() => if changed.is_err() { return },
                () = stop.cancelled() => return,
            }
            let image = self.metadata.snapshot();
            if !quotas.ptr_eq(image.client_quotas()) {
                quotas.clone_from(image.client_quotas());
                self.quotas.follow(&image, quota_hosts(&image).await);
            }
            let config = self.config(&image);
            if config != known {
                self.counts.set_limits(connection_limits(&config).await);
                known = config;
            }
        }
    }

    fn config(&self, image: &Image) -> DynamicNodeConfig {
        DynamicNodeConfig::of(&image.broker_layers(self.me, &self.file))
    }
}
