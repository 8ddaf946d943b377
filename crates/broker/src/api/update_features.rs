//! UpdateFeatures: says whether levels could be those that are wanted. They are fixed, so that only what
//! is in force already is granted.

use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::update_features_response::UpdatableFeatureResult;
use ottla_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use ottla_protocol::{ErrorCode, StrBytes};

use super::features::{Feature, named};
use super::{Context, text};

/// From this version on the request fails or succeeds as a whole.
const ALL_OR_NONE: i16 = 2;
const METADATA_VERSION: &str = "metadata.version";

/// Which way a level may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upgrade {
    Up,
    SafeDown,
    UnsafeDown,
}

/// Granted, or why not.
type Verdict = Result<(), (ErrorCode, String)>;

pub(super) fn handle(context: &Context, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse {
    let controller = context.broker.id;
    let outcomes: Vec<(StrBytes, Verdict)> = request
        .feature_updates
        .into_iter()
        .map(|update| {
            let outcome = judge(controller, &update, context.version);
            (update.feature, outcome)
        })
        .collect();
    if context.version < ALL_OR_NONE {
        let results = outcomes.into_iter().map(|(name, outcome)| {
            let result = UpdatableFeatureResult::default().with_feature(name);
            match outcome {
                Ok(()) => result,
                Err((code, message)) => {
                    result.with_error_code(code.code()).with_error_message(Some(text(&message)))
                }
            }
        });
        return UpdateFeaturesResponse::default().with_results(results.collect());
    }
    match outcomes.into_iter().find_map(|(_, outcome)| outcome.err()) {
        None => UpdateFeaturesResponse::default(),
        Some((code, message)) => {
            let message = format!(
                "The update failed for all features since the following feature had an error: {message}"
            );
            UpdateFeaturesResponse::default()
                .with_error_code(code.code())
                .with_error_message(Some(text(&message)))
        }
    }
}

fn judge(controller: i32, update: &FeatureUpdateKey, version: i16) -> Verdict {
    let upgrade = match (version, update.upgrade_type, update.allow_downgrade) {
        (0, _, true) | (1.., 2, _) => Upgrade::SafeDown,
        (1.., 3, _) => Upgrade::UnsafeDown,
        _ => Upgrade::Up,
    };
    let (name, wanted) = (update.feature.as_str(), update.max_version_level);
    let invalid = |why: String| {
        let message = format!("Invalid update version {wanted} for feature {name}. {why}");
        Err((ErrorCode::InvalidUpdateVersion, message))
    };
    let Some(feature) = named(name) else {
        return invalid(if upgrade == Upgrade::Up || wanted > 0 {
            format!("Local controller {controller} does not support this feature.")
        } else {
            format!("Feature {name} not found.")
        });
    };
    let Feature { min, max, level, .. } = *feature;
    if !(min..=max).contains(&wanted) {
        return invalid(format!(
            "Local controller {controller} only supports versions {min}-{max}"
        ));
    }
    if wanted == level {
        return Ok(());
    }
    if wanted < level && upgrade == Upgrade::Up {
        return invalid(
            "Can't downgrade the version of this feature without setting the upgrade type to either \
             safe or unsafe downgrade."
                .to_owned(),
        );
    }
    if wanted > level && upgrade != Upgrade::Up {
        return invalid("Can't downgrade to a newer version.".to_owned());
    }
    if name == METADATA_VERSION {
        let why = match upgrade {
            Upgrade::UnsafeDown => "Unsafe metadata downgrade is not supported in this version.",
            Upgrade::Up | Upgrade::SafeDown => {
                "Refusing to perform the requested downgrade because it might delete metadata \
                 information."
            }
        };
        let message =
            format!("Unsupported metadata.version downgrade from {level} to {wanted}. {why}");
        return Err((ErrorCode::InvalidUpdateVersion, message));
    }
    invalid(format!("Its level is fixed at {level} by the version of the program."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, level: i16, upgrade_type: i8) -> Result<(), String> {
        let update = FeatureUpdateKey::default()
            .with_feature(text(name))
            .with_max_version_level(level)
            .with_upgrade_type(upgrade_type);
        judge(2, &update, 2).map_err(|(_, message)| message)
    }

    /// As recorded from Apache Kafka 4.3.1.
    #[test]
    fn levels_are_refused_in_kafkas_words() {
        for (name, level, upgrade_type, message) in [
            (
                "nonsense",
                1,
                1,
                "Invalid update version 1 for feature nonsense. Local controller 2 does not support this \
                 feature.",
            ),
            (
                "metadata.version",
                999,
                1,
                "Invalid update version 999 for feature metadata.version. Local controller 2 only \
                 supports versions 7-30",
            ),
            (
                "metadata.version",
                25,
                1,
                "Invalid update version 25 for feature metadata.version. Can't downgrade the version of \
                 this feature without setting the upgrade type to either safe or unsafe downgrade.",
            ),
            (
                "metadata.version",
                21,
                2,
                "Unsupported metadata.version downgrade from 30 to 21. Refusing to perform the requested \
                 downgrade because it might delete metadata information.",
            ),
            (
                "nonsense",
                0,
                2,
                "Invalid update version 0 for feature nonsense. Feature nonsense not found.",
            ),
        ] {
            assert_eq!(said(name, level, upgrade_type).unwrap_err(), message);
        }
        assert_eq!(said("group.version", 1, 1), Ok(()));
    }
}
