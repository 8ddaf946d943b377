//! UpdateFeatures: passed on to the active controller.

use ottla_metadata::proposal::{FeatureUpdate, UpdateFeatures, UpgradeType};
use ottla_metadata::{Proposal, Refusal, Reply};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::update_features_response::UpdatableFeatureResult;
use ottla_protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::error::no_outcome;
use super::{AdminContext, admin_deadline, text};

/// From this version on there are no results of single features: all succeed, or none.
const ALL_OR_NONE: i16 = 2;

pub(super) async fn handle(
    context: AdminContext,
    request: UpdateFeaturesRequest,
) -> UpdateFeaturesResponse {
    let features: Vec<_> =
        request.feature_updates.iter().map(|update| update.feature.clone()).collect();
    let wish = UpdateFeatures {
        updates: request.feature_updates.iter().map(|update| wanted(update, &context)).collect(),
        validate_only: request.validate_only,
    };
    let deadline = admin_deadline(request.timeout_ms);
    let controllers = &context.node.controllers;
    let outcome = match controllers.propose_and_see(&Proposal::UpdateFeatures(wish), deadline).await
    {
        Ok(Reply::UpdateFeatures(outcome)) => outcome.map_err(|refusal| {
            let message = format!(
                "The update failed for all features since the following feature had an error: {}",
                refusal.message
            );
            Refusal { message, ..refusal }
        }),
        other => Err(no_outcome(other)),
    };
    let (code, message) = match &outcome {
        Ok(()) => (ErrorCode::None, None),
        Err(refusal) => (refusal.code, Some(text(&refusal.message))),
    };
    let response = UpdateFeaturesResponse::default();
    if context.version >= ALL_OR_NONE {
        return response.with_error_code(code.code()).with_error_message(message);
    }
    let result = |feature| {
        UpdatableFeatureResult::default()
            .with_feature(feature)
            .with_error_code(code.code())
            .with_error_message(message.clone())
    };
    response.with_results(features.into_iter().map(result).collect())
}

fn wanted(update: &FeatureUpdateKey, context: &AdminContext) -> FeatureUpdate {
    FeatureUpdate {
        feature: update.feature.to_string(),
        level: update.max_version_level,
        upgrade_type: match (context.version, update.upgrade_type, update.allow_downgrade) {
            (0, _, true) | (1.., 2, _) => UpgradeType::SafeDowngrade,
            (1.., 3, _) => UpgradeType::UnsafeDowngrade,
            _ => UpgradeType::Upgrade,
        },
    }
}
