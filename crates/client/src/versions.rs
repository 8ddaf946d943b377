//! Which versions of which API a broker serves, and which of them is spoken with it.

use std::collections::BTreeMap;

use ottla_protocol::api::ApiKey;
use ottla_protocol::messages::ApiVersionsResponse;
use ottla_protocol::{Message, Request};

/// What one broker announced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerVersions {
    ranges: BTreeMap<i16, (i16, i16)>,
}

impl BrokerVersions {
    /// The announced range (lowest, highest) of an API key.
    #[must_use]
    pub fn range(&self, api_key: i16) -> Option<(i16, i16)> {
        self.ranges.get(&api_key).copied()
    }

    /// The highest version of `T` that both sides speak.
    #[must_use]
    pub fn negotiate<T: Request>(&self) -> Option<i16> {
        let (min, max) = self.range(T::KEY)?;
        // The request and its response do not always end at the same version in the message crate.
        let ceiling = T::VERSIONS.max.min(T::Response::VERSIONS.max).min(max);
        let floor = T::VERSIONS.min.max(min);
        (floor <= ceiling).then_some(ceiling)
    }
}

/// Reads the answer of an ApiVersions request.
pub(crate) fn from_response(response: &ApiVersionsResponse) -> BrokerVersions {
    let ranges = response
        .api_keys
        .iter()
        .map(|row| (row.api_key, (row.min_version, row.max_version)))
        .collect();
    BrokerVersions { ranges }
}

/// The API key of a request type, for error texts.
pub(crate) fn api_key<T: Request>() -> ApiKey {
    ApiKey::try_from(T::KEY).unwrap_or(ApiKey::ApiVersions)
}
