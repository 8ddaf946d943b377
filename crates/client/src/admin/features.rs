//! Feature levels of the cluster.

use std::collections::BTreeMap;

use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{ApiVersionsRequest, UpdateFeaturesRequest};

use super::{Admin, Outcome, outcome, text, whole};
use crate::client::Target;
use crate::error::ClientError;

/// A feature of the cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Feature {
    /// The least and the greatest level that the asked broker knows.
    pub supported: (i16, i16),
    /// The level in force; 0 where none is.
    pub finalized: i16,
}

/// All features, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// Each one.
    pub features: BTreeMap<String, Feature>,
    /// Counts the changes of levels.
    pub epoch: Option<i64>,
}

/// Which way a level may go; the numbers are the wire's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum UpgradeType {
    /// Only up.
    Upgrade = 1,
    /// Down, if no metadata is lost.
    SafeDowngrade = 2,
    /// Down at any price.
    UnsafeDowngrade = 3,
}

impl Admin {
    /// The features as one broker, or any, tells them.
    pub async fn describe_features(&self, node: Option<i32>) -> Result<Features, ClientError> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(text("ottla"))
            .with_client_software_version(text(env!("CARGO_PKG_VERSION")));
        let target = node.map_or(Target::Any, Target::Node);
        let response = self.client.request(target, &request).await?;
        whole(response.error_code, None)?;
        let mut features: BTreeMap<String, Feature> = BTreeMap::new();
        for supported in &response.supported_features {
            let feature = features.entry(supported.name.to_string()).or_default();
            feature.supported = (supported.min_version, supported.max_version);
        }
        for finalized in &response.finalized_features {
            let feature = features.entry(finalized.name.to_string()).or_default();
            feature.finalized = finalized.max_version_level;
        }
        let epoch = Some(response.finalized_features_epoch).filter(|epoch| *epoch >= 0);
        Ok(Features { features, epoch })
    }

    /// Changes levels, all or none of them.
    pub async fn update_features(
        &self,
        levels: &BTreeMap<String, i16>,
        upgrade_type: UpgradeType,
        validate_only: bool,
    ) -> Result<Outcome<()>, ClientError> {
        let updates = |version: i16| {
            let update = |(name, level): (&String, &i16)| {
                let update = FeatureUpdateKey::default()
                    .with_feature(text(name))
                    .with_max_version_level(*level);
                if version == 0 {
                    update.with_allow_downgrade(upgrade_type != UpgradeType::Upgrade)
                } else {
                    update.with_upgrade_type(upgrade_type as i8)
                }
            };
            levels.iter().map(update).collect()
        };
        let timeout_ms = self.timeout_ms();
        let build = |version: i16| {
            let request = UpdateFeaturesRequest::default()
                .with_timeout_ms(timeout_ms)
                .with_feature_updates(updates(version));
            if version > 0 { request.with_validate_only(validate_only) } else { request }
        };
        let (_, response) = self.client.request_with(Target::Controller, build).await?;
        if response.error_code != 0 {
            return Ok(outcome(response.error_code, response.error_message.as_ref(), ()));
        }
        let failed = response.results.iter().find(|result| result.error_code != 0);
        Ok(failed
            .map_or(Ok(()), |result| outcome(result.error_code, result.error_message.as_ref(), ())))
    }
}
