//! ApiVersions: THE table, as announced.

use ottla_metadata::Image;
use ottla_metadata::feature::{FEATURES, Feature};
use ottla_protocol::ErrorCode;
use ottla_protocol::api::{ApiKey, ApiRow, TABLE};
use ottla_protocol::frame::{self, RequestHeader};
use ottla_protocol::messages::api_versions_response::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::{AdminContext, text};
use crate::net::connection::{Refused, Reply};

/// From this version on clients say which software they are.
const NAMES_SOFTWARE: i16 = 3;
/// From this version on the answer has features.
const WITH_FEATURES: i16 = 3;
/// From this version on the features may begin with level 0.
const WITH_LEVEL_0: i16 = 4;

pub(super) fn handle(context: &AdminContext, request: &ApiVersionsRequest) -> ApiVersionsResponse {
    if context.version >= NAMES_SOFTWARE
        && !(is_software_name(&request.client_software_name)
            && is_software_name(&request.client_software_version))
    {
        return ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code());
    }
    let served = TABLE.iter().filter(|row| context.node.role.serves(row));
    let response = ApiVersionsResponse::default().with_api_keys(served.map(announced).collect());
    if context.version >= WITH_FEATURES {
        with_features(response, &context.node.metadata.image(), context.version)
    } else {
        response
    }
}

/// Features that begin with level 0 confuse clients before version 4 (KAFKA-17492).
fn with_features(
    response: ApiVersionsResponse,
    image: &Image,
    version: i16,
) -> ApiVersionsResponse {
    let told = |feature: &&Feature| feature.min > 0 || version >= WITH_LEVEL_0;
    let supported = FEATURES.iter().filter(told).map(|feature| {
        SupportedFeatureKey::default()
            .with_name(text(feature.name))
            .with_min_version(feature.min)
            .with_max_version(feature.max)
    });
    let levels = FEATURES.iter().map(|feature| (feature.name, image.feature_level(feature.name)));
    let finalized = levels.filter(|(_, level)| *level > 0).map(|(name, level)| {
        FinalizedFeatureKey::default()
            .with_name(text(name))
            .with_min_version_level(level)
            .with_max_version_level(level)
    });
    response
        .with_supported_features(supported.collect())
        .with_finalized_features_epoch(i64::try_from(image.offset()).unwrap_or(i64::MAX))
        .with_finalized_features(finalized.collect())
}

/// The answer to a version that is not served: in version 0, naming the versions of ApiVersions itself,
/// so that the client asks again with one of them (KIP-511).
pub(super) fn unsupported(header: &RequestHeader) -> Result<Reply, Refused> {
    let own = TABLE.iter().filter(|row| row.key == ApiKey::ApiVersions).map(announced);
    let response = ApiVersionsResponse::default()
        .with_error_code(ErrorCode::UnsupportedVersion.code())
        .with_api_keys(own.collect());
    let frame = frame::encode_response_as(header.correlation_id, 0, &response)?;
    Ok(Reply::Ready(vec![frame.freeze()]))
}

fn announced(row: &ApiRow) -> ApiVersion {
    ApiVersion::default()
        .with_api_key(row.key as i16)
        .with_min_version(row.min)
        .with_max_version(row.max)
}

/// Kafka's rule: letters and digits, with dots and dashes between them.
fn is_software_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::is_software_name;

    #[test]
    fn software_names_are_kafkas() {
        for good in ["apache-kafka-java", "4.3.1", "librdkafka", "a"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-java", "java-", "a b", "a_b", "é"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}
