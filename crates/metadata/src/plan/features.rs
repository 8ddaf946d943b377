//! Feature levels up and down, by Kafka's rules and in its words.

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::BrokerId;

use super::{Limits, Plan};
use crate::feature::{KRAFT_VERSION, METADATA_VERSION, named};
use crate::image::Image;
use crate::proposal::{FeatureUpdate, Outcome, Refusal, UpdateFeatures, UpgradeType};
use crate::record::Record;

/// All of the levels, or none of them.
///
/// # Errors
/// INVALID_UPDATE_VERSION, for the first level that cannot be; the metadata version comes first.
pub fn update(
    image: &Image,
    limits: &Limits,
    request: &UpdateFeatures,
) -> Result<Plan<()>, Refusal> {
    let (metadata, others): (Vec<_>, Vec<_>) =
        request.updates.iter().partition(|update| update.feature == METADATA_VERSION);
    for update in metadata.into_iter().chain(others) {
        judge(image, limits.controller_id, update)?;
    }
    let changed = |update: &&FeatureUpdate| image.feature_level(&update.feature) != update.level;
    let record = |update: &FeatureUpdate| Record::FeatureLevel {
        feature: update.feature.as_str().into(),
        level: update.level,
    };
    let records = match request.validate_only {
        true => Vec::new(),
        false => request.updates.iter().filter(changed).map(record).collect(),
    };
    Ok(Plan { records, reply: () })
}

fn judge(image: &Image, controller_id: BrokerId, update: &FeatureUpdate) -> Outcome {
    let FeatureUpdate { feature: name, level: wanted, upgrade_type } = update;
    let invalid = |why: String| {
        let message = format!("Invalid update version {wanted} for feature {name}. {why}");
        Err(Refusal::new(ErrorCode::InvalidUpdateVersion, message))
    };
    let up = *upgrade_type == UpgradeType::Upgrade;
    let Some(feature) = named(name) else {
        return invalid(if up || *wanted > 0 {
            format!("Local controller {controller_id} does not support this feature.")
        } else {
            format!("Feature {name} not found.")
        });
    };
    if *wanted < 0 {
        return invalid("A feature version cannot be less than 0.".to_owned());
    }
    let (min, max, level) = (feature.min, feature.max, image.feature_level(name));
    if !(min..=max).contains(wanted) {
        return invalid(format!(
            "Local controller {controller_id} only supports versions {min}-{max}"
        ));
    }
    if *wanted < level && up {
        return invalid(
            "Can't downgrade the version of this feature without setting the upgrade type to either \
             safe or unsafe downgrade."
                .to_owned(),
        );
    }
    if *wanted > level && !up {
        return invalid("Can't downgrade to a newer version.".to_owned());
    }
    if *wanted < level && name == METADATA_VERSION {
        let why = match upgrade_type {
            UpgradeType::UnsafeDowngrade => {
                "Unsafe metadata downgrade is not supported in this version."
            }
            UpgradeType::Upgrade | UpgradeType::SafeDowngrade => {
                "Refusing to perform the requested downgrade because it might delete metadata \
                 information."
            }
        };
        let message =
            format!("Unsupported metadata.version downgrade from {level} to {wanted}. {why}");
        return Err(Refusal::new(ErrorCode::InvalidUpdateVersion, message));
    }
    if *wanted < level && name == KRAFT_VERSION {
        return invalid("Can't downgrade the version of this feature.".to_owned());
    }
    Ok(())
}
